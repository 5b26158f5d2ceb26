//! What operators ask for, and what becomes of it.

use std::collections::HashSet;

use super::Bench;
use super::support::{append, at, batch, create, existing, new_run};
use crate::store::{Answer, Batch, NewRun, Request, StoredRequest};

fn request(run: Option<&str>, number: u64) -> Request {
    Request {
        run: run.map(str::to_owned),
        operation: format!("{{\"retry\":{{\"step\":\"{number}\"}}}}"),
        actor: "ada <ada@example.com>".to_owned(),
        reason: number.is_multiple_of(2).then(|| "it's late".to_owned()),
        at: at(number),
    }
}

fn done(second: u64) -> Answer {
    Answer { at: at(second), result: Ok("a run".to_owned()) }
}

pub(super) fn requests_are_answered_once(bench: &Bench<'_>) {
    let store = bench.open();
    let requests = [request(Some("a"), 0), request(None, 1), request(Some("b"), 2)];
    let numbers = requests.clone().map(|request| store.request(request).unwrap());
    let stored = |which: usize, answer: Option<Answer>| StoredRequest {
        number: numbers[which],
        request: requests[which].clone(),
        answer,
    };
    let open = [0, 1, 2].map(|which| stored(which, None));
    assert_eq!(store.open_requests().unwrap(), open, "the oldest first");
    let refused = Answer { at: at(9), result: Err("there is no such run".to_owned()) };
    store.answer(numbers[1], refused.clone()).unwrap();
    assert_eq!(store.open_requests().unwrap(), [open[0].clone(), open[2].clone()]);
    store.answer(numbers[1], done(10)).unwrap();
    store.answer(numbers[0], done(11)).unwrap();
    store.answer(numbers[0], refused.clone()).unwrap();
    // To no caller.
    store.answer(i64::MAX, done(12)).unwrap();
    store.close();
    let store = bench.open();
    let all = [stored(2, None), stored(1, Some(refused)), stored(0, Some(done(11)))];
    assert_eq!(store.requests(None, 10).unwrap(), all, "the first answer counts");
    assert_eq!(store.open_requests().unwrap(), all[..1]);
}

pub(super) fn a_commit_answers_a_request(bench: &Bench<'_>) {
    let store = bench.open();
    let numbers = [0, 1, 2, 3].map(|n| store.request(request(None, n)).unwrap());
    let answers = |which: usize| Some((numbers[which], done(9)));
    let run = create(&*store, NewRun { answer: answers(0), ..new_run("a") });
    // What is not written answers nothing.
    existing(&*store, NewRun { answer: answers(1), ..new_run("a") });
    assert!(append(&*store, Batch { answer: answers(2), ..batch(run, 7, 1) }).is_err());
    append(&*store, Batch { answer: answers(3), ..batch(run, 0, 1) }).unwrap();
    // Nor is an answer given twice.
    let late = Answer { at: at(10), result: Err("too late".to_owned()) };
    append(&*store, Batch { answer: Some((numbers[0], late)), ..batch(run, 1, 1) }).unwrap();
    let open = |store: &dyn crate::store::Store| -> Vec<_> {
        store.open_requests().unwrap().iter().map(|open| open.number).collect()
    };
    assert_eq!(open(&*store), numbers[1..3]);
    store.close();
    let store = bench.open();
    assert_eq!(open(&*store), numbers[1..3]);
    let answers: Vec<_> = store.requests(None, 9).unwrap().into_iter().map(|asked| asked.answer).collect();
    assert_eq!(answers, [Some(done(9)), None, None, Some(done(9))]);
}

pub(super) fn requests_are_listed(bench: &Bench<'_>) {
    let store = bench.open();
    for number in 0..9 {
        let run = [Some("a"), Some("b"), None][number as usize % 3];
        store.request(request(run, number)).unwrap();
    }
    let list = |run, at_most| -> Vec<u64> {
        let requests = store.requests(run, at_most).unwrap().into_iter();
        requests.map(|stored| stored.request.at.since(at(0)).as_secs()).collect()
    };
    assert_eq!(list(None, 4), [8, 7, 6, 5], "the newest first");
    assert_eq!(list(Some("a"), 10), [6, 3, 0]);
    assert_eq!(list(Some("b"), 2), [7, 4]);
    // What started a run is about it too.
    let start = store.request(request(None, 9)).unwrap();
    store.answer(start, Answer { at: at(9), result: Ok("a".to_owned()) }).unwrap();
    assert_eq!(list(Some("a"), 10), [9, 6, 3, 0]);
    assert!(list(Some("c"), 10).is_empty() && list(Some(""), 10).is_empty() && list(None, 0).is_empty());
}

pub(super) fn requests_under_concurrency(bench: &Bench<'_>) {
    let store = bench.open();
    let before = store.foreign_writes().unwrap();
    assert_eq!(store.foreign_writes().unwrap(), before, "nothing was written");
    let numbers: Vec<_> = std::thread::scope(|scope| {
        let ask = |_| {
            let store = store.clone();
            scope.spawn(move || (0..20).map(|n| store.request(request(None, n)).unwrap()).collect::<Vec<_>>())
        };
        let threads: Vec<_> = (0..4).map(ask).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(numbers.iter().collect::<HashSet<_>>().len(), 80, "each has its own number");
    let open: Vec<_> = store.open_requests().unwrap().iter().map(|open| open.number).collect();
    assert!(open.is_sorted() && open.len() == 80);
}
