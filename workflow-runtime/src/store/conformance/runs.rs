//! Runs: one per key and per id, listed and found.

use std::sync::{Arc, Barrier};

use super::Bench;
use super::support::{
    append, at, batch, create, ending, entry, existing, ids, new_run, only, step_error, stored, try_create,
};
use crate::run::RunState;
use crate::store::{Batch, Created, NewRun, Parent, RunEnd, RunFilter, StoreError, StoredRun};

pub(super) fn created_is_found(bench: &Bench<'_>) {
    let store = bench.open();
    let new = NewRun { key: Some("a key".to_owned()), entries: vec![entry(0), entry(1)], ..new_run("0-a") };
    let run = create(&*store, new.clone());
    let expected = StoredRun {
        run,
        id: new.id,
        workflow: new.workflow,
        key: new.key,
        fingerprint: new.fingerprint,
        params: new.params,
        parent: None,
        created_at: new.created_at,
        state: new.state,
        asleep: false,
        suspected: 0,
        end: None,
    };
    assert_eq!(only(&*store, "0-a"), expected);
    assert_eq!(store.by_key("a key").unwrap(), Some(expected));
    assert_eq!(store.by_key("another key").unwrap(), None);
    assert_eq!(store.journal(run).unwrap(), [stored(0), stored(1)]);
}

pub(super) fn suspected_runs_are_found(bench: &Bench<'_>) {
    let store = bench.open();
    let runs = ["a", "b", "c"].map(|id| create(&*store, new_run(id)));
    let found = |store: &dyn crate::store::Store| {
        let wanted = RunFilter { suspected: true, ..RunFilter::default() };
        let found = store.list(&wanted).unwrap().into_iter();
        found.map(|run| (run.run, run.suspected)).collect::<Vec<_>>()
    };
    assert_eq!(found(&*store), []);
    append(&*store, Batch { suspected: Some(2), ..batch(runs[0], 0, 1) }).unwrap();
    append(&*store, Batch { suspected: Some(1), ..batch(runs[2], 0, 1) }).unwrap();
    append(&*store, batch(runs[0], 1, 1)).unwrap();
    assert_eq!(found(&*store), [(runs[2], 1), (runs[0], 2)]);
    append(&*store, Batch { suspected: Some(1), ..batch(runs[0], 2, 1) }).unwrap();
    append(&*store, Batch { suspected: Some(0), ..batch(runs[2], 1, 1) }).unwrap();
    assert_eq!(found(&*store), [(runs[0], 1)]);
    append(&*store, ending(runs[0], 3, 1)).unwrap();
    assert_eq!(found(&*store), []);
}

pub(super) fn parents_are_kept(bench: &Bench<'_>) {
    let store = bench.open();
    let parent = |how: &'static str| Some(Parent { id: "a".to_owned(), how: how.into() });
    create(&*store, new_run("a"));
    create(&*store, NewRun { parent: parent("rerun"), ..new_run("b") });
    create(&*store, NewRun { parent: parent("fork"), key: Some("k".to_owned()), ..new_run("c") });
    let parents = |runs: Vec<StoredRun>| runs.into_iter().map(|run| run.parent).collect::<Vec<_>>();
    let all = [None, parent("rerun"), parent("fork")];
    assert_eq!(parents(store.unfinished(None, 10).unwrap()), all);
    assert_eq!(existing(&*store, new_run("b")).parent, all[1]);
    assert_eq!(store.by_key("k").unwrap().unwrap().parent, all[2]);
}

pub(super) fn a_key_names_one_run(bench: &Bench<'_>) {
    let store = bench.open();
    let keyed = |id: &str| NewRun { key: Some("the key".to_owned()), ..new_run(id) };
    let first = create(&*store, keyed("a"));
    let found = existing(&*store, NewRun { workflow: "another".to_owned(), ..keyed("b") });
    assert_eq!((found.run, found.id.as_str()), (first, "a"));
    assert!(store.find("b").unwrap().is_empty(), "nothing is written for a key that is taken");
    // Runs without a key do not share one.
    assert_ne!(create(&*store, new_run("c")), create(&*store, new_run("d")));
    // An ended run keeps its key.
    append(&*store, ending(first, 0, 1)).unwrap();
    assert!(existing(&*store, keyed("e")).end.is_some());
}

pub(super) fn an_id_names_one_run(bench: &Bench<'_>) {
    let store = bench.open();
    let run = create(&*store, new_run("a"));
    let found = existing(&*store, NewRun { entries: vec![entry(0)], ..new_run("a") });
    assert_eq!(found.run, run);
    assert!(store.journal(run).unwrap().is_empty());
}

pub(super) fn a_key_under_concurrency(bench: &Bench<'_>) {
    let store = bench.open();
    let (threads, rounds) = (8, 20);
    let barrier = Arc::new(Barrier::new(threads));
    let created = std::thread::scope(|scope| {
        let spawn = |thread: usize| {
            let (store, barrier) = (store.clone(), barrier.clone());
            scope.spawn(move || {
                let try_round = |round: usize| {
                    let key = Some(format!("key {round}"));
                    let run = NewRun { key, ..new_run(&format!("{round}-{thread}")) };
                    barrier.wait();
                    matches!(try_create(&*store, run).unwrap(), Created::New(_))
                };
                (0..rounds).map(try_round).collect::<Vec<_>>()
            })
        };
        let threads: Vec<_> = (0..threads).map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    for round in 0..rounds {
        let winners = created.iter().filter(|created| created[round]).count();
        assert_eq!(winners, 1, "of {threads} that asked for the same key at once");
    }
}

pub(super) fn unfinished_runs_are_listed(bench: &Bench<'_>) {
    let store = bench.open();
    assert!(store.unfinished(None, 10).unwrap().is_empty());
    let runs: Vec<_> = (0..25).map(|number| create(&*store, new_run(&format!("{number:02}")))).collect();
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let page = store.unfinished(after, 10).unwrap();
        assert!(page.len() <= 10);
        let Some(last) = page.last() else { break };
        after = Some(last.run);
        found.extend(page.iter().map(|run| run.run));
    }
    assert_eq!(found, runs, "each once, the oldest first");
}

pub(super) fn ended_runs_leave(bench: &Bench<'_>) {
    let store = bench.open();
    let runs: Vec<_> = ["a", "b", "c"].map(|id| create(&*store, new_run(id))).into();
    append(&*store, Batch { state: Some(RunState::Waiting), ..batch(runs[0], 0, 1) }).unwrap();
    let succeeded = ending(runs[1], 0, 1);
    append(&*store, succeeded.clone()).unwrap();
    let failed = RunEnd { state: RunState::Failed, at: at(9), result: None, error: Some(step_error()) };
    append(&*store, Batch { end: Some(failed.clone()), ..batch(runs[2], 0, 0) }).unwrap();
    let left = store.unfinished(None, 10).unwrap();
    assert_eq!(
        left.iter().map(|run| (run.run, run.state)).collect::<Vec<_>>(),
        [(runs[0], RunState::Waiting)]
    );
    let end = |id| only(&*store, id).end;
    assert_eq!((end("b"), end("c")), (succeeded.end, Some(failed)));
    let got = append(&*store, batch(runs[1], 1, 1));
    assert_eq!(got, Err(StoreError::Ended { run: runs[1] }), "nothing follows the end");
    store.close();
    let store = bench.open();
    assert_eq!(store.unfinished(None, 10).unwrap().len(), 1);
    let run = only(&*store, "b").run;
    assert_eq!(append(&*store, batch(run, 1, 1)), Err(StoreError::Ended { run }));
}

pub(super) fn ended_runs_can_go_on(bench: &Bench<'_>) {
    let store = bench.open();
    let run = create(&*store, new_run("a"));
    append(&*store, ending(run, 0, 2)).unwrap();
    let again = |first| Batch { state: Some(RunState::Running), ..batch(run, first, 1) };
    assert!(append(&*store, again(3)).is_err(), "its journal still has no gap");
    append(&*store, again(2)).unwrap();
    let found = only(&*store, "a");
    assert_eq!((found.state, found.end), (RunState::Running, None));
    assert_eq!(store.unfinished(None, 10).unwrap().len(), 1);
    append(&*store, batch(run, 3, 1)).unwrap();
    append(&*store, ending(run, 4, 1)).unwrap();
    assert!(store.unfinished(None, 10).unwrap().is_empty());
    assert_eq!(store.journal(run).unwrap().len(), 5);
}

pub(super) fn runs_are_listed(bench: &Bench<'_>) {
    let store = bench.open();
    let create_one = |(id, workflow): (&str, &str)| {
        create(&*store, NewRun { workflow: workflow.to_owned(), ..new_run(id) })
    };
    let new =
        [("018f-aa", "sum"), ("018f-ab", "sum"), ("018e-aa", "load"), ("018f%_", "load"), ("018F", "sum")];
    let runs = new.map(create_one);
    append(&*store, ending(runs[1], 0, 1)).unwrap();
    let find = |prefix| ids(store.find(prefix).unwrap());
    assert_eq!(find("018f-aa"), ["018f-aa"]);
    assert_eq!(find("018f-a"), ["018f-ab", "018f-aa"]);
    assert_eq!(find("018f"), ["018f%_", "018f-ab", "018f-aa"], "the newest first, and case counts");
    assert_eq!(find("018f%"), ["018f%_"], "nothing stands for anything else");
    assert!(find("018f-aaa").is_empty() && find("18f").is_empty() && find("'; --").is_empty());
    assert_eq!(find("").len(), 5);
    let all = RunFilter::default;
    let list = |filter| ids(store.list(&filter).unwrap());
    assert_eq!(list(RunFilter { at_most: 2, ..all() }), ["018F", "018f%_"]);
    assert_eq!(list(RunFilter { before: Some(runs[3]), at_most: 2, ..all() }), ["018e-aa", "018f-ab"]);
    assert_eq!(list(RunFilter { workflow: Some("load".to_owned()), ..all() }), ["018f%_", "018e-aa"]);
    assert_eq!(list(RunFilter { states: vec![RunState::Succeeded], ..all() }), ["018f-ab"]);
    let two = vec![RunState::Succeeded, RunState::Queued];
    assert_eq!(list(RunFilter { states: two.clone(), ..all() }).len(), 5);
    let workflow = Some("sum".to_owned());
    let id_prefix = Some("018f".to_owned());
    let filter = RunFilter { id_prefix, workflow, states: two, before: Some(runs[1]), ..all() };
    assert_eq!(list(filter), ["018f-aa"]);
    assert!(list(RunFilter { at_most: 0, ..all() }).is_empty());
}

pub(super) fn runs_are_found_by_their_keys(bench: &Bench<'_>) {
    let store = bench.open();
    let create_one = |(id, key): (&str, &str)| {
        let key = Some(key.to_owned()).filter(|key| !key.is_empty());
        create(&*store, NewRun { key, ..new_run(id) })
    };
    let new =
        [("a", "at/1"), ("b", ""), ("c", "at/2"), ("d", "at"), ("e", "AT/1"), ("f", "at/%"), ("g", "au/1")];
    let runs = new.map(create_one);
    let begins = |prefix: &str| RunFilter { key_prefix: Some(prefix.to_owned()), ..RunFilter::default() };
    let list = |filter| ids(store.list(&filter).unwrap());
    assert_eq!(list(begins("at/")), ["f", "c", "a"], "the newest first, and case counts");
    assert_eq!(list(begins("at/%")), ["f"], "nothing stands for anything else");
    assert_eq!(list(begins("at")), ["f", "d", "c", "a"]);
    assert!(list(begins("at/11")).is_empty() && list(begins("'; --")).is_empty());
    assert_eq!(
        list(begins("")),
        ["g", "f", "e", "d", "c", "a"],
        "a run without a key has no beginning of one"
    );
    assert_eq!(list(RunFilter { at_most: 2, ..begins("at/") }), ["f", "c"]);
    assert_eq!(list(RunFilter { before: Some(runs[2]), ..begins("at/") }), ["a"]);
    append(&*store, ending(runs[2], 0, 1)).unwrap();
    append(&*store, Batch { state: Some(RunState::Waiting), ..batch(runs[5], 0, 1) }).unwrap();
    let unfinished = vec![RunState::Queued, RunState::Waiting];
    assert_eq!(list(RunFilter { states: unfinished.clone(), ..begins("at/") }), ["f", "a"]);
    assert_eq!(list(RunFilter { states: vec![RunState::Waiting], ..begins("at/") }), ["f"]);
    assert_eq!(list(RunFilter { states: vec![RunState::Succeeded], ..begins("at/") }), ["c"]);
    let both = vec![RunState::Succeeded, RunState::Waiting];
    assert_eq!(list(RunFilter { states: both, ..begins("at/") }), ["f", "c"]);
    // One that is taken up again is unfinished again.
    append(&*store, Batch { state: Some(RunState::Waiting), ..batch(runs[2], 1, 1) }).unwrap();
    assert_eq!(list(RunFilter { states: unfinished, ..begins("at/") }), ["f", "c", "a"]);
}
