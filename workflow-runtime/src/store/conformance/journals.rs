//! Journals: in order, without a gap, whatever is in them.

use std::sync::mpsc;

use super::Bench;
use super::support::{
    PATIENCE, append, batch, change, create, ending, entry, new_run, only, stored, try_create,
};
use crate::run::RunState;
use crate::store::{Batch, Entry, NewRun, Payload, RunEnd, RunFilter, RunRef, StepChange, StoreError};

pub(super) fn a_journal_keeps_its_order(bench: &Bench<'_>) {
    let store = bench.open();
    let run = create(&*store, new_run("a"));
    let (sender, answers) = mpsc::channel();
    let mut seq = 0;
    // Sent without waiting, in batches of different sizes, an empty one too.
    for size in [1, 3, 0, 2, 1].into_iter().cycle().take(200) {
        let sender = sender.clone();
        let done = Box::new(move |result: Result<(), StoreError>| sender.send(result).unwrap());
        store.append(batch(run, seq, size), done);
        seq += size;
    }
    for _ in 0..200 {
        answers.recv_timeout(PATIENCE).unwrap().unwrap();
    }
    assert_eq!(store.journal(run).unwrap(), (0..seq).map(stored).collect::<Vec<_>>());
}

pub(super) fn a_journal_has_no_gap(bench: &Bench<'_>) {
    let store = bench.open();
    let run = create(&*store, new_run("a"));
    let refused = |first, expected| {
        let got = append(&*store, batch(run, first, 1));
        assert_eq!(got, Err(StoreError::OutOfOrder { run, expected, got: first }));
    };
    refused(1, 0);
    append(&*store, batch(run, 0, 2)).unwrap();
    refused(0, 2);
    refused(1, 2);
    refused(3, 2);
    refused(u64::MAX, 2);
    append(&*store, batch(run, 2, 1)).unwrap();
    assert_eq!(store.journal(run).unwrap().len(), 3);
    store.close();
    // The next to open the store knows where the journal ends.
    let store = bench.open();
    let run = only(&*store, "a").run;
    let got = append(&*store, batch(run, 4, 1));
    assert_eq!(got, Err(StoreError::OutOfOrder { run, expected: 3, got: 4 }));
    append(&*store, batch(run, 3, 1)).unwrap();
}

pub(super) fn many_journals_are_read(bench: &Bench<'_>) {
    let store = bench.open();
    let read = |runs: &[RunRef]| {
        let mut journals = Vec::new();
        store.journals(runs, &mut |run, journal| journals.push((run, journal)));
        journals
    };
    let [a, b, empty] = ["a", "b", "c"].map(|id| create(&*store, new_run(id)));
    append(&*store, batch(a, 0, 3)).unwrap();
    append(&*store, batch(b, 0, 1)).unwrap();
    // In the order in which they are asked for, and one that is not there
    // hides no other.
    let asked = [b, RunRef(77), a, empty, b];
    let wanted: Vec<_> = asked.into_iter().map(|run| (run, store.journal(run))).collect();
    assert_eq!(read(&asked), wanted);
    assert_eq!(wanted[1].1, Err(StoreError::UnknownRun { run: RunRef(77) }));
    assert_eq!(wanted[2].1.as_ref().map(Vec::len), Ok(3));
    assert!(read(&[]).is_empty());
    // What was written since is there.
    append(&*store, ending(a, 3, 1)).unwrap();
    assert_eq!(read(&[a])[0].1.as_ref().map(Vec::len), Ok(4));
    store.close();
    assert_eq!(read(&[a, b]), [(a, Err(StoreError::Closed)), (b, Err(StoreError::Closed))]);
}

pub(super) fn contradictions_are_refused(bench: &Bench<'_>) {
    let store = bench.open();
    let ended = NewRun { state: RunState::Failed, ..new_run("a") };
    assert!(try_create(&*store, ended).is_err(), "a new run has not ended");
    let run = create(&*store, new_run("a"));
    let state = Batch { state: Some(RunState::Cancelled), ..batch(run, 0, 1) };
    assert!(append(&*store, state).is_err(), "an end is more than a state");
    let mut end = ending(run, 0, 1);
    end.end = end.end.map(|end| RunEnd { state: RunState::Running, ..end });
    assert!(append(&*store, end).is_err(), "a run that runs has not ended");
    assert!(store.journal(run).unwrap().is_empty());
}

pub(super) fn unknown_runs_are_told(bench: &Bench<'_>) {
    let store = bench.open();
    for run in [RunRef(0), RunRef(-1), RunRef(77), RunRef(i64::MAX)] {
        assert_eq!(append(&*store, batch(run, 0, 1)), Err(StoreError::UnknownRun { run }));
        assert_eq!(store.journal(run), Err(StoreError::UnknownRun { run }));
    }
}

/// What has made a mess of one program or another.
const ODD: [&str; 12] = [
    "",
    " ",
    "a\0b",
    "'; DROP TABLE runs; --",
    "\"quoted\" \\ and %_*?",
    "line\r\nbreak\u{2028}",
    "Zürich 東京 🚀👩‍👩‍👧",
    "e\u{301} is not é",
    "\u{feff}mark",
    "\u{202e}backwards",
    "\u{10ffff}",
    "NULL",
];

pub(super) fn odd_text_is_kept(bench: &Bench<'_>) {
    let store = bench.open();
    for (number, odd) in ODD.into_iter().enumerate() {
        let odd = odd.to_owned();
        let value = |bytes: &[u8]| Some(Payload { type_name: odd.clone().into(), bytes: bytes.to_vec() });
        let change = StepChange { path: odd.clone(), task: Some(odd.clone().into()), ..change() };
        let with = |bytes: &[u8]| Entry {
            event: odd.clone(),
            value: value(bytes),
            changes: vec![change.clone()],
            ..entry(0)
        };
        let entries = vec![with(odd.as_bytes()), with(b""), with(b"\xff\xfe"), with(b"\0"), with(b"null")];
        let new = NewRun {
            workflow: odd.clone(),
            key: Some(odd.clone()),
            fingerprint: u64::MAX - number as u64,
            params: odd.clone().into_bytes(),
            entries: entries.clone(),
            ..new_run(&format!("{odd}{number}"))
        };
        let run = create(&*store, new.clone());
        let found = store.by_key(&odd).unwrap().unwrap();
        assert_eq!((found.run, &found.id, &found.workflow), (run, &new.id, &odd));
        assert_eq!((found.fingerprint, &found.params), (new.fingerprint, &new.params));
        assert_eq!(store.find(&new.id).unwrap().len(), 1, "{odd:?}");
        let listed = store.list(&RunFilter { workflow: Some(odd.clone()), ..RunFilter::default() });
        assert_eq!(listed.unwrap(), [found]);
        for (stored, entry) in store.journal(run).unwrap().into_iter().zip(entries) {
            assert_eq!((stored.event, stored.value), (entry.event, entry.value), "{odd:?}");
        }
    }
}
