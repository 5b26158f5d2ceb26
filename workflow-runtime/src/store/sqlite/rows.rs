//! Rows into runs and entries. Whatever a row holds, it becomes a value or an
//! error that says where it stands.

use std::borrow::Cow;
use std::fmt::Display;

use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::errors::sqlite_error;
use super::values::{Lost, Name, Values};
use crate::run::Timestamp;
use crate::store::names::run_state_named;
use crate::store::{
    Answer, LogLevel, LogLine, Parent, Payload, Request, RunEnd, RunRef, SealedKey, StoreError, StoredEntry,
    StoredLine, StoredRequest, StoredRule, StoredRun, StoredSchedule,
};

/// The columns that [`run`] reads.
pub(super) const RUN_COLUMNS: &str = "run, id, workflow, key, fingerprint, params, state, created_at, ended_at, \
     error, parent, parent_how, wake_at, suspected, result, result_type, result_file";

/// The columns that [`entry`] reads.
pub(super) const ENTRY_COLUMNS: &str = "position, seq, at, event, value, value_type, value_file";

/// The columns that [`request`] reads.
pub(super) const REQUEST_COLUMNS: &str =
    "number, run, operation, actor, reason, at, answered_at, done, refused";

/// The columns that [`schedule`] reads.
pub(super) const SCHEDULE_COLUMNS: &str = "number, schedule, mark";

/// The columns that [`rule`] reads.
pub(super) const RULE_COLUMNS: &str = "number, schedule, rule";

/// The columns that [`remembered`] reads.
pub(super) const REMEMBERED_COLUMNS: &str = "number, value, value_type, value_file";

/// The columns that [`effect`] reads.
pub(super) const EFFECT_COLUMNS: &str = "number, value, value_type, value_file";

/// The columns that [`key`] reads.
pub(super) const KEY_COLUMNS: &str = "id, sealed_with, sealed";

/// The columns that [`line`] reads.
pub(super) const LINE_COLUMNS: &str = "number, run, path, attempt, undo, seq, at, level, text";

pub(super) fn run(values: &Values, row: &Row<'_>) -> Result<StoredRun, StoreError> {
    let mut cells = Cells::of(values, row, "runs")?;
    let run = RunRef(cells.position);
    let (id, workflow, key) = (cells.text("id")?, cells.text("workflow")?, cells.text_or_null("key")?);
    let fingerprint = cells.int("fingerprint")?.cast_unsigned();
    let params = cells.bytes("params")?;
    let state = cells.text("state")?;
    let state = run_state_named(&state)
        .ok_or_else(|| cells.damaged(&format!("`state` is `{state}`, which is no state of a run")))?;
    let created_at = cells.time("created_at")?;
    let ended_at = cells.time_or_null("ended_at")?;
    let error = cells.text_or_null("error")?;
    let (parent, how) = (cells.text_or_null("parent")?, cells.text_or_null("parent_how")?);
    let asleep = cells.time_or_null("wake_at")?.is_some();
    let suspected = cells.int("suspected")?;
    let suspected =
        u32::try_from(suspected).map_err(|_| cells.damaged(&format!("`suspected` is {suspected}")))?;
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
    let parent = match (parent, how) {
        (None, None) => None,
        (Some(id), Some(how)) => Some(Parent { id, how: how.into() }),
        _ => return Err(cells.damaged("`parent` and `parent_how` do not belong together")),
    };
    let result = cells.payload("result", || format!("the result of run {id}"))?;
    let end = ended_at.map(|at| RunEnd { state, at, result, error });
    Ok(StoredRun {
        run,
        id,
        workflow,
        key,
        fingerprint,
        params,
        parent,
        created_at,
        state,
        asleep,
        suspected,
        end,
    })
}

/// An entry of a run, which has to be the one that follows those before it.
/// `id` is asked for the run's where there is something to say about it.
pub(super) fn entry(
    values: &Values,
    row: &Row<'_>,
    id: impl FnOnce() -> String,
    seq: u64,
) -> Result<StoredEntry, StoreError> {
    let mut cells = Cells::of(values, row, "journal")?;
    let found = cells.int("seq")?;
    if u64::try_from(found) != Ok(seq) {
        return Err(cells.damaged(&format!("`seq` is {found} where {seq} follows")));
    }
    let at = cells.time("at")?;
    let event = cells.text("event")?;
    let value = cells.payload("value", || format!("the value of entry {seq} of run {}", id()))?;
    Ok(StoredEntry { seq, at, event, value })
}

pub(super) fn request(values: &Values, row: &Row<'_>) -> Result<StoredRequest, StoreError> {
    let mut cells = Cells::of(values, row, "requests")?;
    let number = cells.position;
    let run = cells.text_or_null("run")?;
    let (operation, actor) = (cells.text("operation")?, cells.text("actor")?);
    let (reason, at) = (cells.text_or_null("reason")?, cells.time("at")?);
    let answered_at = cells.time_or_null("answered_at")?;
    let answer = match (answered_at, cells.text_or_null("done")?, cells.text_or_null("refused")?) {
        (None, None, None) => None,
        (Some(at), Some(done), None) => Some(Answer { at, result: Ok(done) }),
        (Some(at), None, Some(refused)) => Some(Answer { at, result: Err(refused) }),
        _ => return Err(cells.damaged("`answered_at`, `done` and `refused` do not belong together")),
    };
    Ok(StoredRequest { number, request: Request { run, operation, actor, reason, at }, answer })
}

pub(super) fn schedule(values: &Values, row: &Row<'_>) -> Result<StoredSchedule, StoreError> {
    let mut cells = Cells::of(values, row, "schedules")?;
    Ok(StoredSchedule { schedule: cells.text("schedule")?, mark: cells.time("mark")? })
}

pub(super) fn rule(values: &Values, row: &Row<'_>) -> Result<StoredRule, StoreError> {
    let mut cells = Cells::of(values, row, "schedules")?;
    Ok(StoredRule { schedule: cells.text("schedule")?, rule: cells.text("rule")? })
}

pub(super) fn remembered(values: &Values, row: &Row<'_>) -> Result<Payload, StoreError> {
    let mut cells = Cells::of(values, row, "remembered")?;
    let payload = cells.payload("value", || "the value of a remembered result".to_owned())?;
    payload.ok_or_else(|| cells.damaged("`value` is missing"))
}

pub(super) fn effect(values: &Values, row: &Row<'_>) -> Result<Payload, StoreError> {
    let mut cells = Cells::of(values, row, "effects")?;
    let payload = cells.payload("value", || "what a transaction gave back".to_owned())?;
    payload.ok_or_else(|| cells.damaged("`value` is missing"))
}

pub(super) fn key(values: &Values, row: &Row<'_>) -> Result<SealedKey, StoreError> {
    let mut cells = Cells::of(values, row, "keys")?;
    let id = u32::try_from(cells.position).map_err(|_| cells.damaged("`id` is too large"))?;
    Ok(SealedKey { id, with: cells.text("sealed_with")?, sealed: cells.bytes("sealed")? })
}

pub(super) fn line(values: &Values, row: &Row<'_>) -> Result<StoredLine, StoreError> {
    let mut cells = Cells::of(values, row, "log_lines")?;
    let number = cells.position;
    let (run, path) = (RunRef(cells.int("run")?), cells.text("path")?.into());
    let attempt = u32::try_from(cells.int("attempt")?);
    let attempt = attempt.map_err(|_| cells.damaged("`attempt` is no number of an attempt"))?;
    let undo = cells.int("undo")? != 0;
    let (seq, at) = (cells.int("seq")?.cast_unsigned(), cells.time("at")?);
    let level = cells.text("level")?;
    let level = LogLevel::named(&level)
        .ok_or_else(|| cells.damaged(&format!("`level` is `{level}`, which is no level of a line")))?;
    let text = cells.bytes("text")?;
    Ok(StoredLine { number, line: LogLine { run, path, attempt, undo, seq, at, level, text } })
}

/// Reads the columns of a row one after the other.
struct Cells<'a, 'row> {
    values: &'a Values,
    row: &'a Row<'row>,
    table: &'static str,
    /// The row's key, for messages.
    position: i64,
    column: usize,
}

impl<'a, 'row> Cells<'a, 'row> {
    /// The first column is the row's key.
    fn of(values: &'a Values, row: &'a Row<'row>, table: &'static str) -> Result<Self, StoreError> {
        let mut cells = Self { values, row, table, position: 0, column: 0 };
        cells.position = cells.int("key")?;
        Ok(cells)
    }

    fn damaged(&self, what: &str) -> StoreError {
        let what = format!("table `{}`, row {}: {what}", self.table, self.position);
        StoreError::Damaged { path: self.values.database().to_owned(), what }
    }

    fn wrong<T>(&self, name: impl Display, found: ValueRef<'_>, wanted: &str) -> Result<T, StoreError> {
        let found = found.data_type().to_string().to_lowercase();
        Err(self.damaged(&format!("`{name}` is {found}, not {wanted}")))
    }

    fn next(&mut self) -> Result<ValueRef<'a>, StoreError> {
        let value =
            self.row.get_ref(self.column).map_err(|error| sqlite_error(self.values.database(), &error))?;
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

    fn text_or_null(&mut self, name: impl Display) -> Result<Option<String>, StoreError> {
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

    /// A value, and in the next columns its type and the file that it is in,
    /// if it does not stand here. `whose` says whose value it is.
    fn payload(&mut self, name: &str, whose: impl FnOnce() -> String) -> Result<Option<Payload>, StoreError> {
        let bytes = self.bytes_or_null(name)?;
        let type_name = self.text_or_null(format_args!("{name}_type"))?;
        let file = self.text_or_null(format_args!("{name}_file"))?;
        let (bytes, type_name) = match (bytes, type_name, file) {
            (None, None, None) => return Ok(None),
            (Some(bytes), Some(type_name), None) => (bytes, type_name),
            (None, Some(type_name), Some(file)) => {
                let Some(file) = Name::parse(&file) else {
                    return Err(self.damaged(&format!("`{name}_file` is `{file}`, which names no value")));
                };
                match self.values.read(&file)? {
                    Ok(bytes) => (bytes, type_name),
                    Err(_) if self.values.leaves_out() => return Ok(None),
                    Err(Lost { is_missing }) => {
                        let what = format!("table `{}`, row {}: {}", self.table, self.position, whose());
                        return Err(StoreError::Value { what, file: self.values.path(&file), is_missing });
                    }
                }
            }
            (_, _, None) => {
                return Err(self.damaged(&format!("`{name}` and `{name}_type` do not belong together")));
            }
            (_, _, Some(_)) => {
                return Err(self.damaged(&format!("`{name}` and `{name}_file` do not belong together")));
            }
        };
        Ok(Some(Payload { type_name: Cow::Owned(type_name), bytes }))
    }
}
