//! What each kind of write does within the transaction of its group.

mod append;
mod create;
mod disk;
mod log;
mod operate;
mod remove;

pub(super) use append::Append;
pub(super) use create::Create;
pub(super) use log::Say;
pub(super) use operate::{
    Ask, Forget, Mark, PutKeys, PutSchedule, Reply, WITHDRAWN, answer_request, insert_request,
};
pub(super) use remove::{Detach, Remove, RemoveRest, Removed, is_next_large};

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use self::disk::Disk;
use rusqlite::{Connection, OptionalExtension, Row, Statement, params};

use super::encode::{Prepared, columns, time};
use super::errors::sqlite_error;
use super::lock::Watch;
use super::rows;
use super::values::{Name, Values};
use crate::store::{RunRef, StoreError, StoredRun, Tick};

/// For how many runs the end of the journal is remembered. Of the others it
/// is looked up.
const CURSORS: usize = 65_536;

/// How many values are removed together with the commit that needs them no
/// more.
const AT_ONCE: usize = 16;

/// Why a write did not happen.
pub(super) enum WriteFailure {
    /// Nothing was written of it; the rest of its group goes on.
    Refused(StoreError),
    /// It may be half written.
    Failed(StoreError),
}

/// One write. It may be applied twice: again, alone, when its group failed.
pub(super) trait Work: Send + 'static {
    type Outcome: Send;

    /// Writes what it keeps beside the database, before the transaction. An
    /// error is its answer, and the rest of its group goes on.
    fn keep(&self, _values: &mut Values) -> Result<(), StoreError> {
        Ok(())
    }

    fn apply(&self, tables: &mut Tables<'_>) -> Result<Self::Outcome, WriteFailure>;

    /// The run whose writes have to keep their order.
    fn run(&self) -> Option<RunRef> {
        None
    }

    /// Whether it waits for as long as it takes until a fault has passed, since
    /// it cannot be wanted again: it is what a run has decided.
    fn is_patient(&self) -> bool {
        false
    }

    /// Roughly how many bytes it writes.
    fn size(&self) -> usize {
        0
    }
}

/// The statements, and what is known of the tables. What is seldom asked has
/// no statement here and is prepared anew.
pub(super) struct Tables<'c> {
    pub(super) conn: &'c Connection,
    /// Whether the files are where they were.
    pub(super) watch: Option<Arc<Watch>>,
    pub(super) values: Values,
    run_by_id: Statement<'c>,
    run_by_key: Statement<'c>,
    insert_run: Statement<'c>,
    insert_entry: Statement<'c>,
    insert_line: Statement<'c>,
    cursor: Statement<'c>,
    update_state: Statement<'c>,
    update_end: Statement<'c>,
    update_wake: Statement<'c>,
    disk: Disk,
    /// The highest number given to a run. A number is not given again, so
    /// that a late write of a removed run does not meet another run.
    last_run: i64,
    cursors: HashMap<RunRef, Cursor>,
    /// The runs whose cursors the open transaction has moved.
    moved: Vec<RunRef>,
    /// The blueprints that are known to be there.
    blueprints: HashSet<u64>,
    /// Those of them that the open transaction has written.
    new_blueprints: Vec<u64>,
    /// The values that the open transaction has taken a reference from.
    garbage: Vec<Name>,
    /// The same of transactions that may be gone when the power goes, and
    /// bring those references back.
    garbage_later: Vec<Name>,
    /// The same of transactions that are durable: nothing brings them back.
    unneeded: Vec<Name>,
}

/// Where a run's journal ends.
#[derive(Clone, Copy)]
struct Cursor {
    next_seq: u64,
    ended: bool,
}

impl<'c> Tables<'c> {
    pub(super) fn new(path: &Path, conn: &'c Connection) -> rusqlite::Result<Self> {
        let columns = rows::RUN_COLUMNS;
        Ok(Self {
            conn,
            watch: None,
            values: Values::beside(path),
            run_by_id: conn.prepare(&format!("SELECT {columns} FROM runs WHERE id = ?1"))?,
            run_by_key: conn.prepare(&format!("SELECT {columns} FROM runs WHERE key = ?1"))?,
            insert_run: conn.prepare(
                "INSERT INTO runs \
                 (run, id, workflow, key, fingerprint, params, state, created_at, parent, parent_how) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?,
            insert_entry: conn.prepare(
                "INSERT INTO journal (run, seq, at, event, value, value_type, value_file, changes) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?,
            insert_line: conn.prepare(
                "INSERT INTO log_lines (run, path, attempt, undo, seq, at, level, text) \
                 SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE EXISTS (SELECT 1 FROM runs WHERE run = ?1)",
            )?,
            cursor: conn.prepare(
                "SELECT ended_at IS NOT NULL, (SELECT max(seq) FROM journal WHERE run = ?1) \
                 FROM runs WHERE run = ?1",
            )?,
            update_state: conn.prepare(
                "UPDATE runs SET state = ?2, ended_at = NULL, result = NULL, result_type = NULL, \
                 result_file = NULL, error = NULL WHERE run = ?1",
            )?,
            update_end: conn.prepare(
                "UPDATE runs SET state = ?2, ended_at = ?3, result = ?4, result_type = ?5, \
                 result_file = ?6, error = ?7, wake_at = NULL, backoff_since = NULL, suspected = 0 \
                 WHERE run = ?1",
            )?,
            update_wake: conn.prepare("UPDATE runs SET wake_at = ?2, backoff_since = ?3 WHERE run = ?1")?,
            disk: Disk::of(conn)?,
            last_run: conn.query_row(
                "SELECT max(coalesce((SELECT max(run) FROM runs), 0), coalesce((SELECT max(run) FROM removals), 0))",
                [],
                |row| row.get(0),
            )?,
            cursors: HashMap::new(),
            moved: Vec::new(),
            blueprints: HashSet::new(),
            new_blueprints: Vec::new(),
            garbage: Vec::new(),
            garbage_later: Vec::new(),
            unneeded: Vec::new(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.values.database()
    }

    /// Has the commits from now on wait for the disk, as the store was opened,
    /// or not. Before each of them: nothing is written into files that are not
    /// where they were.
    pub(super) fn wait_for_disk(&mut self, wait: bool) -> Result<(), StoreError> {
        if let Some(watch) = &self.watch {
            watch.check()?;
        }
        self.disk.wait(self.values.database(), self.conn, wait)
    }

    /// A commit has failed: see [`Disk::doubt`].
    pub(super) fn doubt(&mut self, error: &rusqlite::Error) {
        self.disk.doubt(error);
    }

    /// Whether there are values that go with the next durable commit.
    pub(super) fn has_garbage(&self) -> bool {
        !self.garbage_later.is_empty()
    }

    /// The transaction is committed, and durable if it was to wait for the
    /// disk.
    pub(super) fn committed(&mut self, durable: bool) {
        self.moved.clear();
        if self.cursors.len() > CURSORS {
            self.cursors.clear();
        }
        self.new_blueprints.clear();
        self.garbage_later.append(&mut self.garbage);
        if !durable {
            return;
        }
        self.unneeded.append(&mut self.garbage_later);
        // The others wait for their turn, so that no commit waits for them.
        if self.unneeded.len() <= AT_ONCE {
            self.remove_values(AT_ONCE);
        }
    }

    /// Whether there are values to remove.
    pub(super) fn has_unneeded(&self) -> bool {
        !self.unneeded.is_empty()
    }

    /// Removes some of the values that nothing refers to any more.
    pub(super) fn remove_values(&mut self, at_most: usize) {
        let keep = self.unneeded.len().saturating_sub(at_most);
        for name in self.unneeded.split_off(keep) {
            // A later write may have needed it again.
            if !self.is_needed(&name) {
                self.values.remove(&name);
            }
        }
    }

    /// The transaction is undone, and so is what was believed in it.
    pub(super) fn rolled_back(&mut self) {
        for run in self.moved.drain(..) {
            self.cursors.remove(&run);
        }
        for hash in self.new_blueprints.drain(..) {
            self.blueprints.remove(&hash);
        }
        self.garbage.clear();
    }

    /// Removes what a crash has left beside the database.
    pub(super) fn sweep(&self) {
        if let Err(error) = self.values.sweep(|name| self.is_needed(name)) {
            tracing::warn!(%error, path = %self.path().display(), "could not look for values that nobody needs");
        }
    }

    /// Whether a row refers to a value; where that cannot be said, it might.
    fn is_needed(&self, name: &Name) -> bool {
        let sql = "SELECT EXISTS (SELECT 1 FROM journal WHERE value_file = ?1) \
                   OR EXISTS (SELECT 1 FROM runs WHERE result_file = ?1) \
                   OR EXISTS (SELECT 1 FROM remembered WHERE value_file = ?1) \
                   OR EXISTS (SELECT 1 FROM effects WHERE value_file = ?1)";
        let needed = self.conn.query_row(sql, [name.as_str()], |row| row.get(0));
        needed.unwrap_or_else(|error| {
            tracing::warn!(%error, "could not find out whether a value is needed");
            true
        })
    }

    /// Notes the files that rows referred to.
    fn let_go(&mut self, files: impl IntoIterator<Item = Option<String>>) {
        self.garbage.extend(files.into_iter().flatten().filter_map(|file| Name::parse(&file)));
    }

    fn failed(&self, error: &rusqlite::Error) -> WriteFailure {
        WriteFailure::Failed(sqlite_error(self.path(), error))
    }

    fn find(&mut self, key: Option<&str>, id: &str) -> Result<Option<StoredRun>, WriteFailure> {
        let asked = [(&mut self.run_by_key, key), (&mut self.run_by_id, Some(id))];
        for (statement, value) in asked {
            let Some(value) = value else { continue };
            let failed = |error| WriteFailure::Failed(sqlite_error(self.values.database(), &error));
            let mut rows = statement.query([value]).map_err(failed)?;
            if let Some(row) = rows.next().map_err(failed)? {
                return rows::run(&self.values, row).map(Some).map_err(WriteFailure::Refused);
            }
        }
        Ok(None)
    }

    fn cursor(&mut self, run: RunRef) -> Result<Cursor, WriteFailure> {
        if let Some(cursor) = self.cursors.get(&run) {
            return Ok(*cursor);
        }
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?));
        let found = self.cursor.query_row([run.0], read).optional();
        match found.map_err(|error| self.failed(&error))? {
            None => Err(WriteFailure::Refused(StoreError::UnknownRun { run })),
            Some((ended, last)) => {
                let next_seq = last.map_or(Some(0), |last| u64::try_from(last).ok()?.checked_add(1));
                let damaged = || {
                    let what = format!("table `journal`: the last `seq` of run {} is negative", run.0);
                    WriteFailure::Refused(StoreError::Damaged { path: self.path().to_owned(), what })
                };
                Ok(Cursor { next_seq: next_seq.ok_or_else(damaged)?, ended })
            }
        }
    }

    fn move_cursor(&mut self, run: RunRef, cursor: Cursor) {
        self.moved.push(run);
        // Ended runs seldom go on.
        if cursor.ended {
            self.cursors.remove(&run);
        } else {
            self.cursors.insert(run, cursor);
        }
    }

    /// Returns the number after the last one.
    fn insert_entries(&mut self, run: RunRef, first: u64, entries: &[Prepared]) -> Result<u64, WriteFailure> {
        let mut seq = first;
        for Prepared { entry, changes, file } in entries {
            let (value, value_type, value_file) = columns(entry.value.as_ref(), file.as_ref());
            let inserted = self.insert_entry.execute(params![
                run.0,
                seq.cast_signed(),
                time(entry.at),
                entry.event,
                value,
                value_type,
                value_file,
                changes,
            ]);
            inserted.map_err(|error| self.failed(&error))?;
            seq += 1;
        }
        Ok(seq)
    }

    fn insert_blueprint(&mut self, hash: u64, blueprint: &str) -> Result<(), WriteFailure> {
        if self.blueprints.insert(hash) {
            self.new_blueprints.push(hash);
            let sql = "INSERT INTO blueprints (hash, blueprint) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            let inserted = self.conn.execute(sql, params![hash.cast_signed(), blueprint]);
            inserted.map_err(|error| self.failed(&error))?;
        }
        Ok(())
    }

    /// Moves the mark of a schedule, forward only.
    fn move_mark(&self, tick: &Tick) -> Result<(), WriteFailure> {
        let sql = "INSERT INTO schedules (schedule, mark) VALUES (?1, ?2) \
                   ON CONFLICT (schedule) DO UPDATE SET mark = max(mark, excluded.mark)";
        let moved = self.conn.execute(sql, params![tick.schedule, time(tick.at)]);
        moved.map_err(|error| self.failed(&error))?;
        Ok(())
    }
}
