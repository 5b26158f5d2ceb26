//! What each kind of write does within the transaction of its group.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Statement, ToSql, params};

use super::errors::sqlite_error;
use super::{LIMIT, rows};
use crate::run::{RunState, Timestamp};
use crate::store::model::run_state_name;
use crate::store::{Batch, Created, Entry, NewRun, Payload, RunRef, StoreError, StoredRun};

/// For how many runs the end of the journal is remembered. Of the others it
/// is looked up.
const CURSORS: usize = 65_536;

/// Why a write did not happen.
pub(super) enum Trouble {
    /// Nothing was written of it; the rest of its group goes on.
    Refused(StoreError),
    /// It may be half written.
    Failed(StoreError),
}

/// One write. It may be applied twice: again, alone, when its group failed.
pub(super) trait Work: Send + 'static {
    type Outcome: Send;

    fn apply(&self, tables: &mut Tables<'_>) -> Result<Self::Outcome, Trouble>;

    /// Roughly how many bytes it writes.
    fn size(&self) -> usize;
}

/// The statements, and what is known of the tables.
pub(super) struct Tables<'c> {
    pub(super) path: &'c Path,
    pub(super) conn: &'c Connection,
    run_by_id: Statement<'c>,
    run_by_key: Statement<'c>,
    insert_run: Statement<'c>,
    insert_entry: Statement<'c>,
    cursor: Statement<'c>,
    update_state: Statement<'c>,
    update_end: Statement<'c>,
    ended_before: Statement<'c>,
    delete_journal: Statement<'c>,
    delete_run: Statement<'c>,
    /// The highest number given to a run. A number is not given again, so
    /// that a late write of a removed run does not meet another run.
    last_run: i64,
    cursors: HashMap<RunRef, Cursor>,
    /// The runs whose cursors the open transaction has moved.
    moved: Vec<RunRef>,
}

/// Where a run's journal ends.
#[derive(Clone, Copy)]
struct Cursor {
    next_seq: u64,
    ended: bool,
}

impl<'c> Tables<'c> {
    pub(super) fn new(path: &'c Path, conn: &'c Connection) -> rusqlite::Result<Self> {
        let columns = rows::RUN_COLUMNS;
        Ok(Self {
            path,
            conn,
            run_by_id: conn.prepare(&format!("SELECT {columns} FROM runs WHERE id = ?1"))?,
            run_by_key: conn.prepare(&format!("SELECT {columns} FROM runs WHERE key = ?1"))?,
            insert_run: conn.prepare(
                "INSERT INTO runs (run, id, workflow, key, fingerprint, params, state, created_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?,
            insert_entry: conn.prepare(
                "INSERT INTO journal (run, seq, at, event, value, value_type, changes) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?,
            cursor: conn.prepare(
                "SELECT ended_at IS NOT NULL, (SELECT max(seq) FROM journal WHERE run = ?1) \
                 FROM runs WHERE run = ?1",
            )?,
            update_state: conn.prepare(
                "UPDATE runs SET state = ?2, ended_at = NULL, result = NULL, result_type = NULL, \
                 error = NULL WHERE run = ?1",
            )?,
            update_end: conn.prepare(
                "UPDATE runs SET state = ?2, ended_at = ?3, result = ?4, result_type = ?5, error = ?6 \
                 WHERE run = ?1",
            )?,
            ended_before: conn
                .prepare("SELECT run FROM runs WHERE ended_at < ?1 ORDER BY ended_at, run LIMIT ?2")?,
            delete_journal: conn.prepare("DELETE FROM journal WHERE run = ?1")?,
            delete_run: conn.prepare("DELETE FROM runs WHERE run = ?1")?,
            last_run: conn.query_row("SELECT coalesce(max(run), 0) FROM runs", [], |row| row.get(0))?,
            cursors: HashMap::new(),
            moved: Vec::new(),
        })
    }

    /// The transaction is durable.
    pub(super) fn committed(&mut self) {
        self.moved.clear();
        if self.cursors.len() > CURSORS {
            self.cursors.clear();
        }
    }

    /// The transaction is undone, and so is what was believed in it.
    pub(super) fn rolled_back(&mut self) {
        for run in self.moved.drain(..) {
            self.cursors.remove(&run);
        }
    }

    fn failed(&self, error: &rusqlite::Error) -> Trouble {
        Trouble::Failed(sqlite_error(self.path, error))
    }

    fn find(&mut self, key: Option<&str>, id: &str) -> Result<Option<StoredRun>, Trouble> {
        let asked = [(&mut self.run_by_key, key), (&mut self.run_by_id, Some(id))];
        for (statement, value) in asked {
            let Some(value) = value else { continue };
            let failed = |error| Trouble::Failed(sqlite_error(self.path, &error));
            let mut rows = statement.query([value]).map_err(failed)?;
            if let Some(row) = rows.next().map_err(failed)? {
                return rows::run(self.path, row).map(Some).map_err(Trouble::Refused);
            }
        }
        Ok(None)
    }

    fn cursor(&mut self, run: RunRef) -> Result<Cursor, Trouble> {
        if let Some(cursor) = self.cursors.get(&run) {
            return Ok(*cursor);
        }
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?));
        let found = self.cursor.query_row([run.0], read).optional();
        match found.map_err(|error| self.failed(&error))? {
            None => Err(Trouble::Refused(StoreError::UnknownRun { run })),
            Some((ended, last)) => {
                let next_seq = last.map_or(Some(0), |last| u64::try_from(last).ok()?.checked_add(1));
                let damaged = || {
                    let what = format!("table `journal`: the last `seq` of run {} is negative", run.0);
                    Trouble::Refused(StoreError::Damaged { path: self.path.to_owned(), what })
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
    fn insert_entries(&mut self, run: RunRef, first: u64, entries: &[Prepared]) -> Result<u64, Trouble> {
        let mut seq = first;
        for Prepared { entry, changes } in entries {
            let inserted = self.insert_entry.execute(params![
                run.0,
                seq.cast_signed(),
                time(entry.at),
                entry.event,
                entry.value.as_ref().map(|value| Readable(&value.bytes)),
                entry.value.as_ref().map(|value| &*value.type_name),
                changes,
            ]);
            inserted.map_err(|error| self.failed(&error))?;
            seq += 1;
        }
        Ok(seq)
    }
}

/// An entry, with its changes as text already: that is done before the entry
/// is queued, by whoever writes it, so that the writer has less to do.
struct Prepared {
    entry: Entry,
    changes: Option<String>,
}

fn prepare(mut entries: Vec<Entry>) -> Result<Vec<Prepared>, StoreError> {
    let prepare = |mut entry: Entry| {
        let changes = std::mem::take(&mut entry.changes);
        let changes = if changes.is_empty() { None } else { Some(json(&changes)?) };
        fits("an event", entry.event.len())?;
        fits("what an event changed", changes.as_ref().map_or(0, String::len))?;
        fits_payload(entry.value.as_ref())?;
        Ok(Prepared { entry, changes })
    };
    entries.drain(..).map(prepare).collect()
}

fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Other { message: error.to_string() })
}

fn fits_payload(value: Option<&Payload>) -> Result<(), StoreError> {
    let Some(value) = value else { return Ok(()) };
    if value.bytes.len() <= LIMIT {
        return Ok(());
    }
    fits(&format!("a value of type `{}`", value.type_name), value.bytes.len())
}

fn fits(what: &str, size: usize) -> Result<(), StoreError> {
    if size <= LIMIT {
        return Ok(());
    }
    Err(StoreError::TooLarge { what: what.to_owned(), size: size as u64, limit: LIMIT as u64 })
}

/// SQLite's integers are signed; the year 2262 is the end of time.
fn time(at: Timestamp) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

/// Bytes that are stored as text where they are text, so that people can read
/// them. A zero byte would end the text for many a program.
struct Readable<'a>(&'a [u8]);

impl ToSql for Readable<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let is_text = !self.0.contains(&0) && std::str::from_utf8(self.0).is_ok();
        let value = if is_text { ValueRef::Text(self.0) } else { ValueRef::Blob(self.0) };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

fn size_of(entries: &[Prepared]) -> usize {
    let size = |prepared: &Prepared| {
        let value = prepared.entry.value.as_ref().map_or(0, |value| value.bytes.len());
        prepared.entry.event.len() + prepared.changes.as_ref().map_or(0, String::len) + value
    };
    entries.iter().map(size).sum()
}

/// Creates a run.
pub(super) struct Create {
    run: NewRun,
    entries: Vec<Prepared>,
}

impl Create {
    pub(super) fn new(mut run: NewRun) -> Result<Self, StoreError> {
        run.check()?;
        fits("the arguments of a run", run.params.len())?;
        let entries = prepare(std::mem::take(&mut run.entries))?;
        Ok(Self { run, entries })
    }
}

impl Work for Create {
    type Outcome = Created;

    fn apply(&self, tables: &mut Tables<'_>) -> Result<Created, Trouble> {
        let new = &self.run;
        if let Some(existing) = tables.find(new.key.as_deref(), &new.id)? {
            return Ok(Created::Existing(Box::new(existing)));
        }
        tables.last_run += 1;
        let run = RunRef(tables.last_run);
        let inserted = tables.insert_run.execute(params![
            run.0,
            new.id,
            new.workflow,
            new.key,
            new.fingerprint.cast_signed(),
            Readable(&new.params),
            run_state_name(new.state),
            time(new.created_at),
        ]);
        inserted.map_err(|error| tables.failed(&error))?;
        let next_seq = tables.insert_entries(run, 0, &self.entries)?;
        tables.move_cursor(run, Cursor { next_seq, ended: false });
        Ok(Created::New(run))
    }

    fn size(&self) -> usize {
        self.run.params.len() + size_of(&self.entries)
    }
}

/// Appends to a journal.
pub(super) struct Append {
    /// Without its entries.
    batch: Batch,
    entries: Vec<Prepared>,
    error: Option<String>,
}

impl Append {
    pub(super) fn new(mut batch: Batch) -> Result<Self, StoreError> {
        let entries = prepare(std::mem::take(&mut batch.entries))?;
        let end = batch.end.as_ref();
        fits_payload(end.and_then(|end| end.result.as_ref()))?;
        let error = end.and_then(|end| end.error.as_ref()).map(json).transpose()?;
        fits("the error of a run", error.as_ref().map_or(0, String::len))?;
        Ok(Self { batch, entries, error })
    }

    fn state(&self, tables: &mut Tables<'_>, state: RunState) -> Result<(), Trouble> {
        let updated = tables.update_state.execute(params![self.batch.run.0, run_state_name(state)]);
        updated.map_err(|error| tables.failed(&error))?;
        Ok(())
    }
}

impl Work for Append {
    type Outcome = ();

    fn apply(&self, tables: &mut Tables<'_>) -> Result<(), Trouble> {
        let run = self.batch.run;
        let mut cursor = tables.cursor(run)?;
        self.batch.check(cursor.next_seq, cursor.ended).map_err(Trouble::Refused)?;
        cursor.next_seq = tables.insert_entries(run, cursor.next_seq, &self.entries)?;
        if let Some(end) = &self.batch.end {
            let updated = tables.update_end.execute(params![
                run.0,
                run_state_name(end.state),
                time(end.at),
                end.result.as_ref().map(|result| Readable(&result.bytes)),
                end.result.as_ref().map(|result| &*result.type_name),
                self.error,
            ]);
            updated.map_err(|error| tables.failed(&error))?;
            cursor.ended = true;
        } else if let Some(state) = self.batch.state {
            self.state(tables, state)?;
            cursor.ended = false;
        }
        tables.move_cursor(run, cursor);
        Ok(())
    }

    fn size(&self) -> usize {
        let result = self.batch.end.as_ref().and_then(|end| end.result.as_ref());
        size_of(&self.entries) + result.map_or(0, |result| result.bytes.len())
    }
}

/// Removes runs that ended before a time.
pub(super) struct Remove {
    pub(super) before: Timestamp,
    pub(super) at_most: usize,
}

impl Work for Remove {
    type Outcome = usize;

    fn apply(&self, tables: &mut Tables<'_>) -> Result<usize, Trouble> {
        let limit = i64::try_from(self.at_most).unwrap_or(i64::MAX);
        let remove = |tables: &mut Tables<'_>| {
            let runs = tables.ended_before.query_map([time(self.before), limit], |row| row.get(0))?;
            let runs = runs.collect::<rusqlite::Result<Vec<i64>>>()?;
            for run in &runs {
                tables.delete_journal.execute([run])?;
                tables.delete_run.execute([run])?;
            }
            Ok(runs.len())
        };
        remove(tables).map_err(|error: rusqlite::Error| tables.failed(&error))
    }

    fn size(&self) -> usize {
        0
    }
}
