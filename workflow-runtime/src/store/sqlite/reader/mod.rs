//! Reading, from any thread, beside whatever is being written.

mod filter;
mod others;
mod runs;

#[cfg(test)]
pub(super) use {filter::statement, runs::awake_sql};

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Params, Row};

use super::errors::sqlite_error;
use super::handle::Handle;
use super::still::{Connected, connect};
use super::values::Values;
use crate::store::StoreError;

/// How many connections are kept for the next reads.
const IDLE: usize = 4;

#[derive(Debug)]
pub(super) struct Reader {
    values: Values,
    /// `None` once closed.
    idle: Mutex<Option<Vec<Connected>>>,
    /// After the connections, whose locks would go with it.
    handle: Handle,
}

impl Reader {
    pub(super) fn new(path: &Path, handle: Handle) -> Self {
        Self { values: Values::beside(path), idle: Mutex::new(Some(Vec::new())), handle }
    }

    /// For processes that only look: what is lost does not hide the rest.
    pub(super) fn leaving_out_what_is_lost(mut self) -> Self {
        self.values = self.values.leaving_out_what_is_lost();
        self
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(super) fn path(&self) -> &Path {
        self.values.database()
    }

    pub(super) fn values(&self) -> &Values {
        &self.values
    }

    pub(super) fn close(&self) {
        *self.idle() = None;
    }

    pub(super) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let kept = self.idle().as_mut().ok_or(StoreError::Closed)?.pop();
        let conn = match kept.filter(|conn| conn.is_current(self.path())) {
            Some(conn) => conn,
            None => connect(self.path())?,
        };
        let result = read(&conn.conn);
        if !conn.is_current(self.path()) {
            let message = "it was written to while it was read; ask again".to_owned();
            return Err(StoreError::Io { path: self.path().to_owned(), message });
        }
        // The store may have been closed in between; then the connection goes.
        if let Some(idle) = self.idle().as_mut().filter(|idle| idle.len() < IDLE) {
            idle.push(conn);
        }
        result
    }

    /// Reads every row of a query.
    fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        mut read: impl FnMut(&Values, &Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.with(|conn| {
            let mut statement = conn.prepare_cached(sql).map_err(|error| self.failed(&error))?;
            let mut rows = statement.query(params).map_err(|error| self.failed(&error))?;
            let mut all = Vec::new();
            while let Some(row) = rows.next().map_err(|error| self.failed(&error))? {
                all.push(read(&self.values, row)?);
            }
            Ok(all)
        })
    }

    fn failed(&self, error: &rusqlite::Error) -> StoreError {
        sqlite_error(self.path(), error)
    }

    fn idle(&self) -> MutexGuard<'_, Option<Vec<Connected>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
