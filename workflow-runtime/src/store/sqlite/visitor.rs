//! Another process's look at a store.

use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::apply::{WITHDRAWN, answer_request, insert_request};
use super::errors::{io_error, sqlite_error};
use super::handle::Handle;
use super::lock::is_owner_s_name;
use super::migrate;
use super::moved;
use super::network::network_file_system;
#[cfg(feature = "app")]
use super::notice::{self, Notice};
use super::open::{recognise, resolve, set};
use super::reader::Reader;
use crate::run::Timestamp;
use crate::store::{
    Answer, LogFilter, Request, RunFilter, RunRef, SealedKey, StoreError, StoredEntry, StoredLine,
    StoredRequest, StoredRun, StoredSchedule, Unfinished,
};

/// How often a request tries to get the database for itself, a millisecond
/// apart. An owner at full speed lets go of it for a moment between any two
/// commits, and a request that looks seldom, as SQLite's own timeout does,
/// misses them all.
const TRIES: i32 = 10_000;

/// How long an owner may take from having the file to having its log, in
/// milliseconds.
const BEGINNING: u32 = 5_000;

/// A look at a store that this process does not own: another one has it open
/// right now, or none has.
///
/// A visitor owns nothing and keeps no process out. It reads everything, and
/// writes one thing: requests, which the owner sees to, and which it may take
/// back.
///
/// ```
/// use workflow_runtime::run::Timestamp;
/// use workflow_runtime::store::{Request, RunFilter, Sqlite, Store, Visitor};
///
/// # let directory = std::env::temp_dir().join(format!("workflow-visit-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory).unwrap();
/// # let path = directory.join("runs.db");
/// let store = Sqlite::open(&path)?;
///
/// let visitor = Visitor::open(&path)?;
/// assert!(visitor.owner()?.is_some());
/// assert!(visitor.list(&RunFilter::default())?.is_empty());
/// let number = visitor.request(Request {
///     run: Some("0199d4f1-6f0e-7000-8000-000000000000".to_owned()),
///     operation: "\"cancel\"".to_owned(),
///     actor: "ada".to_owned(),
///     reason: None,
///     at: Timestamp(1_790_000_000_000_000_000),
/// })?;
/// assert_eq!(store.open_requests()?[0].number, number);
/// # drop(visitor);
/// # store.close();
/// # std::fs::remove_dir_all(&directory).unwrap();
/// # Ok::<(), workflow_runtime::store::StoreError>(())
/// ```
#[derive(Debug)]
pub struct Visitor {
    reader: Reader,
}

/// The process that has a store open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Owner {
    /// Its number, where that is known.
    pub pid: Option<u32>,
}

impl Visitor {
    /// Looks at a store. It is not created, and not brought up to date.
    ///
    /// # Errors
    /// When there is no such file, when it is no store, of another version of
    /// the schema than this library's, on a network file system, or cannot be
    /// read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = resolve(path.as_ref())?;
        if !path.exists() {
            let message = "there is no such file; start the program that creates it".to_owned();
            return Err(StoreError::Io { path, message });
        }
        if let Some(file_system) = network_file_system(path.parent().unwrap_or(&path)) {
            return Err(StoreError::NetworkFileSystem { path, file_system });
        }
        let handle = Handle::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => {
                let message = format!("this user may not read it: {error}");
                StoreError::Io { path: path.clone(), message }
            }
            _ => io_error(&path, &error),
        })?;
        moved::check_links(&path, &handle)?;
        let reader = Reader::new(&path, handle).leaving_out_what_is_lost();
        reader.with(|conn| {
            suits(reader.path(), conn)?;
            moved::check(reader.path(), reader.handle(), conn)
        })?;
        Ok(Self { reader })
    }

    /// Where the store is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.reader.path()
    }

    /// The process that has the store open, if there is one: it will see to
    /// requests.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub fn owner(&self) -> Result<Option<Owner>, StoreError> {
        Ok(self.is_owned()?.then(|| Owner { pid: self.reader.handle().owner() }))
    }

    /// Whether some process has the store open, as [`owner`](Self::owner) says,
    /// for callers that need not know which.
    ///
    /// # Errors
    /// As there.
    pub fn is_owned(&self) -> Result<bool, StoreError> {
        self.reader.handle().is_owned().map_err(|error| io_error(self.path(), &error))
    }

    /// What keeps the owner from writing the store just now, in its own words.
    #[cfg(feature = "app")]
    pub(crate) fn notice(&self) -> Result<Option<Notice>, StoreError> {
        match notice::read(self.path()) {
            // Only what the owner says counts.
            Some(notice) => Ok(self.is_owned()?.then_some(notice)),
            None => Ok(None),
        }
    }

    /// Notes what an operator wants, and returns its number. It is durable
    /// then, and seen to by the owner, or by the next one.
    ///
    /// # Errors
    /// When the store cannot be written, or has become one of another version.
    pub fn request(&self, request: Request) -> Result<i64, StoreError> {
        self.is_written_where_it_is_read()?;
        self.write(|tx| insert_request(tx, &request))
    }

    /// Takes a request back that the owner has not seen to: it is not done any
    /// more, at least where it would start a run. What became of it where the
    /// owner was quicker.
    ///
    /// # Errors
    /// As for [`Self::request`].
    pub fn withdraw(&self, number: i64, at: Timestamp) -> Result<Option<Answer>, StoreError> {
        let withdrawn = Answer { at, result: Err(WITHDRAWN.to_owned()) };
        let is_withdrawn = self.write(|tx| answer_request(tx, number, &withdrawn))?;
        if is_withdrawn { Ok(None) } else { self.answer_to(number) }
    }

    fn write<T>(&self, write: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let path = self.path();
        let failed = |error| sqlite_error(path, &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut conn = Connection::open_with_flags(path, flags).map_err(failed)?;
        conn.busy_handler(Some(try_again)).map_err(failed)?;
        set(path, &conn, "synchronous", "full", "2")?;
        set(path, &conn, "fullfsync", "1", "1")?;
        set(path, &conn, "trusted_schema", "0", "0")?;
        // The log is the owner's to clear.
        set(path, &conn, "wal_autocheckpoint", "0", "0")?;
        let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate);
        let tx = tx.map_err(failed)?;
        suits(path, &tx)?;
        let written = write(&tx).map_err(failed)?;
        tx.commit().map_err(failed)?;
        Ok(written)
    }

    /// What stands in another name's log is not seen by the owner, and spoils
    /// what that one writes.
    fn is_written_where_it_is_read(&self) -> Result<(), StoreError> {
        let path = self.path();
        let failed = |error| io_error(path, &error);
        for _ in 0..BEGINNING {
            if !self.reader.handle().is_at(path) {
                let what = "it was moved, removed or replaced".to_owned();
                return Err(StoreError::Gone { path: path.to_owned(), what });
            }
            if !self.is_owned()? || is_owner_s_name(path).map_err(failed)? {
                return Ok(());
            }
            // It may have only just begun.
            std::thread::sleep(Duration::from_millis(1));
        }
        let what = "the process that has it open does so under another name".to_owned();
        Err(StoreError::Gone { path: path.to_owned(), what })
    }

    /// What became of a request; `None` as long as the owner has not seen to
    /// it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn answer_to(&self, number: i64) -> Result<Option<Answer>, StoreError> {
        Ok(self.reader.request(number)?.and_then(|request| request.answer))
    }

    /// As [`Store::unfinished`](crate::store::Store::unfinished).
    ///
    /// # Errors
    /// As there.
    pub fn unfinished(&self, after: Option<RunRef>, at_most: usize) -> Result<Vec<StoredRun>, StoreError> {
        self.reader.unfinished(Unfinished::All, after, at_most)
    }

    /// As [`Store::list`](crate::store::Store::list).
    ///
    /// # Errors
    /// As there.
    pub fn list(&self, filter: &RunFilter) -> Result<Vec<StoredRun>, StoreError> {
        self.reader.list(filter)
    }

    /// How many runs a filter lets through, counted up to its `at_most`.
    #[cfg(feature = "serve")]
    pub(crate) fn count(&self, filter: &RunFilter) -> Result<usize, StoreError> {
        self.reader.count(filter)
    }

    /// As [`Store::find`](crate::store::Store::find).
    ///
    /// # Errors
    /// As there.
    pub fn find(&self, id_or_prefix: &str) -> Result<Vec<StoredRun>, StoreError> {
        self.reader.find(id_or_prefix)
    }

    /// As [`Store::by_key`](crate::store::Store::by_key).
    ///
    /// # Errors
    /// As there.
    pub fn by_key(&self, key: &str) -> Result<Option<StoredRun>, StoreError> {
        self.reader.by_key(key)
    }

    /// As [`Store::journal`](crate::store::Store::journal).
    ///
    /// # Errors
    /// As there.
    pub fn journal(&self, run: RunRef) -> Result<Vec<StoredEntry>, StoreError> {
        self.reader.journal(run)
    }

    /// The entries of a run's journal one after the other, without their
    /// values: of each, only whether it has one is told. Until `each` is false.
    #[cfg(feature = "app")]
    pub(crate) fn each_event(
        &self,
        run: RunRef,
        each: &mut dyn FnMut(StoredEntry) -> bool,
    ) -> Result<(), StoreError> {
        self.reader.each_event(run, each)
    }

    /// The events of a run's journal that have a word in them.
    #[cfg(feature = "app")]
    pub(crate) fn events_with(&self, run: RunRef, word: &str) -> Result<Vec<String>, StoreError> {
        self.reader.events_with(run, word)
    }

    /// What is missing of a run's values: those too large for a row are files
    /// beside the database, and one that is not there, or not what it was, is
    /// left out of what is read here. Each is a [`StoreError::Value`], which
    /// says whose it is and which file.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn lost(&self, run: RunRef) -> Result<Vec<StoreError>, StoreError> {
        self.reader.lost(run)
    }

    /// As [`Store::blueprint`](crate::store::Store::blueprint).
    ///
    /// # Errors
    /// As there.
    pub fn blueprint(&self, hash: u64) -> Result<Option<String>, StoreError> {
        self.reader.blueprint(hash)
    }

    /// As [`Store::requests`](crate::store::Store::requests).
    ///
    /// # Errors
    /// As there.
    pub fn requests(&self, run: Option<&str>, at_most: usize) -> Result<Vec<StoredRequest>, StoreError> {
        self.reader.requests(run, at_most)
    }

    /// As [`Store::open_requests`](crate::store::Store::open_requests).
    ///
    /// # Errors
    /// As there.
    pub fn open_requests(&self) -> Result<Vec<StoredRequest>, StoreError> {
        self.reader.open_requests()
    }

    /// As [`Store::schedules`](crate::store::Store::schedules).
    ///
    /// # Errors
    /// As there.
    pub fn schedules(&self) -> Result<Vec<StoredSchedule>, StoreError> {
        self.reader.schedules()
    }

    /// As [`Store::logs`](crate::store::Store::logs).
    ///
    /// # Errors
    /// As there.
    pub fn logs(&self, run: RunRef, filter: &LogFilter) -> Result<Vec<StoredLine>, StoreError> {
        self.reader.logs(run, filter)
    }

    /// As [`Store::was_encrypted`](crate::store::Store::was_encrypted).
    ///
    /// # Errors
    /// As there.
    pub fn was_encrypted(&self) -> Result<bool, StoreError> {
        self.reader.was_encrypted()
    }

    /// What the transactions of tasks gave back, with the run and the key that
    /// each was done under.
    #[cfg(feature = "app")]
    pub(crate) fn effects(&self) -> Result<Vec<(RunRef, String, crate::value::Payload)>, StoreError> {
        self.reader.effects()
    }

    /// Every remembered result, with what it is the result of.
    #[cfg(feature = "app")]
    pub(crate) fn all_remembered(&self) -> Result<Vec<(Vec<u8>, crate::value::Payload)>, StoreError> {
        self.reader.all_remembered()
    }

    /// As [`Store::keys`](crate::store::Store::keys).
    ///
    /// # Errors
    /// As there.
    pub fn keys(&self) -> Result<Vec<SealedKey>, StoreError> {
        self.reader.keys()
    }
}

/// Whether it is a store of today's version: a visitor changes no schema.
fn suits(path: &Path, conn: &Connection) -> Result<(), StoreError> {
    recognise(path, conn)?;
    let found = migrate::version(conn).map_err(|error| sqlite_error(path, &error))?;
    let (path, needed) = (path.to_owned(), migrate::latest());
    match found {
        0 => Err(StoreError::Empty { path }),
        _ if found < needed => Err(StoreError::OlderSchema { path, found, needed }),
        _ => Ok(()),
    }
}

fn try_again(tries: i32) -> bool {
    std::thread::sleep(Duration::from_millis(1));
    tries < TRIES
}
