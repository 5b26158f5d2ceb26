//! Schedules, their marks, and the ticks that start runs.

use std::sync::{Arc, Barrier};

use super::Bench;
use super::support::{at, create, existing, new_run, try_create};
use crate::store::{Created, NewRun, Store, StoreError, StoredRule, StoredSchedule, Tick};

fn tick(schedule: &str, second: u64) -> Tick {
    Tick { schedule: schedule.to_owned(), at: at(second) }
}

fn ticked(id: &str, schedule: &str, second: u64) -> NewRun {
    NewRun { tick: Some(tick(schedule, second)), ..new_run(id) }
}

/// The marks, as seconds.
fn marks(store: &dyn Store) -> Vec<(String, u64)> {
    let mut marks = store.schedules().unwrap();
    marks.sort_by(|a, b| a.schedule.cmp(&b.schedule));
    let second = |StoredSchedule { schedule, mark }| (schedule, mark.since(at(0)).as_secs());
    marks.into_iter().map(second).collect()
}

fn is(marks: &[(String, u64)], wanted: &[(&str, u64)]) -> bool {
    marks.iter().map(|(schedule, second)| (schedule.as_str(), *second)).eq(wanted.iter().copied())
}

pub(super) fn a_tick_moves_the_mark(bench: &Bench<'_>) {
    let store = bench.open();
    assert!(marks(&*store).is_empty());
    create(&*store, ticked("a", "nightly", 10));
    create(&*store, ticked("b", "'; --", 3));
    create(&*store, new_run("c"));
    assert!(is(&marks(&*store), &[("'; --", 3), ("nightly", 10)]));
    create(&*store, ticked("d", "nightly", 11));
    store.close();
    let store = bench.open();
    assert!(is(&marks(&*store), &[("'; --", 3), ("nightly", 11)]));
}

pub(super) fn stale_ticks_start_nothing(bench: &Bench<'_>) {
    let store = bench.open();
    create(&*store, NewRun { key: Some("k".to_owned()), ..ticked("a", "nightly", 10) });
    for second in [10, 9, 0] {
        let stale =
            try_create(&*store, NewRun { key: Some("new".to_owned()), ..ticked("b", "nightly", second) });
        let (schedule, mark) = ("nightly".to_owned(), at(10));
        assert_eq!(stale, Err(StoreError::StaleTick { schedule, at: at(second), mark }));
    }
    assert!(store.find("b").unwrap().is_empty() && store.by_key("new").unwrap().is_none());
    // Asking again for what is there finds it, and moves nothing.
    let again = |second| NewRun { key: Some("k".to_owned()), ..ticked("c", "nightly", second) };
    for second in [5, 10, 20] {
        assert_eq!(existing(&*store, again(second)).id, "a");
    }
    assert_eq!(existing(&*store, ticked("a", "nightly", 10)).id, "a");
    assert!(is(&marks(&*store), &[("nightly", 10)]));
    create(&*store, ticked("d", "hourly", 1));
}

pub(super) fn a_tick_under_concurrency(bench: &Bench<'_>) {
    let store = bench.open();
    let (threads, rounds) = (6, 20);
    let barrier = Arc::new(Barrier::new(threads));
    let created = std::thread::scope(|scope| {
        let spawn = |thread: usize| {
            let (store, barrier) = (store.clone(), barrier.clone());
            scope.spawn(move || {
                let try_round = |round: usize| {
                    barrier.wait();
                    match try_create(&*store, ticked(&format!("{round}-{thread}"), "nightly", round as u64)) {
                        Ok(Created::New(_)) => true,
                        Err(StoreError::StaleTick { .. }) => false,
                        other => panic!("{other:?}"),
                    }
                };
                (0..rounds).map(try_round).collect::<Vec<_>>()
            })
        };
        let threads: Vec<_> = (0..threads).map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    for round in 0..rounds {
        let winners = created.iter().filter(|created| created[round]).count();
        assert_eq!(winners, 1, "of {threads} that asked for the same tick at once");
    }
    assert_eq!(store.unfinished(None, 1_000).unwrap().len(), rounds);
    assert!(is(&marks(&*store), &[("nightly", rounds as u64 - 1)]));
}

pub(super) fn marks_move_forward(bench: &Bench<'_>) {
    let store = bench.open();
    store.mark(tick("nightly", 10)).unwrap();
    assert!(is(&marks(&*store), &[("nightly", 10)]), "a new one begins with its mark");
    store.mark(tick("nightly", 5)).unwrap();
    assert!(is(&marks(&*store), &[("nightly", 10)]));
    store.mark(tick("nightly", 12)).unwrap();
    assert!(is(&marks(&*store), &[("nightly", 12)]));
    assert!(try_create(&*store, ticked("a", "nightly", 12)).is_err());
    create(&*store, ticked("a", "nightly", 13));
    store.mark(tick("nightly", 12)).unwrap();
    assert!(is(&marks(&*store), &[("nightly", 13)]));
}

pub(super) fn schedules_are_put(bench: &Bench<'_>) {
    let store = bench.open();
    let put = |store: &dyn Store, schedule: &str, second, rule| {
        let schedule = StoredSchedule { schedule: schedule.to_owned(), mark: at(second) };
        store.put_schedule(schedule, rule).unwrap();
    };
    let rules = |store: &dyn Store| {
        let rules = store.rules().unwrap().into_iter();
        let mut rules: Vec<_> = rules.map(|StoredRule { schedule, rule }| (schedule, rule)).collect();
        rules.sort();
        rules
    };
    let rule = |schedule: &str, rule: &str| (schedule.to_owned(), rule.to_owned());
    put(&*store, "new", 10, "every hour");
    store.mark(tick("old", 10)).unwrap();
    assert!(is(&marks(&*store), &[("new", 10), ("old", 10)]));
    assert_eq!(rules(&*store), [rule("new", "every hour")]);
    // Also back, and by another rule.
    put(&*store, "new", 5, "every day");
    put(&*store, "old", 7, "'; --");
    create(&*store, ticked("a", "new", 6));
    store.mark(tick("old", 8)).unwrap();
    store.close();
    let store = bench.open();
    assert!(is(&marks(&*store), &[("new", 6), ("old", 8)]));
    assert_eq!(rules(&*store), [rule("new", "every day"), rule("old", "'; --")]);
}
