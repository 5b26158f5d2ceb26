//! Runs that sleep.

use super::Bench;
use super::support::{append, at, batch, create, ending, ids, new_run, only};
use crate::run::{RunState, Timestamp};
use crate::store::{Batch, RunRef, Sleep, Store, Unfinished};

/// Puts a run to sleep, or wakes it, without an entry.
fn sleep(store: &dyn Store, run: RunRef, seq: u64, sleep: Sleep) {
    append(store, Batch { sleep, ..batch(run, seq, 0) }).unwrap();
}

pub(super) fn sleeping_runs_are_not_awake(bench: &Bench<'_>) {
    let store = bench.open();
    let runs = ["a", "b", "c", "d"].map(|id| create(&*store, new_run(id)));
    let awake = |second| ids(store.unfinished_where(Unfinished::Awake(at(second)), None, 10).unwrap());
    assert_eq!((awake(0).len(), store.next_wake(Timestamp(0)).unwrap()), (4, None));
    sleep(&*store, runs[1], 0, Sleep::Until(Some(at(20))));
    sleep(&*store, runs[2], 0, Sleep::Until(None));
    sleep(&*store, runs[3], 0, Sleep::Until(Some(at(10))));
    assert_eq!(awake(9), ["a"]);
    assert_eq!(awake(10), ["a", "d"], "it wakes at its time, not after it");
    assert_eq!(awake(1_000_000), ["a", "b", "d"], "one waits for somebody");
    let due = |second, after| ids(store.unfinished_where(Unfinished::Due(at(second)), after, 10).unwrap());
    assert_eq!((due(9, None), due(10, None)), (vec![], vec!["d".into()]));
    assert_eq!((due(20, None), due(20, Some(runs[1]))), (vec!["b".into(), "d".into()], vec!["d".into()]));
    assert_eq!(store.next_wake(Timestamp(0)).unwrap(), Some(at(10)));
    assert_eq!(store.next_wake(at(10)).unwrap(), Some(at(20)), "later than");
    assert_eq!(store.next_wake(at(20)).unwrap(), None);
    let sleeps = || store.unfinished(None, 10).unwrap().iter().map(|run| run.asleep).collect::<Vec<_>>();
    assert_eq!(sleeps(), [false, true, true, true], "who sleeps has not ended");
    assert!(
        store.unfinished_where(Unfinished::Due(at(10)), None, 10).unwrap()[0].asleep,
        "until it is said to be awake"
    );
    // What is written of it does not wake it.
    append(&*store, batch(runs[1], 0, 2)).unwrap();
    append(&*store, Batch { state: Some(RunState::Waiting), ..batch(runs[1], 2, 0) }).unwrap();
    assert_eq!(awake(0), ["a"]);
    sleep(&*store, runs[3], 0, Sleep::Awake);
    sleep(&*store, runs[2], 0, Sleep::Awake);
    assert_eq!(
        (awake(0), store.next_wake(Timestamp(0)).unwrap()),
        (vec!["a".into(), "c".into(), "d".into()], Some(at(20)))
    );
    assert_eq!(sleeps(), [false, true, false, false]);
    // It may turn over in its sleep.
    sleep(&*store, runs[1], 2, Sleep::Until(Some(at(30))));
    assert_eq!((awake(20).len(), store.next_wake(Timestamp(0)).unwrap()), (3, Some(at(30))));
    assert!(append(&*store, Batch { sleep: Sleep::Awake, ..batch(runs[1], 7, 1) }).is_err());
    assert_eq!(awake(20).len(), 3, "what is refused wakes nobody");
    store.close();
    let store = bench.open();
    assert_eq!(ids(store.unfinished_where(Unfinished::Awake(at(20)), None, 10).unwrap()), ["a", "c", "d"]);
    assert_eq!(store.next_wake(Timestamp(0)).unwrap(), Some(at(30)));
}

pub(super) fn awake_runs_come_by_age(bench: &Bench<'_>) {
    let store = bench.open();
    let runs: Vec<_> = (0..40).map(|number| create(&*store, new_run(&format!("{number:02}")))).collect();
    for (number, run) in (0..).zip(&runs) {
        match number % 4 {
            1 => sleep(&*store, *run, 0, Sleep::Until(None)),
            // The later ones wake earlier.
            2 => sleep(&*store, *run, 0, Sleep::Until(Some(at(100 - number)))),
            3 => sleep(&*store, *run, 0, Sleep::Until(Some(at(1_000 + number)))),
            _ => {}
        }
    }
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let page = store.unfinished_where(Unfinished::Awake(at(100)), after, 3).unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(last.run);
        found.extend(page.iter().map(|run| run.run));
    }
    let wanted: Vec<_> = runs.iter().step_by(2).copied().collect();
    assert_eq!(found, wanted, "each once, the oldest first, whether it slept or not");
    assert!(store.unfinished_where(Unfinished::Awake(at(100)), None, 0).unwrap().is_empty());
}

pub(super) fn ended_runs_do_not_sleep(bench: &Bench<'_>) {
    let store = bench.open();
    let run = create(&*store, new_run("a"));
    sleep(&*store, run, 0, Sleep::Until(Some(at(5))));
    append(&*store, ending(run, 0, 1)).unwrap();
    assert!(store.unfinished_where(Unfinished::Awake(at(10)), None, 10).unwrap().is_empty());
    assert_eq!(store.next_wake(Timestamp(0)).unwrap(), None);
    assert!(!only(&*store, "a").asleep);
    append(&*store, Batch { state: Some(RunState::Running), ..batch(run, 1, 1) }).unwrap();
    assert_eq!(
        store.unfinished_where(Unfinished::Awake(at(0)), None, 10).unwrap(),
        [only(&*store, "a")],
        "who is taken up again is awake"
    );
    let asleep = Sleep::Until(Some(at(7)));
    append(&*store, Batch { sleep: asleep, ..ending(run, 2, 1) }).unwrap();
    assert_eq!(store.next_wake(Timestamp(0)).unwrap(), None);
    let taken_up = Batch { state: Some(RunState::Waiting), sleep: asleep, ..batch(run, 3, 1) };
    append(&*store, taken_up).unwrap();
    assert_eq!(store.next_wake(Timestamp(0)).unwrap(), Some(at(7)));
}

pub(super) fn backing_off_runs_are_found(bench: &Bench<'_>) {
    let store = bench.open();
    let runs = ["a", "b", "c", "d"].map(|id| create(&*store, new_run(id)));
    let backoff = |until, since| Sleep::Backoff { until: at(until), since: at(since) };
    let found =
        |since, after| ids(store.unfinished_where(Unfinished::BackingOff(at(since)), after, 10).unwrap());
    sleep(&*store, runs[0], 0, backoff(20, 10));
    sleep(&*store, runs[1], 0, Sleep::Until(Some(at(30))));
    sleep(&*store, runs[2], 0, backoff(40, 5));
    assert_eq!(
        (found(0, None), found(5, None), found(10, None)),
        (vec!["a".into(), "c".into()], vec!["a".into()], vec![])
    );
    assert_eq!(found(0, Some(runs[0])), ["c"]);
    assert_eq!(ids(store.unfinished_where(Unfinished::BackingOff(at(0)), None, 1).unwrap()), ["a"]);
    assert_eq!(
        ids(store.unfinished_where(Unfinished::Due(at(20)), None, 10).unwrap()),
        ["a"],
        "it wakes like every other"
    );
    assert_eq!(store.next_wake(Timestamp(0)).unwrap(), Some(at(20)));
    sleep(&*store, runs[0], 0, Sleep::Awake);
    sleep(&*store, runs[2], 0, Sleep::Until(None));
    assert!(found(0, None).is_empty(), "they wait for something else, or not at all");
    sleep(&*store, runs[3], 0, backoff(40, 5));
    append(&*store, ending(runs[3], 0, 1)).unwrap();
    assert!(found(0, None).is_empty(), "it has ended");
    sleep(&*store, runs[1], 0, backoff(50, 40));
    store.close();
    let store = bench.open();
    assert_eq!(ids(store.unfinished_where(Unfinished::BackingOff(at(39)), None, 10).unwrap()), ["b"]);
}
