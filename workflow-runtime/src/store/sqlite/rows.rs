//! Rows into runs and entries. Whatever a row holds, it becomes a value or an
//! error that says where it stands.

use std::borrow::Cow;
use std::path::Path;

use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::errors::sqlite_error;
use crate::run::Timestamp;
use crate::store::model::run_state_named;
use crate::store::{Payload, RunEnd, RunRef, StoreError, StoredEntry, StoredRun};

/// The columns that [`run`] reads.
pub(super) const RUN_COLUMNS: &str = "run, id, workflow, key, fingerprint, params, state, created_at, ended_at, \
     result, result_type, error";

/// The columns that [`entry`] reads.
pub(super) const ENTRY_COLUMNS: &str = "position, seq, at, event, value, value_type";

pub(super) fn run(path: &Path, row: &Row<'_>) -> Result<StoredRun, StoreError> {
    let mut cells = Cells { path, row, table: "runs", position: 0, column: 0 };
    let run = RunRef(cells.int("run")?);
    cells.position = run.0;
    let (id, workflow, key) = (cells.text("id")?, cells.text("workflow")?, cells.text_or_null("key")?);
    let fingerprint = cells.int("fingerprint")?.cast_unsigned();
    let params = cells.bytes("params")?;
    let state = cells.text("state")?;
    let state = run_state_named(&state)
        .ok_or_else(|| cells.damaged(&format!("`state` is `{state}`, which is no state of a run")))?;
    let created_at = cells.time("created_at")?;
    let ended_at = cells.time_or_null("ended_at")?;
    let result = cells.payload("result")?;
    let error = cells.text_or_null("error")?;
    if state.is_ended() != ended_at.is_some() {
        return Err(cells.damaged("`state` and `ended_at` do not agree"));
    }
    let error = match error {
        Some(text) => Some(
            serde_json::from_str(&text)
                .map_err(|error| cells.damaged(&format!("`error` cannot be read: {error}")))?,
        ),
        None => None,
    };
    let end = ended_at.map(|at| RunEnd { state, at, result, error });
    Ok(StoredRun { run, id, workflow, key, fingerprint, params, created_at, state, end })
}

/// An entry, which has to be the one that follows those before it.
pub(super) fn entry(path: &Path, row: &Row<'_>, seq: u64) -> Result<StoredEntry, StoreError> {
    let mut cells = Cells { path, row, table: "journal", position: 0, column: 0 };
    cells.position = cells.int("position")?;
    let found = cells.int("seq")?;
    if u64::try_from(found) != Ok(seq) {
        return Err(cells.damaged(&format!("`seq` is {found} where {seq} follows")));
    }
    let at = cells.time("at")?;
    let event = cells.text("event")?;
    let value = cells.payload("value")?;
    Ok(StoredEntry { seq, at, event, value })
}

/// Reads the columns of a row one after the other.
struct Cells<'a, 'row> {
    path: &'a Path,
    row: &'a Row<'row>,
    table: &'static str,
    /// The row's key, for messages.
    position: i64,
    column: usize,
}

impl<'a> Cells<'a, '_> {
    fn damaged(&self, what: &str) -> StoreError {
        let what = format!("table `{}`, row {}: {what}", self.table, self.position);
        StoreError::Damaged { path: self.path.to_owned(), what }
    }

    fn wrong<T>(&self, name: &str, found: ValueRef<'_>, wanted: &str) -> Result<T, StoreError> {
        let found = found.data_type().to_string().to_lowercase();
        Err(self.damaged(&format!("`{name}` is {found}, not {wanted}")))
    }

    fn next(&mut self) -> Result<ValueRef<'a>, StoreError> {
        let value = self.row.get_ref(self.column).map_err(|error| sqlite_error(self.path, &error))?;
        self.column += 1;
        Ok(value)
    }

    fn int(&mut self, name: &str) -> Result<i64, StoreError> {
        match self.next()? {
            ValueRef::Integer(value) => Ok(value),
            other => self.wrong(name, other, "an integer"),
        }
    }

    fn time(&mut self, name: &str) -> Result<Timestamp, StoreError> {
        match self.time_or_null(name)? {
            Some(time) => Ok(time),
            None => self.wrong(name, ValueRef::Null, "a time"),
        }
    }

    fn time_or_null(&mut self, name: &str) -> Result<Option<Timestamp>, StoreError> {
        match self.next()? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(value) => match u64::try_from(value) {
                Ok(value) => Ok(Some(Timestamp(value))),
                Err(_) => Err(self.damaged(&format!("`{name}` is {value}, which is before 1970"))),
            },
            other => self.wrong(name, other, "a time"),
        }
    }

    fn text(&mut self, name: &str) -> Result<String, StoreError> {
        match self.text_or_null(name)? {
            Some(text) => Ok(text),
            None => self.wrong(name, ValueRef::Null, "text"),
        }
    }

    fn text_or_null(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        match self.next()? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Some(text.to_owned())),
                Err(_) => Err(self.damaged(&format!("`{name}` is not UTF-8"))),
            },
            other => self.wrong(name, other, "text"),
        }
    }

    /// Whichever of text and blob it was stored as.
    fn bytes(&mut self, name: &str) -> Result<Vec<u8>, StoreError> {
        match self.bytes_or_null(name)? {
            Some(bytes) => Ok(bytes),
            None => self.wrong(name, ValueRef::Null, "a value"),
        }
    }

    fn bytes_or_null(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self.next()? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Ok(Some(bytes.to_owned())),
            other => self.wrong(name, other, "a value"),
        }
    }

    /// A value and, in the next column, its type.
    fn payload(&mut self, name: &str) -> Result<Option<Payload>, StoreError> {
        let bytes = self.bytes_or_null(name)?;
        let type_name = self.text_or_null(&format!("{name}_type"))?;
        match (bytes, type_name) {
            (None, None) => Ok(None),
            (Some(bytes), Some(type_name)) => Ok(Some(Payload { type_name: Cow::Owned(type_name), bytes })),
            _ => Err(self.damaged(&format!("`{name}` and `{name}_type` do not belong together"))),
        }
    }
}
