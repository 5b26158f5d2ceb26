//! The store of a real engine: one SQLite file, owned by one process.
//!
//! A thread of its own owns the connection that writes. It takes everything
//! that is queued, applies it in one transaction, and answers once that is
//! durable (`writer`, `apply`). Reads go over connections of their own and
//! wait for nobody (`reader`). `open` refuses what is not fit to be used.

mod apply;
mod errors;
mod lock;
mod migrate;
mod network;
mod open;
mod reader;
mod rows;
mod writer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use self::apply::{Append, Create, Remove};
use self::reader::Reader;
use self::writer::Writer;
use super::{Batch, Created, Done, NewRun, RunFilter, RunRef, Store, StoreError, StoredEntry, StoredRun};
use crate::run::Timestamp;

/// The largest value that is taken. SQLite's own limit is a gigabyte a row,
/// and a row may hold a value, its event and what that changed.
const LIMIT: usize = 256 << 20;

/// A store in one SQLite file.
///
/// The file, with `-wal` and `-shm` beside it while it is open, can be read
/// with the `sqlite3` program at any time. Its views `run_list`, `steps` and
/// `attempts` are made for people.
///
/// One process owns the file, by a lock on the file of the same name with
/// `.lock` at its end, which stays there.
///
/// ```
/// use workflow_runtime::store::{Sqlite, Store};
///
/// # let directory = std::env::temp_dir().join(format!("workflow-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory).unwrap();
/// # let path = directory.join("runs.db");
/// let store = Sqlite::open(&path)?;
/// assert!(store.unfinished(None, 10)?.is_empty());
/// store.close();
/// # std::fs::remove_dir_all(&directory).unwrap();
/// # Ok::<(), workflow_runtime::store::StoreError>(())
/// ```
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    // Before the writer: SQLite tidies up when the last connection goes, and
    // only one that writes can.
    reader: Reader,
    writer: Writer,
}

/// How a [`Sqlite`] store is opened.
#[derive(Clone, Debug, Default)]
#[must_use = "options do nothing until a store is opened with them"]
pub struct SqliteOptions {
    durability: Durability,
}

/// What a write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process and of the machine: every commit waits for the
    /// disk (`synchronous=FULL`).
    #[default]
    Full,
    /// The end of the process. When the machine loses power, the last commits
    /// may be gone, though never one without those after it
    /// (`synchronous=NORMAL`). Steps that succeeded may run again then.
    Relaxed,
}

impl Sqlite {
    /// Opens a store, and creates it if there is no such file.
    ///
    /// # Errors
    /// When the file is in use, not a store, damaged, written by a newer
    /// version, on a network file system, or cannot be written. It is then
    /// left as it was.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::options().open(path)
    }

    /// Options to open a store with.
    pub fn options() -> SqliteOptions {
        SqliteOptions::default()
    }

    /// Where the store is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Looks for damage in the whole file (`PRAGMA quick_check`), which takes
    /// its time with a large one, and returns what it finds.
    ///
    /// # Errors
    /// When the file cannot even be checked.
    pub fn check(&self) -> Result<Vec<String>, StoreError> {
        self.reader.check()
    }
}

impl SqliteOptions {
    /// What a write survives.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Opens a store: see [`Sqlite::open`].
    ///
    /// # Errors
    /// As there.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Sqlite, StoreError> {
        let opened = open::open(path.as_ref(), self)?;
        let path = opened.path.clone();
        Ok(Sqlite { reader: Reader::new(path.clone()), writer: Writer::start(opened)?, path })
    }
}

impl Store for Sqlite {
    fn create(&self, run: NewRun, done: Done<Result<Created, StoreError>>) {
        self.writer.submit(Create::new(run), done);
    }

    fn append(&self, batch: Batch, done: Done<Result<(), StoreError>>) {
        self.writer.submit(Append::new(batch), done);
    }

    fn unfinished(&self, after: Option<RunRef>, at_most: usize) -> Result<Vec<StoredRun>, StoreError> {
        self.reader.unfinished(after, at_most)
    }

    fn journal(&self, run: RunRef) -> Result<Vec<StoredEntry>, StoreError> {
        self.reader.journal(run)
    }

    fn list(&self, filter: &RunFilter) -> Result<Vec<StoredRun>, StoreError> {
        self.reader.list(filter)
    }

    fn remove_ended_before(&self, time: Timestamp, at_most: usize) -> Result<usize, StoreError> {
        if self.writer.is_this_thread() {
            let message = "the store's own thread cannot wait for the store".to_owned();
            return Err(StoreError::Other { message });
        }
        let (answer, answered) = mpsc::sync_channel(1);
        let done = Box::new(move |removed| drop(answer.send(removed)));
        self.writer.submit(Ok(Remove { before: time, at_most }), done);
        answered.recv().unwrap_or(Err(StoreError::Closed))
    }

    fn close(&self) {
        self.reader.close();
        self.writer.close();
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.close();
    }
}
