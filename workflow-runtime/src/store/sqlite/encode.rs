//! Runs and entries into what the columns take: done before a write is queued,
//! on the caller's thread, so that the writer has less to do.

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::LIMIT;
use super::values::{Name, Values};
use crate::run::Timestamp;
use crate::store::{Entry, Payload, StoreError};

/// `wake_at` of a run that sleeps until an engine wakes it.
pub(super) const FOREVER: i64 = i64::MAX;

/// An entry, with its changes as text already.
pub(super) struct Prepared {
    pub(super) entry: Entry,
    pub(super) changes: Option<String>,
    /// Where its value is, if it is too large for a row.
    pub(super) file: Option<Name>,
}

pub(super) fn prepare(mut entries: Vec<Entry>) -> Result<Vec<Prepared>, StoreError> {
    let prepare = |mut entry: Entry| {
        let changes = std::mem::take(&mut entry.changes);
        let changes = if changes.is_empty() { None } else { Some(json(&changes)?) };
        fits("an event", entry.event.len())?;
        fits("what an event changed", changes.as_ref().map_or(0, String::len))?;
        fits_payload(entry.value.as_ref())?;
        let file = Name::of_large(entry.value.as_ref());
        Ok(Prepared { entry, changes, file })
    };
    entries.drain(..).map(prepare).collect()
}

/// Writes the values that are too large for a row.
pub(super) fn keep_entries(entries: &[Prepared], values: &mut Values) -> Result<(), StoreError> {
    entries.iter().try_for_each(|entry| keep(entry.file.as_ref(), entry.entry.value.as_ref(), values))
}

pub(super) fn keep(
    file: Option<&Name>,
    payload: Option<&Payload>,
    values: &mut Values,
) -> Result<(), StoreError> {
    match (file, payload) {
        (Some(file), Some(payload)) => values.write(file, &payload.bytes),
        _ => Ok(()),
    }
}

/// The columns of a value: itself, its type, and the file that it is in.
pub(super) type Columns<'a> = (Option<Readable<'a>>, Option<&'a str>, Option<&'a str>);

pub(super) fn columns<'a>(payload: Option<&'a Payload>, file: Option<&'a Name>) -> Columns<'a> {
    let inline = payload.filter(|_| file.is_none());
    (
        inline.map(|payload| Readable(&payload.bytes)),
        payload.map(|payload| &*payload.type_name),
        file.map(Name::as_str),
    )
}

pub(super) fn size_of(entries: &[Prepared]) -> usize {
    let size = |prepared: &Prepared| {
        let value = prepared.entry.value.as_ref().map_or(0, |value| value.bytes.len());
        prepared.entry.event.len() + prepared.changes.as_ref().map_or(0, String::len) + value
    };
    entries.iter().map(size).sum()
}

pub(super) fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Other { message: error.to_string() })
}

pub(super) fn fits_payload(value: Option<&Payload>) -> Result<(), StoreError> {
    let Some(value) = value else { return Ok(()) };
    if value.bytes.len() <= LIMIT {
        return Ok(());
    }
    fits(&format!("a value of type `{}`", value.type_name), value.bytes.len())
}

pub(super) fn fits(what: &str, size: usize) -> Result<(), StoreError> {
    if size <= LIMIT {
        return Ok(());
    }
    Err(StoreError::TooLarge { what: what.to_owned(), size: size as u64, limit: LIMIT as u64 })
}

/// SQLite's integers are signed; the year 2262 is the end of time.
pub(super) fn time(at: Timestamp) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

/// As many as SQLite counts.
pub(super) fn count(at_most: usize) -> i64 {
    i64::try_from(at_most).unwrap_or(i64::MAX)
}

/// Bytes that are stored as text where they are text, so that people can read
/// them. A zero byte would end the text for many a program.
pub(super) struct Readable<'a>(pub(super) &'a [u8]);

impl ToSql for Readable<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let is_text = !self.0.contains(&0) && std::str::from_utf8(self.0).is_ok();
        let value = if is_text { ValueRef::Text(self.0) } else { ValueRef::Blob(self.0) };
        Ok(ToSqlOutput::Borrowed(value))
    }
}
