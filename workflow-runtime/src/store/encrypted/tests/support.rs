//! What the tests are made of.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use crate::run::{RunState, Timestamp};
use crate::store::encrypted::{Encrypted, Key, KeyRing};
use crate::store::{
    Batch, Created, Done, Entry, Layer, LogFilter, Memory, NewRun, Payload, Remembered, Request, RunEnd,
    RunFilter, RunRef, SealedKey, Store, StoreError, StoredEntry, StoredLine, StoredRequest, StoredRun,
    Unfinished,
};

pub(super) fn key(byte: u8) -> Key {
    Key::from_bytes([byte; 32])
}

/// A ring of the one key that is called after its bytes.
pub(super) fn ring(byte: u8) -> KeyRing {
    KeyRing::new(format!("key {byte}"), key(byte))
}

pub(super) fn open(memory: &Memory, ring: &KeyRing) -> Encrypted<Memory> {
    Encrypted::open(Arc::new(memory.clone()), ring).unwrap()
}

/// A directory that goes with the test.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new(name: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("workflow-encrypted-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        Self(directory.canonicalize().unwrap())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Every file in it, at any depth, with what it holds.
    pub(super) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let (mut files, mut directories) = (Vec::new(), vec![self.0.clone()]);
        while let Some(directory) = directories.pop() {
            for path in std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    directories.push(path);
                } else {
                    files.push((path.clone(), std::fs::read(path).unwrap()));
                }
            }
        }
        files
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// What no store may show.
pub(super) const MARKER: &[u8] = b"the-cat-is-called-Mitzi";

pub(super) fn payload(tail: &str) -> Payload {
    Payload { type_name: "Cat".into(), bytes: [MARKER, tail.as_bytes()].concat() }
}

pub(super) fn entry(seq: u64) -> Entry {
    Entry {
        at: Timestamp(seq),
        event: format!(r#"{{"event":{seq}}}"#),
        value: Some(payload(&seq.to_string())),
        changes: Vec::new(),
    }
}

pub(super) fn stored(seq: u64) -> StoredEntry {
    let Entry { at, event, value, .. } = entry(seq);
    StoredEntry { seq, at, event, value }
}

pub(super) fn new_run(id: &str) -> NewRun {
    NewRun {
        id: id.to_owned(),
        workflow: "nightly".to_owned(),
        key: Some(format!("key of {id}")),
        params: payload("params").bytes,
        entries: vec![entry(0), entry(1)],
        ..NewRun::default()
    }
}

pub(super) fn end() -> RunEnd {
    RunEnd { state: RunState::Succeeded, at: Timestamp(9), result: Some(payload("result")), error: None }
}

pub(super) fn request(run: &str) -> Request {
    let operation = format!(r#"{{"signal":{{"name":"go","value":"{}"}}}}"#, String::from_utf8_lossy(MARKER));
    Request {
        run: Some(run.to_owned()),
        operation,
        actor: "ann".to_owned(),
        reason: Some("why not".to_owned()),
        at: Timestamp(5),
    }
}

pub(super) fn remembered(key: &[u8]) -> Remembered {
    Remembered {
        key: key.to_owned(),
        task: "load".into(),
        value: payload("remembered"),
        until: Timestamp(u64::MAX),
    }
}

pub(super) fn wait<T: Send + 'static>(ask: impl FnOnce(Done<T>)) -> T {
    let (sender, answer) = mpsc::channel();
    ask(Box::new(move |result| drop(sender.send(result))));
    answer.recv().unwrap()
}

pub(super) fn create(store: &dyn Store, new: NewRun) -> RunRef {
    match wait(|done| store.create(new, done)).unwrap() {
        Created::New(run) => run,
        Created::Existing(run) => panic!("there is a run already: {run:?}"),
    }
}

pub(super) fn append(store: &dyn Store, batch: Batch) -> Result<(), StoreError> {
    wait(|done| store.append(batch, done))
}

/// A run with everything: four entries, a result, and a remembered value.
pub(super) fn whole_run(store: &dyn Store, id: &str) -> RunRef {
    let run = create(store, new_run(id));
    let batch = Batch { run, first_seq: 2, entries: vec![entry(2)], ..Batch::default() };
    append(store, Batch { remember: vec![remembered(id.as_bytes())], ..batch }).unwrap();
    let last = Batch { run, first_seq: 3, entries: vec![entry(3)], end: Some(end()), ..Batch::default() };
    append(store, last).unwrap();
    run
}

/// Reads everything of a run, and says whether it is as it was written.
pub(super) fn read_run(store: &dyn Store, id: &str) -> Result<(), StoreError> {
    let found = store.find(id)?.remove(0);
    assert_eq!((&found.params, &found.end), (&new_run(id).params, &Some(end())));
    assert_eq!(store.journal(found.run)?, (0..4).map(stored).collect::<Vec<_>>());
    assert_eq!(store.remembered(id.as_bytes(), Timestamp(0))?, Some(payload("remembered")));
    Ok(())
}

type Hook<T> = Box<dyn Fn(&mut T) + Send + Sync>;

/// A store that somebody tampers with: what it answers goes through the hooks.
pub(super) struct Tampered {
    pub(super) memory: Memory,
    pub(super) run: Hook<StoredRun>,
    pub(super) journal: Hook<Vec<StoredEntry>>,
    pub(super) request: Hook<StoredRequest>,
    pub(super) remembered: Hook<Payload>,
    pub(super) line: Hook<StoredLine>,
    /// Whether keys cannot be written.
    pub(super) read_only: bool,
}

impl Tampered {
    pub(super) fn new(memory: &Memory) -> Self {
        Self {
            memory: memory.clone(),
            run: Box::new(|_| {}),
            journal: Box::new(|_| {}),
            request: Box::new(|_| {}),
            remembered: Box::new(|_| {}),
            line: Box::new(|_| {}),
            read_only: false,
        }
    }

    pub(super) fn open(self, ring: &KeyRing) -> Encrypted<Self> {
        Encrypted::open(Arc::new(self), ring).unwrap()
    }

    fn runs(&self, mut runs: Vec<StoredRun>) -> Vec<StoredRun> {
        runs.iter_mut().for_each(&*self.run);
        runs
    }
}

impl Layer for Tampered {
    fn below(&self) -> &dyn Store {
        &self.memory
    }

    fn unfinished_where(
        &self,
        which: Unfinished,
        after: Option<RunRef>,
        at_most: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        Ok(self.runs(self.memory.unfinished_where(which, after, at_most)?))
    }

    fn journal(&self, run: RunRef) -> Result<Vec<StoredEntry>, StoreError> {
        let mut entries = self.memory.journal(run)?;
        (self.journal)(&mut entries);
        Ok(entries)
    }

    fn list(&self, filter: &RunFilter) -> Result<Vec<StoredRun>, StoreError> {
        Ok(self.runs(self.memory.list(filter)?))
    }

    fn remembered(&self, key: &[u8], now: Timestamp) -> Result<Option<Payload>, StoreError> {
        let mut found = self.memory.remembered(key, now)?;
        found.iter_mut().for_each(&*self.remembered);
        Ok(found)
    }

    fn open_requests(&self) -> Result<Vec<StoredRequest>, StoreError> {
        let mut found = self.memory.open_requests()?;
        found.iter_mut().for_each(&*self.request);
        Ok(found)
    }

    fn put_keys(&self, keys: Vec<SealedKey>) -> Result<(), StoreError> {
        if self.read_only {
            return Err(StoreError::Closed);
        }
        self.memory.put_keys(keys)
    }

    fn logs(&self, run: RunRef, filter: &LogFilter) -> Result<Vec<StoredLine>, StoreError> {
        let mut lines = self.memory.logs(run, filter)?;
        lines.iter_mut().for_each(&*self.line);
        Ok(lines)
    }

    fn find(&self, id_or_prefix: &str) -> Result<Vec<StoredRun>, StoreError> {
        Ok(self.runs(self.memory.find(id_or_prefix)?))
    }

    fn by_key(&self, key: &str) -> Result<Option<StoredRun>, StoreError> {
        Ok(self.runs(self.memory.by_key(key)?.into_iter().collect()).pop())
    }
}
