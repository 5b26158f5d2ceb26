//! What a task does to tables of its own: a transaction by itself, on the
//! thread that writes, with a note that it is done.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, OptionalExtension, params};

use super::apply::Tables;
use super::encode::{columns, fits_payload, keep};
use super::errors::sqlite_error;
use super::rows;
use super::values::Name;
use crate::store::{Done, Payload, StoreError, Transact, Transacted};
use crate::task::transaction;

/// Something to transact and the caller that waits for it.
pub(super) struct Transacting {
    work: Option<Transact>,
    /// `None` once called.
    done: Option<Done<Result<Transacted, StoreError>>>,
}

impl Transacting {
    pub(super) fn new(work: Transact, done: Done<Result<Transacted, StoreError>>) -> Self {
        Self { work: Some(work), done: Some(done) }
    }

    /// Names what is done, until that has begun.
    pub(super) fn key(&self) -> Option<&str> {
        self.work.as_ref().map(|work| &*work.key)
    }

    /// Does it and answers, unless it meets a fault that may pass; then it is
    /// given back.
    pub(super) fn perform(
        mut self,
        tables: &mut Tables<'_>,
        connection: &Rc<Connection>,
        guard: &Guard,
    ) -> Option<Untransacted> {
        let result = transact(tables, connection, guard, &mut self.work);
        match result {
            Err(error) if error.is_passing() => {
                let begun = self.work.is_none();
                Some(Untransacted { transacting: self, error, begun })
            }
            result => {
                self.finish(result);
                None
            }
        }
    }

    /// It is not done.
    pub(super) fn fail(mut self, error: StoreError) {
        self.finish(Err(error));
    }

    fn finish(&mut self, result: Result<Transacted, StoreError>) {
        let Some(done) = self.done.take() else { return };
        // A caller's panic must not take the store with it.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| done(result))).is_err() {
            tracing::error!("what heard the outcome of a transaction panicked");
        }
    }
}

/// What could not be done just now.
pub(super) struct Untransacted {
    pub(super) transacting: Transacting,
    pub(super) error: StoreError,
    /// Whether the task was called, which it is only once. What it did is
    /// undone.
    pub(super) begun: bool,
}

/// Everyone who asked is answered, also when the store is closed meanwhile.
impl Drop for Transacting {
    fn drop(&mut self) {
        self.finish(Err(StoreError::Closed));
    }
}

/// Keeps a task from ending the transaction that it is lent.
#[derive(Clone, Default)]
pub(super) struct Guard(Arc<Guarded>);

#[derive(Default)]
struct Guarded {
    /// Whether a task has the connection.
    lent: AtomicBool,
    /// Whether the transaction has ended since.
    ended: AtomicBool,
}

impl Guard {
    /// Watches a connection from now on.
    pub(super) fn watch(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        connection.progress_handler(transaction::STEPS, Some(transaction::is_to_stop))?;
        let guarded = self.0.clone();
        // Once it has ended a transaction, whatever the task writes would be
        // committed by itself: true makes a rollback of every commit.
        connection.commit_hook(Some(move || guarded.lent.load(Ordering::Relaxed)))?;
        let guarded = self.0.clone();
        connection.rollback_hook(Some(move || {
            if guarded.lent.load(Ordering::Relaxed) {
                guarded.ended.store(true, Ordering::Relaxed);
            }
        }))
    }

    /// What `work` gives back, and whether the transaction is over.
    fn lend<T>(&self, connection: &Rc<Connection>, work: impl FnOnce() -> T) -> (T, bool) {
        self.0.ended.store(false, Ordering::Relaxed);
        self.0.lent.store(true, Ordering::Relaxed);
        let result = transaction::lend(connection, work);
        self.0.lent.store(false, Ordering::Relaxed);
        (result, self.0.ended.load(Ordering::Relaxed) || connection.is_autocommit())
    }
}

fn transact(
    tables: &mut Tables<'_>,
    connection: &Rc<Connection>,
    guard: &Guard,
    work: &mut Option<Transact>,
) -> Result<Transacted, StoreError> {
    // Which the lines that were written before it did not.
    tables.wait_for_disk(true)?;
    let begun = connection.execute_batch("BEGIN IMMEDIATE");
    begun.map_err(|error| sqlite_error(tables.path(), &error))?;
    let result = within(tables, connection, guard, work);
    if matches!(result, Ok(Transacted::Done)) {
        tables.committed(true);
        return result;
    }
    // After some errors SQLite has rolled back by itself.
    if !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "the store could not roll back");
    }
    tables.rolled_back();
    result
}

fn within(
    tables: &mut Tables<'_>,
    connection: &Rc<Connection>,
    guard: &Guard,
    work: &mut Option<Transact>,
) -> Result<Transacted, StoreError> {
    let before = work.as_ref().map(|work| find(tables, &work.key)).transpose()?.flatten();
    if let Some(before) = before {
        return Ok(Transacted::Before(before));
    }
    let Some(Transact { run, key, work }) = work.take() else { return Err(StoreError::Closed) };
    let work = || std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(None);
    let (given, ended) = guard.lend(connection, work);
    let Some(given) = given else { return Ok(Transacted::Nothing) };
    if ended {
        return Ok(Transacted::Ended);
    }
    fits_payload(Some(&given))?;
    let file = Name::of_large(Some(&given));
    keep(file.as_ref(), Some(&given), &mut tables.values)?;
    let (value, value_type, value_file) = columns(Some(&given), file.as_ref());
    let sql = "INSERT INTO effects (run, key, value, value_type, value_file) VALUES (?1, ?2, ?3, ?4, ?5)";
    let noted = connection.execute(sql, params![run.0, key, value, value_type, value_file]);
    let committed = noted.and_then(|_| connection.execute_batch("COMMIT"));
    committed
        .inspect_err(|error| tables.doubt(error))
        .map_err(|error| sqlite_error(tables.path(), &error))?;
    Ok(Transacted::Done)
}

fn find(tables: &Tables<'_>, key: &str) -> Result<Option<Payload>, StoreError> {
    let sql = format!("SELECT {} FROM effects WHERE key = ?1", rows::EFFECT_COLUMNS);
    let read = |row: &rusqlite::Row<'_>| Ok(rows::effect(&tables.values, row));
    let found = tables.conn.query_row(&sql, [key], read).optional();
    found.map_err(|error| sqlite_error(tables.path(), &error))?.transpose()
}
