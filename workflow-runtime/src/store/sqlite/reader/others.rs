//! Everything but runs.

use rusqlite::{OptionalExtension, Row, params};

use super::Reader;
use super::runs::THERE;
use crate::run::Timestamp;
use crate::store::sqlite::encode::{count, time};
#[cfg(feature = "app")]
use crate::store::sqlite::errors::sqlite_error;
use crate::store::sqlite::migrate::{self, ENCRYPTED_ID};
use crate::store::sqlite::rows;
use crate::store::sqlite::values::Values;
use crate::store::{
    LogFilter, Payload, RunRef, SealedKey, StoreError, StoredLine, StoredRequest, StoredRule, StoredSchedule,
};

impl Reader {
    pub(in crate::store::sqlite) fn blueprint(&self, hash: u64) -> Result<Option<String>, StoreError> {
        let sql = "SELECT blueprint FROM blueprints WHERE hash = ?1";
        self.with(|conn| {
            let found = conn.query_row(sql, [hash.cast_signed()], |row| row.get(0)).optional();
            found.map_err(|error| match error {
                rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::InvalidColumnType(..) => {
                    let what = format!("table `blueprints`, row {}: {error}", hash.cast_signed());
                    StoreError::Damaged { path: self.path().to_owned(), what }
                }
                error => self.failed(&error),
            })
        })
    }

    pub(in crate::store::sqlite) fn remembered(
        &self,
        key: &[u8],
        now: Timestamp,
    ) -> Result<Option<Payload>, StoreError> {
        let columns = rows::REMEMBERED_COLUMNS;
        let sql = format!("SELECT {columns} FROM remembered WHERE key = ?1 AND until > ?2");
        let read = || Ok(self.rows(&sql, params![key, time(now)], rows::remembered)?.pop());
        // Its file may have gone together with it, after the row was read.
        match read() {
            Err(StoreError::Damaged { .. } | StoreError::Value { .. }) => read(),
            read => read,
        }
    }

    pub(in crate::store::sqlite) fn effect(
        &self,
        run: RunRef,
        key: &str,
    ) -> Result<Option<Payload>, StoreError> {
        let columns = rows::EFFECT_COLUMNS;
        let sql = format!("SELECT {columns} FROM effects WHERE {THERE} AND key = ?2");
        Ok(self.rows(&sql, params![run.0, key], rows::effect)?.pop())
    }

    pub(in crate::store::sqlite) fn was_encrypted(&self) -> Result<bool, StoreError> {
        let id = self.with(|conn| migrate::application_id(conn).map_err(|error| self.failed(&error)))?;
        Ok(id == ENCRYPTED_ID)
    }

    /// What all transactions of tasks gave back.
    #[cfg(feature = "app")]
    pub(in crate::store::sqlite) fn effects(&self) -> Result<Vec<(RunRef, String, Payload)>, StoreError> {
        let sql = format!(
            "SELECT {}, run, key FROM effects WHERE run IN (SELECT run FROM runs) ORDER BY number",
            rows::EFFECT_COLUMNS
        );
        self.readable(&sql, [], "what a transaction gave back", |values, row| {
            let payload = rows::effect(values, row)?;
            let place = row.get(4).and_then(|run| Ok((RunRef(run), row.get(5)?)));
            let (run, key) = place.map_err(|error| sqlite_error(values.database(), &error))?;
            Ok((run, key, payload))
        })
    }

    /// Every result that later runs may use, with what it is the result of.
    #[cfg(feature = "app")]
    pub(in crate::store::sqlite) fn all_remembered(&self) -> Result<Vec<(Vec<u8>, Payload)>, StoreError> {
        let sql = format!("SELECT {}, key FROM remembered ORDER BY number", rows::REMEMBERED_COLUMNS);
        self.readable(&sql, [], "a remembered result", |values, row| {
            let payload = rows::remembered(values, row)?;
            let key = row.get(4).map_err(|error| sqlite_error(values.database(), &error))?;
            Ok((key, payload))
        })
    }

    pub(in crate::store::sqlite) fn open_requests(&self) -> Result<Vec<StoredRequest>, StoreError> {
        let columns = rows::REQUEST_COLUMNS;
        let sql = format!("SELECT {columns} FROM requests WHERE answered_at IS NULL ORDER BY number");
        self.readable(&sql, [], "a request", rows::request)
    }

    pub(in crate::store::sqlite) fn requests(
        &self,
        run: Option<&str>,
        at_most: usize,
    ) -> Result<Vec<StoredRequest>, StoreError> {
        let (columns, at_most) = (rows::REQUEST_COLUMNS, count(at_most));
        let of_all = format!("SELECT {columns} FROM requests ORDER BY number DESC LIMIT ?1");
        let of_one = format!(
            "SELECT {columns} FROM requests WHERE run = ?2 OR (run IS NULL AND done = ?2) \
             ORDER BY number DESC LIMIT ?1"
        );
        match run {
            None => self.readable(&of_all, params![at_most], "a request", rows::request),
            Some(run) => self.readable(&of_one, params![at_most, run], "a request", rows::request),
        }
    }

    pub(in crate::store::sqlite) fn request(&self, number: i64) -> Result<Option<StoredRequest>, StoreError> {
        let sql = format!("SELECT {} FROM requests WHERE number = ?1", rows::REQUEST_COLUMNS);
        Ok(self.rows(&sql, [number], rows::request)?.pop())
    }

    /// As with runs: one that cannot be read does not hide the others.
    fn readable<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        what: &str,
        read: impl Fn(&Values, &Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let found = self.rows(sql, params, |values, row| match read(values, row) {
            Ok(found) => Ok(Some(found)),
            Err(error @ (StoreError::Damaged { .. } | StoreError::Value { .. })) => {
                tracing::error!(%error, "{what} cannot be read and is left out");
                Ok(None)
            }
            Err(error) => Err(error),
        })?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The highest number of a request. No number is given twice, so another
    /// process's request always makes it another one; what this process
    /// commits of its runs does not.
    pub(in crate::store::sqlite) fn last_request(&self) -> Result<i64, StoreError> {
        let sql = "SELECT coalesce(max(number), 0) FROM requests";
        self.with(|conn| {
            let last = conn.query_row(sql, [], |row| row.get(0));
            last.map_err(|error| self.failed(&error))
        })
    }

    pub(in crate::store::sqlite) fn schedules(&self) -> Result<Vec<StoredSchedule>, StoreError> {
        let sql = format!("SELECT {} FROM schedules ORDER BY schedule", rows::SCHEDULE_COLUMNS);
        self.rows(&sql, [], rows::schedule)
    }

    pub(in crate::store::sqlite) fn rules(&self) -> Result<Vec<StoredRule>, StoreError> {
        let columns = rows::RULE_COLUMNS;
        let sql = format!("SELECT {columns} FROM schedules WHERE rule IS NOT NULL ORDER BY schedule");
        self.rows(&sql, [], rows::rule)
    }

    pub(in crate::store::sqlite) fn logs(
        &self,
        run: RunRef,
        filter: &LogFilter,
    ) -> Result<Vec<StoredLine>, StoreError> {
        let sql = format!(
            "SELECT {} FROM log_lines WHERE {THERE} AND number > ?2 AND (?3 IS NULL OR attempt = ?3) \
             AND (?4 IS NULL OR path = ?4 OR substr(path, 1, length(?4) + 1) IN (?4 || '/', ?4 || '[')) \
             ORDER BY number LIMIT ?5",
            rows::LINE_COLUMNS
        );
        let LogFilter { path, attempt, after, at_most } = filter;
        let after = after.unwrap_or(i64::MIN);
        let params = params![run.0, after, attempt, path, count(*at_most)];
        self.readable(&sql, params, "a line of a log", rows::line)
    }

    pub(in crate::store::sqlite) fn keys(&self) -> Result<Vec<SealedKey>, StoreError> {
        let sql = format!("SELECT {} FROM keys ORDER BY id", rows::KEY_COLUMNS);
        self.rows(&sql, [], rows::key)
    }
}
