//! Writes: answered once, and nothing of them lost.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::Bench;
use super::support::{PATIENCE, append, at, batch, create, ending, new_run, only, stored, try_create};
use crate::run::Timestamp;
use crate::store::{
    Answer, LogFilter, NewRun, Request, RunFilter, RunRef, Store, StoreError, Tick, Unfinished,
};

pub(super) fn nothing_is_lost_when_closed(bench: &Bench<'_>) {
    let store = bench.open();
    let (answered, writes) = (Arc::new(AtomicUsize::new(0)), 300);
    let run = create(&*store, new_run("a"));
    for seq in 0..writes {
        let answered = answered.clone();
        let done = Box::new(move |result: Result<(), StoreError>| {
            result.unwrap();
            answered.fetch_add(1, Ordering::SeqCst);
        });
        store.append(batch(run, seq, 1), done);
    }
    store.close();
    assert_eq!(answered.load(Ordering::SeqCst) as u64, writes, "closing waits for what is queued");
    store.close();
    assert_eq!(append(&*store, batch(run, writes, 1)), Err(StoreError::Closed));
    assert_eq!(try_create(&*store, new_run("b")), Err(StoreError::Closed));
    assert_eq!(store.journal(run), Err(StoreError::Closed));
    assert_eq!(store.unfinished(None, 10), Err(StoreError::Closed));
    assert_eq!(store.list(&RunFilter::default()), Err(StoreError::Closed));
    assert_eq!(store.remove_ended_before(Timestamp(u64::MAX), 10), Err(StoreError::Closed));
    drop(store);
    let store = bench.open();
    let run = only(&*store, "a").run;
    assert_eq!(store.journal(run).unwrap(), (0..writes).map(stored).collect::<Vec<_>>());
}

pub(super) fn a_closed_store_says_so(bench: &Bench<'_>) {
    let store = bench.open();
    store.close();
    assert_eq!(store.unfinished_where(Unfinished::Awake(at(0)), None, 10), Err(StoreError::Closed));
    assert_eq!(store.next_wake(Timestamp(0)), Err(StoreError::Closed));
    assert_eq!(store.blueprint(1), Err(StoreError::Closed));
    assert_eq!(store.remembered(b"", at(0)), Err(StoreError::Closed));
    assert_eq!(store.forget(at(0), 10), Err(StoreError::Closed));
    let request =
        Request { run: None, operation: String::new(), actor: String::new(), reason: None, at: at(0) };
    assert_eq!(store.request(request), Err(StoreError::Closed));
    assert_eq!(store.open_requests(), Err(StoreError::Closed));
    assert_eq!(store.requests(None, 10), Err(StoreError::Closed));
    let answer = Answer { at: at(0), result: Ok(String::new()) };
    assert_eq!(store.answer(1, answer), Err(StoreError::Closed));
    assert_eq!(store.foreign_writes(), Err(StoreError::Closed));
    assert_eq!(store.schedules(), Err(StoreError::Closed));
    assert_eq!(store.mark(Tick { schedule: String::new(), at: at(0) }), Err(StoreError::Closed));
    assert_eq!(store.keys(), Err(StoreError::Closed));
    assert_eq!(store.put_keys(Vec::new()), Err(StoreError::Closed));
    assert_closed_to_lines(&*store);
    assert_eq!(store.find("a"), Err(StoreError::Closed));
    assert_eq!(store.by_key("a"), Err(StoreError::Closed));
}

pub(super) fn many_threads(bench: &Bench<'_>) {
    let store = bench.open();
    let (threads, runs, batches) = (8, 5, 20);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let store = store.clone();
            scope.spawn(move || {
                for number in 0..runs {
                    let run = create(&*store, new_run(&format!("{thread}-{number}")));
                    for seq in 0..batches {
                        append(&*store, batch(run, seq, 1)).unwrap();
                        // Reading goes on beside the writing.
                        assert_eq!(store.journal(run).unwrap().len() as u64, seq + 1);
                    }
                    append(&*store, ending(run, batches, 1)).unwrap();
                }
            });
        }
    });
    assert!(store.unfinished(None, 10).unwrap().is_empty());
    let all = store.list(&RunFilter { at_most: 1_000, ..RunFilter::default() }).unwrap();
    assert_eq!(all.len(), threads * runs);
    assert_eq!(all.iter().map(|run| run.run).collect::<HashSet<_>>().len(), all.len());
    for run in all {
        let journal = store.journal(run.run).unwrap();
        assert_eq!(journal, (0..=batches).map(stored).collect::<Vec<_>>());
    }
}

pub(super) fn every_write_is_answered_once(bench: &Bench<'_>) {
    let store = bench.open();
    let run = create(&*store, NewRun { key: Some("key".to_owned()), ..new_run("a") });
    let counts: Vec<_> = (0..400).map(|_| Arc::new(AtomicUsize::new(0))).collect();
    let mut seq = 0;
    for (number, count) in counts.iter().enumerate() {
        if number == 300 {
            // The rest comes while the store is being closed, or after that.
            let store = store.clone();
            std::thread::spawn(move || store.close());
        }
        let count = count.clone();
        let counted = move || {
            count.fetch_add(1, Ordering::SeqCst);
        };
        match number % 4 {
            0 | 1 => {
                store.append(batch(run, seq, 1), Box::new(move |_| counted()));
                seq += 1;
            }
            2 => store.append(batch(run, u64::MAX, 1), Box::new(move |_| counted())),
            _ => {
                let taken = NewRun { key: Some("key".to_owned()), ..new_run(&format!("{number}")) };
                store.create(taken, Box::new(move |_| counted()));
            }
        }
    }
    store.close();
    drop(store);
    let deadline = std::time::Instant::now() + PATIENCE;
    while counts.iter().any(|count| count.load(Ordering::SeqCst) == 0) {
        assert!(std::time::Instant::now() < deadline, "a write was never answered");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(counts.iter().all(|count| count.load(Ordering::SeqCst) == 1), "a write was answered twice");
}

/// Of a store that keeps them.
fn assert_closed_to_lines(store: &dyn Store) {
    let logs = store.logs(RunRef(1), &LogFilter::default());
    assert!(logs == Err(StoreError::Closed) || logs == Ok(Vec::new()), "{logs:?}");
}
