//! The store of a real engine: one SQLite file, owned by one process.
//!
//! A thread of its own owns the connection that writes. It takes everything
//! that is queued, applies it in one transaction, and answers once that is
//! durable (`writer`, `apply`); what a task does to tables of its own is a
//! transaction by itself (`transact`). Reads go over connections of their own
//! and wait for no lock (`reader`). Values that are too large for a row are
//! files beside the database (`values`). `open` refuses what is not fit to be
//! used.

mod apply;
mod check;
mod encode;
mod errors;
mod handle;
mod lock;
mod log;
mod migrate;
mod moved;
mod network;
mod notice;
mod open;
mod reader;
mod rows;
mod space;
mod still;
mod transact;
mod values;
mod visitor;
mod writer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use self::apply::{Append, Ask, Create, Forget, Mark, PutKeys, PutSchedule, Reply, Say};
pub(crate) use self::lock::Ownership;
#[cfg(feature = "app")]
pub(crate) use self::notice::Notice;
use self::reader::Reader;
pub use self::visitor::{Owner, Visitor};
use self::writer::Writer;
use super::{
    Answer, Batch, Created, Done, EachJournal, LogFilter, LogLine, NewRun, Payload, Request, RunFilter,
    RunRef, SealedKey, Store, StoreError, StoredEntry, StoredLine, StoredRequest, StoredRule, StoredRun,
    StoredSchedule, Tick, Transact, Transacted, Trouble, Unfinished,
};
use crate::run::Timestamp;

/// The largest value that is taken. SQLite's own limit is a gigabyte a row,
/// and a row may hold a value, its event and what that changed.
const LIMIT: usize = 256 << 20;

/// A store in one SQLite file.
///
/// The file, with `-wal` and `-shm` beside it while it is open, can be read
/// with the `sqlite3` program at any time. Its views `run_list`, `steps`,
/// `attempts`, `logs` and `request_list` are made for people.
///
/// Values larger than 64 KiB are files in the directory of the same name with
/// `-values` at its end, named by what is in them: those who copy the store
/// copies it too.
///
/// One process owns the file, by a lock on the file itself, which a hard link
/// or a move does not get around. One that finds that the file or its log was
/// moved, removed or replaced under it does nothing more
/// ([`StoreError::Gone`]).
///
/// After a kill the last commits are in `-wal`. A database that was moved, copied
/// or linked without it is refused ([`StoreError::LogElsewhere`]); so a backup is
/// made with `VACUUM INTO` or `sqlite3`'s `.backup`, at any time, or by copying
/// all files while no process has them open. Whoever puts a backup in the place
/// of a database removes that one's `-wal` first: SQLite would apply it to the
/// backup.
///
/// A file that is made is for its user alone (mode 0600), and what is beside
/// it has its mode.
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
#[non_exhaustive]
pub enum Durability {
    /// The end of the process and of the machine: every commit waits for the
    /// disk (`synchronous=FULL`).
    #[default]
    Full,
    /// The end of the process. When the machine loses power, the last commits
    /// may be gone, though never one without those after it
    /// (`synchronous=NORMAL`). Steps that succeeded may run again then. A
    /// value beside the database waits for the disk all the same, since a
    /// commit that survives must not miss its value.
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

    /// Looks for damage in the whole file and in the values beside it, which
    /// takes its time with large ones, and returns what it finds: a line each,
    /// with its place.
    ///
    /// # Errors
    /// When the file cannot even be checked.
    pub fn check(&self) -> Result<Vec<String>, StoreError> {
        check::check(&self.reader)
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
        self.open_owned(Ownership::take(path.as_ref())?)
    }

    /// Opens a store whose file this process has taken already.
    pub(crate) fn open_owned(&self, owned: Ownership) -> Result<Sqlite, StoreError> {
        let path = owned.path().to_owned();
        let opened = open::open(owned, self)?;
        let reader = Reader::new(&path, opened.owned.handle().another());
        Ok(Sqlite { reader, writer: Writer::start(opened)?, path })
    }
}

impl Store for Sqlite {
    fn create(&self, run: NewRun, done: Done<Result<Created, StoreError>>) {
        self.writer.submit(Create::new(run), done);
    }

    fn append(&self, batch: Batch, done: Done<Result<(), StoreError>>) {
        self.writer.submit(Append::new(batch), done);
    }

    fn unfinished_where(
        &self,
        which: Unfinished,
        after: Option<RunRef>,
        at_most: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        self.reader.unfinished(which, after, at_most)
    }

    fn journal(&self, run: RunRef) -> Result<Vec<StoredEntry>, StoreError> {
        self.reader.journal(run)
    }

    fn journals(&self, runs: &[RunRef], each: &mut EachJournal<'_>) {
        self.reader.journals(runs, each);
    }

    fn list(&self, filter: &RunFilter) -> Result<Vec<StoredRun>, StoreError> {
        self.reader.list(filter)
    }

    fn remove_ended_before(&self, time: Timestamp, at_most: usize) -> Result<usize, StoreError> {
        self.writer.remove(time, at_most)
    }

    fn close(&self) {
        self.reader.close();
        self.writer.close();
    }

    fn next_wake(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.reader.next_wake(now)
    }

    fn blueprint(&self, hash: u64) -> Result<Option<String>, StoreError> {
        self.reader.blueprint(hash)
    }

    fn remembered(&self, key: &[u8], now: Timestamp) -> Result<Option<Payload>, StoreError> {
        self.reader.remembered(key, now)
    }

    fn forget(&self, now: Timestamp, at_most: usize) -> Result<usize, StoreError> {
        self.writer.ask(Forget { now, at_most })
    }

    fn request(&self, request: Request) -> Result<i64, StoreError> {
        self.writer.ask(Ask(request))
    }

    fn open_requests(&self) -> Result<Vec<StoredRequest>, StoreError> {
        self.reader.open_requests()
    }

    fn requests(&self, run: Option<&str>, at_most: usize) -> Result<Vec<StoredRequest>, StoreError> {
        self.reader.requests(run, at_most)
    }

    fn answer(&self, number: i64, answer: Answer) -> Result<(), StoreError> {
        self.writer.ask(Reply { number, answer })
    }

    /// The number of the last request: all that another process ever writes.
    fn foreign_writes(&self) -> Result<i64, StoreError> {
        self.writer.check_owned()?;
        self.reader.last_request()
    }

    fn schedules(&self) -> Result<Vec<StoredSchedule>, StoreError> {
        self.reader.schedules()
    }

    fn mark(&self, tick: Tick) -> Result<(), StoreError> {
        self.writer.ask(Mark(tick))
    }

    fn rules(&self) -> Result<Vec<StoredRule>, StoreError> {
        self.reader.rules()
    }

    fn put_schedule(&self, schedule: StoredSchedule, rule: &str) -> Result<(), StoreError> {
        self.writer.ask(PutSchedule(schedule, rule.to_owned()))
    }

    fn keys(&self) -> Result<Vec<SealedKey>, StoreError> {
        self.reader.keys()
    }

    fn was_encrypted(&self) -> Result<bool, StoreError> {
        self.reader.was_encrypted()
    }

    fn put_keys(&self, keys: Vec<SealedKey>) -> Result<(), StoreError> {
        self.writer.ask(PutKeys(keys))
    }

    fn log(&self, lines: Vec<LogLine>, done: Done<Result<(), StoreError>>) {
        self.writer.mention(Say::new(lines), done);
    }

    fn logs(&self, run: RunRef, filter: &LogFilter) -> Result<Vec<StoredLine>, StoreError> {
        self.reader.logs(run, filter)
    }

    fn trouble(&self) -> Option<Trouble> {
        self.writer.trouble()
    }

    fn answers_later(&self) -> bool {
        true
    }

    fn has_transactions(&self) -> bool {
        true
    }

    fn transact(&self, work: Transact, done: Done<Result<Transacted, StoreError>>) {
        self.writer.transact(work, done);
    }

    fn effect(&self, run: RunRef, key: &str) -> Result<Option<Payload>, StoreError> {
        self.reader.effect(run, key)
    }

    fn find(&self, id_or_prefix: &str) -> Result<Vec<StoredRun>, StoreError> {
        self.reader.find(id_or_prefix)
    }

    fn by_key(&self, key: &str) -> Result<Option<StoredRun>, StoreError> {
        self.reader.by_key(key)
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.close();
    }
}
