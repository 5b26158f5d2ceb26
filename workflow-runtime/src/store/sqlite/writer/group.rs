//! Writes that share a transaction, and so the wait for the disk.

use super::job::Job;
use super::late::{Late, What};
use crate::store::StoreError;
use crate::store::sqlite::apply::Tables;
use crate::store::sqlite::errors::sqlite_error;

/// Makes a group durable and answers it. What meets a fault that may pass is
/// left to `late`.
pub(super) fn commit(tables: &mut Tables<'_>, group: &mut Vec<Box<dyn Job>>, late: &mut Late) {
    if late.is_stalled() {
        return group.drain(..).for_each(|job| late.put_behind(What::Job(job)));
    }
    keep(tables, group, late);
    if group.is_empty() {
        return;
    }
    match transact(tables, group, true) {
        Ok(()) => {
            late.well();
            group.drain(..).for_each(|job| job.answer(Ok(())));
        }
        // One of them may be to blame: each gets its own transaction, in order.
        // (Savepoints would spare this, at a quarter of the throughput.)
        Err(Failed::Write(_)) if group.len() > 1 => singly(tables, group, late),
        Err(failed) => {
            let error = failed.into_error();
            if error.is_passing() {
                late.failed(&error);
                return group.drain(..).for_each(|job| late.put_behind(What::Job(job)));
            }
            tracing::warn!(%error, writes = group.len(), "the store could not commit");
            group.drain(..).for_each(|job| job.answer(Err(error.clone())));
        }
    }
}

/// Gives each write its own transaction, in order.
fn singly(tables: &mut Tables<'_>, group: &mut Vec<Box<dyn Job>>, late: &mut Late) {
    for mut job in group.drain(..) {
        if late.is_stalled() || late.holds(job.run()) {
            late.put_behind(What::Job(job));
            continue;
        }
        match write(tables, std::slice::from_mut(&mut job)).map_err(Failed::into_error) {
            Err(error) if error.is_passing() => late.put(What::Job(job), &error),
            written => {
                if written.is_ok() {
                    late.well();
                }
                job.answer(written);
            }
        }
    }
}

/// Writes what a group keeps beside the database. Not earlier: the write before
/// it may have removed such a file. What has no room there waits by itself,
/// with what follows it in its run.
fn keep(tables: &mut Tables<'_>, group: &mut Vec<Box<dyn Job>>, late: &mut Late) {
    let mut place = 0;
    while let Some(job) = group.get_mut(place) {
        if late.holds(job.run()) {
            late.put_behind(What::Job(group.remove(place)));
        } else if let Err(error) = job.keep(&mut tables.values) {
            late.put(What::Job(group.remove(place)), &error);
        } else {
            place += 1;
        }
    }
}

/// Makes a group durable, with what it keeps beside the database.
pub(super) fn write(tables: &mut Tables<'_>, jobs: &mut [Box<dyn Job>]) -> Result<(), Failed> {
    jobs.iter_mut().try_for_each(|job| job.keep(&mut tables.values)).map_err(Failed::Commit)?;
    transact(tables, jobs, true)
}

/// The same, but for the wait for the disk.
pub(super) fn write_relaxed(tables: &mut Tables<'_>, jobs: &mut [Box<dyn Job>]) -> Result<(), Failed> {
    transact(tables, jobs, false)
}

/// Writes what no caller waits for. Where that meets a fault that may pass, it
/// stays in `lines`.
pub(super) fn say(tables: &mut Tables<'_>, lines: &mut Vec<Box<dyn Job>>, late: &mut Late) {
    match transact(tables, lines, false).map_err(Failed::into_error) {
        Err(error) if error.is_passing() => late.failed(&error),
        // One of them may be to blame.
        Err(_) if lines.len() > 1 => {
            for mut job in lines.drain(..) {
                let committed = transact(tables, std::slice::from_mut(&mut job), false);
                job.answer(committed.map_err(Failed::into_error));
            }
        }
        committed => {
            if committed.is_ok() {
                late.well();
            }
            lines.drain(..).for_each(|job| job.answer(committed.clone()));
        }
    }
}

/// Writes what is there already, to see whether that can be done.
pub(super) fn probe(tables: &mut Tables<'_>) -> Result<(), StoreError> {
    tables.wait_for_disk(true)?;
    let version = tables.conn.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
    let written = version.and_then(|version| tables.conn.pragma_update(None, "user_version", version));
    written.map_err(|error| sqlite_error(tables.path(), &error))?;
    tables.committed(true);
    Ok(())
}

pub(super) enum Failed {
    /// A statement did.
    Write(StoreError),
    /// The transaction as a whole did.
    Commit(StoreError),
}

impl Failed {
    pub(super) fn into_error(self) -> StoreError {
        match self {
            Failed::Write(error) | Failed::Commit(error) => error,
        }
    }
}

fn transact(tables: &mut Tables<'_>, jobs: &mut [Box<dyn Job>], durable: bool) -> Result<(), Failed> {
    if jobs.is_empty() {
        return Ok(());
    }
    let result = attempt(tables, jobs, durable);
    match &result {
        Ok(()) => tables.committed(durable),
        Err(_) => {
            // After some errors SQLite has rolled back by itself.
            if !tables.conn.is_autocommit()
                && let Err(error) = tables.conn.execute_batch("ROLLBACK")
            {
                tracing::error!(%error, "the store could not roll back");
            }
            tables.rolled_back();
        }
    }
    result
}

fn attempt(tables: &mut Tables<'_>, jobs: &mut [Box<dyn Job>], durable: bool) -> Result<(), Failed> {
    let conn = tables.conn;
    tables.wait_for_disk(durable).map_err(Failed::Commit)?;
    let begun = conn.execute_batch("BEGIN IMMEDIATE");
    begun.map_err(|error| Failed::Commit(sqlite_error(tables.path(), &error)))?;
    for job in jobs {
        job.apply(tables).map_err(Failed::Write)?;
    }
    conn.execute_batch("COMMIT").map_err(|error| {
        tables.doubt(&error);
        Failed::Commit(sqlite_error(tables.path(), &error))
    })
}
