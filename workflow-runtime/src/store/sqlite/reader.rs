//! Reading, from any thread, beside whatever is being written.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::errors::sqlite_error;
use super::open::open_reader;
use super::rows;
use crate::store::model::run_state_name;
use crate::store::{RunFilter, RunRef, StoreError, StoredEntry, StoredRun};

/// How many connections are kept for the next reads.
const IDLE: usize = 4;

#[derive(Debug)]
pub(super) struct Reader {
    path: PathBuf,
    /// `None` once closed.
    idle: Mutex<Option<Vec<Connection>>>,
}

impl Reader {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::new(Some(Vec::new())) }
    }

    pub(super) fn close(&self) {
        *self.idle() = None;
    }

    pub(super) fn unfinished(
        &self,
        after: Option<RunRef>,
        at_most: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        let columns = rows::RUN_COLUMNS;
        let sql =
            format!("SELECT {columns} FROM runs WHERE ended_at IS NULL AND run > ?1 ORDER BY run LIMIT ?2");
        self.runs(&sql, vec![Value::Integer(after.map_or(i64::MIN, |run| run.0)), limit(at_most)])
    }

    pub(super) fn list(&self, filter: &RunFilter) -> Result<Vec<StoredRun>, StoreError> {
        let (mut wheres, mut values) = (Vec::new(), Vec::new());
        if let Some(prefix) = &filter.id_prefix {
            // What begins with the prefix lies between it and its followers.
            wheres.push("id >= ? AND id <= ?".to_owned());
            values.push(Value::Text(prefix.clone()));
            values.push(Value::Text(format!("{prefix}{}", char::MAX)));
        }
        if let Some(workflow) = &filter.workflow {
            wheres.push("workflow = ?".to_owned());
            values.push(Value::Text(workflow.clone()));
        }
        if let Some(key) = &filter.key {
            wheres.push("key = ?".to_owned());
            values.push(Value::Text(key.clone()));
        }
        if !filter.states.is_empty() {
            wheres.push(format!("state IN ({})", vec!["?"; filter.states.len()].join(", ")));
            values.extend(filter.states.iter().map(|state| Value::Text(run_state_name(*state).to_owned())));
        }
        if let Some(before) = filter.before {
            wheres.push("run < ?".to_owned());
            values.push(Value::Integer(before.0));
        }
        let wheres = if wheres.is_empty() { "1".to_owned() } else { wheres.join(" AND ") };
        // Few runs share a prefix: better to sort those than to walk all runs
        // in order, which the plus sign keeps SQLite from.
        let order = if filter.id_prefix.is_some() { "+run" } else { "run" };
        let columns = rows::RUN_COLUMNS;
        let sql = format!("SELECT {columns} FROM runs WHERE {wheres} ORDER BY {order} DESC LIMIT ?");
        values.push(limit(filter.at_most));
        self.runs(&sql, values)
    }

    pub(super) fn journal(&self, run: RunRef) -> Result<Vec<StoredEntry>, StoreError> {
        self.with(|conn| {
            let failed = |error| sqlite_error(&self.path, &error);
            // One snapshot for both questions.
            let tx = conn.unchecked_transaction().map_err(failed)?;
            let known = "SELECT EXISTS (SELECT 1 FROM runs WHERE run = ?1)";
            if !tx.query_row(known, [run.0], |row| row.get(0)).map_err(failed)? {
                return Err(StoreError::UnknownRun { run });
            }
            let columns = rows::ENTRY_COLUMNS;
            let sql = format!("SELECT {columns} FROM journal WHERE run = ?1 ORDER BY seq");
            let mut statement = tx.prepare(&sql).map_err(failed)?;
            let mut rows = statement.query([run.0]).map_err(failed)?;
            let mut entries = Vec::new();
            while let Some(row) = rows.next().map_err(failed)? {
                entries.push(rows::entry(&self.path, row, entries.len() as u64)?);
            }
            Ok(entries)
        })
    }

    pub(super) fn check(&self) -> Result<Vec<String>, StoreError> {
        self.with(|conn| {
            let check = || {
                let mut statement = conn.prepare("PRAGMA quick_check")?;
                let lines = statement.query_map([], |row| row.get(0))?;
                lines.collect::<Result<Vec<String>, _>>()
            };
            let mut lines = check().map_err(|error| sqlite_error(&self.path, &error))?;
            lines.retain(|line| line != "ok");
            Ok(lines)
        })
    }

    fn runs(&self, sql: &str, values: Vec<Value>) -> Result<Vec<StoredRun>, StoreError> {
        self.with(|conn| {
            let failed = |error| sqlite_error(&self.path, &error);
            let mut statement = conn.prepare(sql).map_err(failed)?;
            let mut rows = statement.query(params_from_iter(values)).map_err(failed)?;
            let mut runs = Vec::new();
            while let Some(row) = rows.next().map_err(failed)? {
                runs.push(rows::run(&self.path, row)?);
            }
            Ok(runs)
        })
    }

    fn with<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let kept = self.idle().as_mut().ok_or(StoreError::Closed)?.pop();
        let conn = match kept {
            Some(conn) => conn,
            None => open_reader(&self.path)?,
        };
        let result = read(&conn);
        // The store may have been closed in between; then the connection goes.
        if let Some(idle) = self.idle().as_mut().filter(|idle| idle.len() < IDLE) {
            idle.push(conn);
        }
        result
    }

    fn idle(&self) -> MutexGuard<'_, Option<Vec<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn limit(at_most: usize) -> Value {
    Value::Integer(i64::try_from(at_most).unwrap_or(i64::MAX))
}
