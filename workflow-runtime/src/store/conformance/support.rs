//! What the checks are made of.

use std::sync::mpsc;
use std::time::Duration;

use crate::failure::{Cause, Failure, StepError};
use crate::run::{RunState, StepState, Timestamp, Wait};
use crate::store::{
    Batch, Created, Done, Entry, LogLevel, LogLine, NewRun, Payload, RunEnd, RunRef, StepChange, Store,
    StoreError, StoredEntry, StoredRun,
};

/// How long a check waits for an answer before it says that none came.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn at(second: u64) -> Timestamp {
    Timestamp(1_700_000_000_000_000_000).after(Duration::from_secs(second))
}

pub(super) fn new_run(id: &str) -> NewRun {
    NewRun {
        id: id.to_owned(),
        workflow: "sum".to_owned(),
        key: None,
        fingerprint: 0xfedc_ba98_7654_3210,
        params: br#"[1,"two"]"#.to_vec(),
        created_at: at(0),
        ..NewRun::default()
    }
}

pub(super) fn change() -> StepChange {
    StepChange {
        path: "load[3]".to_owned(),
        task: Some("load".into()),
        state: StepState::Waiting(Wait::Backoff { until: at(60) }),
        attempt: 2,
        failure: Some(failure()),
    }
}

pub(super) fn failure() -> Failure {
    Failure { cause: Cause::Timeout, messages: vec!["too slow".to_owned(), "no answer".to_owned()] }
}

/// A line that is told from the others.
pub(super) fn line(run: RunRef, path: &str, attempt: u32, seq: u64) -> LogLine {
    let (at, level) = (at(seq), LogLevel::Info);
    let text = format!("shop: \u{1f4e6} number {seq}\nand more").into_bytes();
    LogLine { run, path: path.into(), attempt, undo: false, seq, at, level, text }
}

pub(super) fn log(store: &dyn Store, lines: Vec<LogLine>) -> Result<(), StoreError> {
    wait(|done| store.log(lines, done))
}

pub(super) fn step_error() -> StepError {
    StepError::new("load[3]".to_owned(), 2, failure())
}

/// An entry that is told from the others; every third brings a value.
pub(super) fn entry(seq: u64) -> Entry {
    let bytes = format!("{{\"number\":{seq}}}").into_bytes();
    let value = seq.is_multiple_of(3).then(|| Payload { type_name: "Numbered".into(), bytes });
    Entry { at: at(seq), event: format!("{{\"event\":{seq}}}"), value, changes: vec![change()] }
}

pub(super) fn stored(seq: u64) -> StoredEntry {
    let Entry { at, event, value, changes: _ } = entry(seq);
    StoredEntry { seq, at, event, value }
}

pub(super) fn batch(run: RunRef, first_seq: u64, size: u64) -> Batch {
    let entries = (0..size).map(|number| entry(first_seq.saturating_add(number))).collect();
    Batch { run, first_seq, entries, ..Batch::default() }
}

pub(super) fn ending(run: RunRef, first_seq: u64, size: u64) -> Batch {
    let result = Some(Payload { type_name: "u64".into(), bytes: b"42".to_vec() });
    let end = RunEnd { state: RunState::Succeeded, at: at(first_seq + size), result, error: None };
    Batch { end: Some(end), ..batch(run, first_seq, size) }
}

pub(super) fn wait<T: Send + 'static>(ask: impl FnOnce(Done<T>)) -> T {
    let (sender, answer) = mpsc::channel();
    ask(Box::new(move |result| drop(sender.send(result))));
    answer.recv_timeout(PATIENCE).expect("a write was not answered")
}

pub(super) fn try_create(store: &dyn Store, run: NewRun) -> Result<Created, StoreError> {
    wait(|done| store.create(run, done))
}

pub(super) fn create(store: &dyn Store, run: NewRun) -> RunRef {
    match try_create(store, run).unwrap() {
        Created::New(run) => run,
        Created::Existing(run) => panic!("there is a run already: {run:?}"),
    }
}

pub(super) fn existing(store: &dyn Store, run: NewRun) -> StoredRun {
    match try_create(store, run).unwrap() {
        Created::Existing(run) => *run,
        Created::New(run) => panic!("a second run was created: {run:?}"),
    }
}

pub(super) fn append(store: &dyn Store, batch: Batch) -> Result<(), StoreError> {
    wait(|done| store.append(batch, done))
}

pub(super) fn only(store: &dyn Store, id: &str) -> StoredRun {
    let mut found = store.find(id).unwrap();
    assert_eq!(found.len(), 1, "one run is found by `{id}`");
    found.remove(0)
}

pub(super) fn ids(runs: Vec<StoredRun>) -> Vec<String> {
    runs.into_iter().map(|run| run.id).collect()
}

/// Bytes that no store makes small, and that are told from others by `seed`.
pub(super) fn noise(seed: u32, size: usize) -> Vec<u8> {
    let byte = |number: usize| (number as u32 ^ seed).wrapping_mul(2_654_435_761) >> 24;
    (0..size).map(|number| byte(number) as u8).collect()
}

pub(super) fn payload(bytes: &[u8]) -> Payload {
    Payload { type_name: "Noise".into(), bytes: bytes.to_vec() }
}
