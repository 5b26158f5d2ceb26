//! What the tests are made of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use crate::run::{RunState, StepState, Timestamp};
use crate::store::{Batch, Created, Done, Entry, NewRun, Payload, RunRef, StepChange, Store, StoreError};

/// A directory that goes with the test.
pub(in crate::store::sqlite) struct Scratch(PathBuf);

impl Scratch {
    pub(in crate::store::sqlite) fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("workflow-store-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        Self(directory.canonicalize().unwrap())
    }

    pub(in crate::store::sqlite) fn directory(&self) -> &Path {
        &self.0
    }

    pub(in crate::store::sqlite) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Every file in it, with what it holds.
    pub(in crate::store::sqlite) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let files = std::fs::read_dir(&self.0).unwrap().map(|file| file.unwrap().path());
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        files.filter(|path| path.is_file()).map(|path| (name(&path), std::fs::read(&path).unwrap())).collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Numbers that are the same in every test run.
pub(in crate::store::sqlite) struct Random(pub(super) u64);

impl Random {
    pub(in crate::store::sqlite) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

pub(in crate::store::sqlite) fn at(second: u64) -> Timestamp {
    Timestamp((1_700_000_000 + second) * 1_000_000_000)
}

pub(in crate::store::sqlite) fn new_run(id: &str) -> NewRun {
    NewRun {
        id: id.to_owned(),
        workflow: "nightly".to_owned(),
        key: None,
        fingerprint: 7,
        params: b"[]".to_vec(),
        created_at: at(0),
        state: RunState::Running,
        ..NewRun::default()
    }
}

pub(in crate::store::sqlite) fn change(path: &str, state: StepState, attempt: u32) -> StepChange {
    StepChange { path: path.to_owned(), task: Some("load".into()), state, attempt, failure: None }
}

/// One step ends, the next one begins: the commit of a sequence.
pub(in crate::store::sqlite) fn batch(run: RunRef, seq: u64) -> Batch {
    let ended = change("load[17]", StepState::Succeeded { cached: false }, 1);
    let changes = vec![ended, change("sum", StepState::Running, 1)];
    let bytes = br#"{"id":17,"name":"value of a step"}"#.to_vec();
    let value = Some(Payload { type_name: "my_crate::Value".into(), bytes });
    let event = r#"{"attempt_ended":{"key":[0,0,17],"epoch":17,"end":"ok","roll":0.4711}}"#.to_owned();
    let entries = vec![Entry { at: at(seq), event, value, changes }];
    Batch { run, first_seq: seq, entries, ..Batch::default() }
}

pub(in crate::store::sqlite) fn wait<T: Send + 'static>(ask: impl FnOnce(Done<T>)) -> T {
    let (sender, answer) = mpsc::sync_channel(1);
    ask(Box::new(move |result| drop(sender.send(result))));
    answer.recv().unwrap()
}

/// Creates a run, or finds it.
pub(in crate::store::sqlite) fn create(store: &dyn Store, id: &str) -> RunRef {
    match wait(|done| store.create(new_run(id), done)).unwrap() {
        Created::New(run) => run,
        Created::Existing(run) => run.run,
    }
}

pub(in crate::store::sqlite) fn append(store: &dyn Store, batch: Batch) -> Result<(), StoreError> {
    wait(|done| store.append(batch, done))
}
