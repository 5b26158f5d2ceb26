//! What goes with a run that is removed.

use super::Bench;
use super::support::{append, at, batch, create, new_run};
use crate::run::{RunState, Timestamp};
use crate::store::{Answer, Batch, NewRun, Request, RunEnd, RunRef, Store, StoreError, StoredRequest};

pub(super) fn old_runs_are_removed(bench: &Bench<'_>) {
    let store = bench.open();
    let end = |id: &str, second: u64| {
        let run = create(&*store, NewRun { key: Some(id.to_owned()), ..new_run(id) });
        let end = RunEnd { state: RunState::Cancelled, at: at(second), result: None, error: None };
        append(&*store, Batch { end: Some(end), ..batch(run, 0, 3) }).unwrap();
        run
    };
    let (late, early, middle) = (end("late", 30), end("early", 10), end("middle", 20));
    let unfinished = create(&*store, new_run("unfinished"));
    append(&*store, batch(unfinished, 0, 1)).unwrap();
    let last = end("last", 40);
    assert_eq!(store.remove_ended_before(at(10), 10).unwrap(), 0);
    assert_eq!(store.remove_ended_before(at(30), 1).unwrap(), 1, "no more than asked for");
    assert_eq!(store.journal(early), Err(StoreError::UnknownRun { run: early }), "the first first");
    assert_eq!(store.journal(middle).unwrap().len(), 3);
    assert_eq!(store.remove_ended_before(at(30), 10).unwrap(), 1);
    assert_eq!(store.remove_ended_before(at(30), 10).unwrap(), 0);
    assert_eq!(store.journal(late).unwrap().len(), 3);
    assert_eq!(store.remove_ended_before(Timestamp(u64::MAX), 10).unwrap(), 2);
    assert_eq!(store.journal(unfinished).unwrap().len(), 1);
    assert!(store.find("early").unwrap().is_empty());
    // The key is free, and no run gets the number of a run that is gone.
    let again = create(&*store, NewRun { key: Some("late".to_owned()), ..new_run("late again") });
    assert!(![late, early, middle, last].contains(&again));
    assert!(store.journal(again).unwrap().is_empty());
}

/// Ends a run at a second.
fn end(store: &dyn Store, run: RunRef, second: u64) {
    let end = RunEnd { state: RunState::Failed, at: at(second), result: None, error: None };
    append(store, Batch { end: Some(end), ..batch(run, 0, 1) }).unwrap();
}

pub(super) fn what_belongs_to_a_run_goes(bench: &Bench<'_>) {
    let store = bench.open();
    let with = |id: &str, fingerprint: u64| {
        let blueprint = Some(format!("{{\"number\":{fingerprint}}}").into());
        create(&*store, NewRun { fingerprint, blueprint, ..new_run(id) })
    };
    let runs = [with("a", 1), with("b", 1), with("c", 2), with("d", 3)];
    let ask = |run: Option<&str>| {
        let request = Request {
            run: run.map(str::to_owned),
            operation: "\"cancel\"".to_owned(),
            actor: "ada".to_owned(),
            reason: None,
            at: at(0),
        };
        store.request(request).unwrap()
    };
    let answer = |number, second| {
        store.answer(number, Answer { at: at(second), result: Ok("a".to_owned()) }).unwrap();
    };
    let (of_a, of_d, early, late) = (ask(Some("a")), ask(Some("d")), ask(None), ask(None));
    let (open, open_of_a) = (ask(None), ask(Some("a")));
    answer(of_a, 50);
    answer(of_d, 1);
    answer(early, 1);
    answer(late, 50);
    end(&*store, runs[0], 10);
    end(&*store, runs[2], 11);
    assert_eq!(store.remove_ended_before(at(5), 10).unwrap(), 0);
    let numbers = || {
        let requests = store.requests(None, 10).unwrap().into_iter();
        requests.map(|StoredRequest { number, .. }| number).collect::<Vec<_>>()
    };
    assert_eq!(numbers(), [open_of_a, open, late, of_d, of_a], "what is about no run goes by its own age");
    assert_eq!(store.remove_ended_before(at(20), 10).unwrap(), 2);
    assert_eq!(numbers(), [open_of_a, open, late, of_d], "and what somebody still has to see to stays");
    let blueprints = || [1, 2, 3].map(|hash| store.blueprint(hash).unwrap().is_some());
    assert_eq!(blueprints(), [true, false, true], "what another run follows stays");
    end(&*store, runs[1], 12);
    assert_eq!(store.remove_ended_before(at(20), 10).unwrap(), 1);
    assert_eq!(blueprints(), [false, false, true]);
    // It is brought again by the next run that follows it.
    with("e", 1);
    assert_eq!(blueprints(), [true, false, true]);
    let of_a = store.requests(Some("a"), 10).unwrap().into_iter().map(|stored| stored.number);
    assert_eq!(of_a.collect::<Vec<_>>(), [open_of_a, late], "its answer says what it is about");
    answer(open_of_a, 60);
    assert_eq!(store.remove_ended_before(Timestamp(u64::MAX), 10).unwrap(), 0);
    assert_eq!(numbers(), [open, of_d]);
}
