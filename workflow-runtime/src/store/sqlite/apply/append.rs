//! Appending to a journal, and what goes with it.

use rusqlite::{OptionalExtension, params};

use super::operate::reply;
use super::{Cursor, Tables, Work, WriteFailure};
use crate::run::RunState;
use crate::store::names::run_state_name;
use crate::store::sqlite::encode::{
    FOREVER, Prepared, columns, fits, fits_payload, json, keep, keep_entries, prepare, size_of, time,
};
use crate::store::sqlite::values::{Name, Values};
use crate::store::{Batch, Remembered, RunEnd, RunRef, Sleep, StoreError};

/// Appends to a journal.
pub(in crate::store::sqlite) struct Append {
    /// Without its entries.
    batch: Batch,
    entries: Vec<Prepared>,
    error: Option<String>,
    /// Where the result is, if it is too large for a row.
    result_file: Option<Name>,
    /// The same for each result that is remembered.
    remember_files: Vec<Option<Name>>,
}

impl Append {
    pub(in crate::store::sqlite) fn new(mut batch: Batch) -> Result<Self, StoreError> {
        let entries = prepare(std::mem::take(&mut batch.entries))?;
        let end = batch.end.as_ref();
        let result = end.and_then(|end| end.result.as_ref());
        fits_payload(result)?;
        let result_file = Name::of_large(result);
        let error = end.and_then(|end| end.error.as_ref()).map(json).transpose()?;
        fits("the error of a run", error.as_ref().map_or(0, String::len))?;
        fits("a blueprint", batch.blueprint.as_ref().map_or(0, |(_, blueprint)| blueprint.len()))?;
        batch.remember.iter().try_for_each(|remembered| fits_payload(Some(&remembered.value)))?;
        let remember_files =
            batch.remember.iter().map(|remembered| Name::of_large(Some(&remembered.value))).collect();
        Ok(Self { batch, entries, error, result_file, remember_files })
    }

    fn result(&self) -> Option<&crate::value::Payload> {
        self.batch.end.as_ref().and_then(|end| end.result.as_ref())
    }

    fn end(&self, tables: &mut Tables<'_>, end: &RunEnd) -> rusqlite::Result<()> {
        let (result, result_type, result_file) = columns(end.result.as_ref(), self.result_file.as_ref());
        tables.update_end.execute(params![
            self.batch.run.0,
            run_state_name(end.state),
            time(end.at),
            result,
            result_type,
            result_file,
            self.error,
        ])?;
        Ok(())
    }

    fn state(&self, tables: &mut Tables<'_>, state: RunState) -> rusqlite::Result<()> {
        tables.update_state.execute(params![self.batch.run.0, run_state_name(state)])?;
        Ok(())
    }

    /// What goes with an append now and then.
    fn rest(&self, tables: &mut Tables<'_>) -> Result<(), WriteFailure> {
        let run = self.batch.run;
        if let Some((hash, blueprint)) = &self.batch.blueprint {
            tables.insert_blueprint(*hash, blueprint)?;
            follow(tables, run, *hash).map_err(|error| tables.failed(&error))?;
        }
        for (remembered, file) in self.batch.remember.iter().zip(&self.remember_files) {
            remember(tables, remembered, file.as_ref()).map_err(|error| tables.failed(&error))?;
        }
        Ok(())
    }
}

impl Work for Append {
    type Outcome = ();

    fn keep(&self, values: &mut Values) -> Result<(), StoreError> {
        keep_entries(&self.entries, values)?;
        keep(self.result_file.as_ref(), self.result(), values)?;
        let mut remember = self.batch.remember.iter().zip(&self.remember_files);
        remember.try_for_each(|(remembered, file)| keep(file.as_ref(), Some(&remembered.value), values))
    }

    fn apply(&self, tables: &mut Tables<'_>) -> Result<(), WriteFailure> {
        let run = self.batch.run;
        let mut cursor = tables.cursor(run)?;
        self.batch.check(cursor.next_seq, cursor.ended).map_err(WriteFailure::Refused)?;
        cursor.next_seq = tables.insert_entries(run, cursor.next_seq, &self.entries)?;
        let wake = match self.batch.sleep {
            Sleep::Unchanged => None,
            Sleep::Awake => Some((None, None)),
            Sleep::Until(until) => Some((Some(until.map_or(FOREVER, time)), None)),
            Sleep::Backoff { until, since } => Some((Some(time(until)), Some(time(since)))),
        };
        if let Some((wake_at, since)) = wake {
            let updated = tables.update_wake.execute(params![run.0, wake_at, since]);
            updated.map_err(|error| tables.failed(&error))?;
        }
        if let Some(suspected) = self.batch.suspected {
            let sql = "UPDATE runs SET suspected = ?2 WHERE run = ?1";
            tables.conn.execute(sql, params![run.0, suspected]).map_err(|error| tables.failed(&error))?;
        }
        if cursor.ended {
            forget_end(tables, run).map_err(|error| tables.failed(&error))?;
        }
        if let Some(end) = &self.batch.end {
            self.end(tables, end).map_err(|error| tables.failed(&error))?;
        } else if let Some(state) = self.batch.state {
            self.state(tables, state).map_err(|error| tables.failed(&error))?;
        }
        if self.batch.blueprint.is_some() || !self.batch.remember.is_empty() {
            self.rest(tables)?;
        }
        if let Some((number, answer)) = &self.batch.answer {
            reply(tables, *number, answer)?;
        }
        tables.move_cursor(run, Cursor { ended: self.batch.end.is_some(), ..cursor });
        Ok(())
    }

    fn run(&self) -> Option<RunRef> {
        Some(self.batch.run)
    }

    fn is_patient(&self) -> bool {
        true
    }

    fn size(&self) -> usize {
        size_of(&self.entries) + self.result().map_or(0, |result| result.bytes.len())
    }
}

/// The run goes on, so its result is none any more.
fn forget_end(tables: &mut Tables<'_>, run: RunRef) -> rusqlite::Result<()> {
    let sql = "SELECT result_file FROM runs WHERE run = ?1";
    let file = tables.conn.query_row(sql, [run.0], |row| row.get(0))?;
    tables.let_go([file]);
    Ok(())
}

/// From here on the run follows another blueprint. Its journal has been
/// written with the last one, which is needed as long as the run is there.
fn follow(tables: &Tables<'_>, run: RunRef, hash: u64) -> rusqlite::Result<()> {
    let hash = hash.cast_signed();
    let sql = "INSERT INTO followed (run, hash) SELECT run, fingerprint FROM runs \
               WHERE run = ?1 AND fingerprint <> ?2 ON CONFLICT DO NOTHING";
    tables.conn.execute(sql, params![run.0, hash])?;
    tables.conn.execute("UPDATE runs SET fingerprint = ?2 WHERE run = ?1", params![run.0, hash])?;
    Ok(())
}

fn remember(tables: &mut Tables<'_>, new: &Remembered, file: Option<&Name>) -> rusqlite::Result<()> {
    let sql = "SELECT value_file FROM remembered WHERE key = ?1";
    let before = tables.conn.query_row(sql, [&new.key], |row| row.get(0)).optional()?;
    tables.let_go(before);
    let (value, value_type, value_file) = columns(Some(&new.value), file);
    let sql = "INSERT INTO remembered (key, task, until, value, value_type, value_file) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (key) DO UPDATE SET task = excluded.task, \
               until = excluded.until, value = excluded.value, value_type = excluded.value_type, \
               value_file = excluded.value_file";
    let values = params![new.key, &*new.task, time(new.until), value, value_type, value_file];
    tables.conn.execute(sql, values)?;
    Ok(())
}
