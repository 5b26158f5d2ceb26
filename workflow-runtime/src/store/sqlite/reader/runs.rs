//! Runs and their journals.

use rusqlite::{Connection, OptionalExtension, Params, Statement, params, params_from_iter};

use super::{Reader, filter};
use crate::run::Timestamp;
use crate::store::sqlite::encode::{FOREVER, count, time};
use crate::store::sqlite::rows;
use crate::store::sqlite::values::{Lost, Name};
use crate::store::{EachJournal, RunFilter, RunRef, StoreError, StoredEntry, StoredRun, Unfinished};

/// How many runs are found by a prefix.
const FOUND: usize = 20;

/// Runs, and those that could not be read.
#[derive(Default)]
struct ReadRuns {
    good: Vec<StoredRun>,
    left_out: Vec<(RunRef, StoreError)>,
}

impl ReadRuns {
    /// Takes in others, in order, and leaves what is more than a page to the
    /// next one.
    fn merge(&mut self, others: Self, at_most: usize) {
        if !others.good.is_empty() {
            self.good.extend(others.good);
            self.good.sort_unstable_by_key(|run| run.run);
            self.good.truncate(at_most);
        }
        self.left_out.extend(others.left_out);
        if self.good.len() >= at_most {
            let last = self.good.last().map(|run| run.run);
            self.left_out.retain(|(run, _)| Some(*run) < last);
        }
    }
}

impl Reader {
    pub(in crate::store::sqlite) fn unfinished(
        &self,
        which: Unfinished,
        after: Option<RunRef>,
        at_most: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        self.tolerant(|conn, runs| {
            // Each statement by itself would be a transaction, which costs more
            // than what it reads.
            let _view = conn.unchecked_transaction()?;
            match which {
                Unfinished::All => self.take_by_number(conn, &unfinished_sql(), after, at_most, runs),
                Unfinished::Awake(now) => {
                    self.take_by_number(conn, &awake_sql(), after, at_most, runs)?;
                    let mut due = ReadRuns::default();
                    self.take_due(conn, now, after, at_most, &mut due)?;
                    runs.merge(due, at_most);
                    Ok(())
                }
                Unfinished::Due(now) => self.take_due(conn, now, after, at_most, runs),
                Unfinished::BackingOff(since) => {
                    let sql = "SELECT run FROM runs INDEXED BY runs_by_backoff \
                               WHERE ended_at IS NULL AND backoff_since > ?2 AND backoff_since < ?4 AND run > ?1 \
                               ORDER BY run LIMIT ?3";
                    self.take_by_time(conn, sql, since, after, at_most, runs)
                }
            }
        })
    }

    fn take_by_number(
        &self,
        conn: &Connection,
        sql: &str,
        after: Option<RunRef>,
        at_most: usize,
        runs: &mut ReadRuns,
    ) -> rusqlite::Result<()> {
        let after = after.map_or(i64::MIN, |run| run.0);
        self.take(&mut *conn.prepare_cached(sql)?, params![after], at_most, runs)
    }

    fn take_due(
        &self,
        conn: &Connection,
        now: Timestamp,
        after: Option<RunRef>,
        at_most: usize,
        runs: &mut ReadRuns,
    ) -> rusqlite::Result<()> {
        let sql = "SELECT run FROM runs INDEXED BY runs_by_wake \
                   WHERE ended_at IS NULL AND wake_at <= ?2 AND wake_at < ?4 AND run > ?1 \
                   ORDER BY run LIMIT ?3";
        self.take_by_time(conn, sql, now, after, at_most, runs)
    }

    /// `sql` selects numbers first, since what is found by time has to be
    /// sorted.
    fn take_by_time(
        &self,
        conn: &Connection,
        sql: &str,
        at: Timestamp,
        after: Option<RunRef>,
        at_most: usize,
        runs: &mut ReadRuns,
    ) -> rusqlite::Result<()> {
        let mut numbers = conn.prepare_cached(sql)?;
        let one = format!("SELECT {} FROM runs WHERE run = ?1", rows::RUN_COLUMNS);
        let mut one = conn.prepare_cached(&one)?;
        let mut after = after.map_or(i64::MIN, |run| run.0);
        loop {
            let found = numbers
                .query_map(params![after, time(at), count(at_most), FOREVER], |row| row.get(0))?
                .collect::<rusqlite::Result<Vec<i64>>>()?;
            for run in &found {
                self.take(&mut one, params![run], at_most, runs)?;
            }
            match found.last() {
                // As many as one could not read are missing.
                Some(last) if found.len() >= at_most && runs.good.len() < at_most => after = *last,
                _ => return Ok(()),
            }
        }
    }

    pub(in crate::store::sqlite) fn next_wake(
        &self,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT min(wake_at) FROM runs INDEXED BY runs_by_wake \
                   WHERE ended_at IS NULL AND wake_at > ?1 AND wake_at < ?2";
        let next: Option<i64> = self.with(|conn| {
            let next = conn.query_row(sql, [time(now), FOREVER], |row| row.get(0));
            next.map_err(|error| self.failed(&error))
        })?;
        Ok(next.map(|next| Timestamp(u64::try_from(next).unwrap_or_default())))
    }

    pub(in crate::store::sqlite) fn list(&self, filter: &RunFilter) -> Result<Vec<StoredRun>, StoreError> {
        self.tolerant(|conn, runs| self.filtered(conn, filter, runs))
    }

    /// What is asked for by its name is told when it cannot be read.
    pub(in crate::store::sqlite) fn find(&self, prefix: &str) -> Result<Vec<StoredRun>, StoreError> {
        let id_prefix = Some(prefix.to_owned());
        self.named(&RunFilter { id_prefix, at_most: FOUND, ..RunFilter::default() })
    }

    /// As with [`find`](Self::find).
    pub(in crate::store::sqlite) fn by_key(&self, key: &str) -> Result<Option<StoredRun>, StoreError> {
        let key = Some(key.to_owned());
        Ok(self.named(&RunFilter { key, at_most: 1, ..RunFilter::default() })?.pop())
    }

    fn named(&self, filter: &RunFilter) -> Result<Vec<StoredRun>, StoreError> {
        let mut runs = ReadRuns::default();
        self.with(|conn| {
            self.filtered(conn, filter, &mut runs).map_err(|error| self.failed(&error))?;
            self.confirm(conn, &mut runs)
        })?;
        match runs.left_out.into_iter().next() {
            Some((_, damage)) if runs.good.is_empty() => Err(damage),
            _ => Ok(runs.good),
        }
    }

    fn filtered(&self, conn: &Connection, filter: &RunFilter, runs: &mut ReadRuns) -> rusqlite::Result<()> {
        let (sql, values) = filter::statement(filter);
        self.take(&mut *conn.prepare_cached(&sql)?, params_from_iter(values), filter.at_most, runs)
    }

    pub(in crate::store::sqlite) fn journal(&self, run: RunRef) -> Result<Vec<StoredEntry>, StoreError> {
        // A value that is not there may have gone together with the run, after
        // the journal was looked at.
        match self.journal_now(run) {
            Err(StoreError::Damaged { .. } | StoreError::Value { .. }) => self.journal_now(run),
            read => read,
        }
    }

    pub(in crate::store::sqlite) fn journals(&self, runs: &[RunRef], each: &mut EachJournal<'_>) {
        let mut left = runs.iter();
        let read = self.with(|conn| {
            let failed = |error| self.failed(&error);
            // As for the page that the runs came with.
            let _view = conn.unchecked_transaction().map_err(failed)?;
            let mut statement = conn.prepare_cached(&journal_sql()).map_err(failed)?;
            for run in left.by_ref() {
                each(
                    *run,
                    match self.entries(conn, &mut statement, *run) {
                        Err(StoreError::Damaged { .. } | StoreError::Value { .. }) => self.journal(*run),
                        read => read,
                    },
                );
            }
            Ok(())
        });
        if let Err(error) = read {
            left.for_each(|run| each(*run, Err(error.clone())));
        }
    }

    /// The entries of a journal one after the other, without their values: of
    /// each it says only whether there is one. A caller that is not interested
    /// any more says so.
    /// How many runs a filter lets through, counted up to its `at_most`.
    #[cfg(feature = "serve")]
    pub(in crate::store::sqlite) fn count(&self, filter: &RunFilter) -> Result<usize, StoreError> {
        let (sql, values) = filter::count_statement(filter);
        let count = |conn: &Connection| {
            conn.prepare_cached(&sql)?.query_row(params_from_iter(values), |row| row.get::<_, u32>(0))
        };
        self.with(|conn| count(conn).map(|count| count as usize).map_err(|error| self.failed(&error)))
    }

    #[cfg(feature = "app")]
    pub(in crate::store::sqlite) fn each_event(
        &self,
        run: RunRef,
        each: &mut dyn FnMut(StoredEntry) -> bool,
    ) -> Result<(), StoreError> {
        self.with(|conn| {
            let failed = |error| self.failed(&error);
            let mut statement = conn.prepare_cached(&events_sql()).map_err(failed)?;
            let mut rows = statement.query([run.0]).map_err(failed)?;
            let mut seq = 0;
            while let Some(row) = rows.next().map_err(failed)? {
                if !each(rows::entry(&self.values, row, || run.0.to_string(), seq)?) {
                    break;
                }
                seq += 1;
            }
            Ok(())
        })
    }

    /// The events of a journal that have a word in them.
    #[cfg(feature = "app")]
    pub(in crate::store::sqlite) fn events_with(
        &self,
        run: RunRef,
        word: &str,
    ) -> Result<Vec<String>, StoreError> {
        let sql = format!("SELECT event FROM journal WHERE {THERE} AND instr(event, ?2) > 0 ORDER BY seq");
        self.rows(&sql, (run.0, word), |_, row| row.get(0).map_err(|error| self.failed(&error)))
    }

    fn journal_now(&self, run: RunRef) -> Result<Vec<StoredEntry>, StoreError> {
        self.with(|conn| {
            let mut statement = conn.prepare_cached(&journal_sql()).map_err(|error| self.failed(&error))?;
            self.entries(conn, &mut statement, run)
        })
    }

    fn entries(
        &self,
        conn: &Connection,
        statement: &mut Statement<'_>,
        run: RunRef,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        let failed = |error| self.failed(&error);
        let id = || {
            let sql = "SELECT CAST(id AS BLOB) FROM runs WHERE run = ?1";
            conn.query_row(sql, [run.0], |row| row.get::<_, Vec<u8>>(0)).optional()
        };
        // For messages alone.
        let name = || String::from_utf8_lossy(&id().ok().flatten().unwrap_or_default()).into_owned();
        let mut rows = statement.query([run.0]).map_err(failed)?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            entries.push(rows::entry(&self.values, row, name, entries.len() as u64)?);
        }
        match entries.is_empty() && id().map_err(failed)?.is_none() {
            true => Err(StoreError::UnknownRun { run }),
            false => Ok(entries),
        }
    }

    /// Leaves out what cannot be read, and says so: one run does not hide all
    /// the others.
    fn tolerant(
        &self,
        ask: impl FnOnce(&Connection, &mut ReadRuns) -> rusqlite::Result<()>,
    ) -> Result<Vec<StoredRun>, StoreError> {
        let mut runs = ReadRuns::default();
        self.with(|conn| {
            ask(conn, &mut runs).map_err(|error| self.failed(&error))?;
            self.confirm(conn, &mut runs)
        })?;
        for (run, error) in &runs.left_out {
            tracing::error!(%error, run = run.0, "a run cannot be read and is left out");
        }
        Ok(runs.good)
    }

    /// Takes runs from a query until there are `at_most`.
    fn take(
        &self,
        statement: &mut Statement<'_>,
        params: impl Params,
        at_most: usize,
        runs: &mut ReadRuns,
    ) -> rusqlite::Result<()> {
        let mut rows = statement.query(params)?;
        while runs.good.len() < at_most
            && let Some(row) = rows.next()?
        {
            match rows::run(&self.values, row) {
                Ok(run) => runs.good.push(run),
                Err(error) => runs.left_out.push((RunRef(row.get(0)?), error)),
            }
        }
        Ok(())
    }

    /// A run that is gone by now is not damaged: its values went with it.
    fn confirm(&self, conn: &Connection, runs: &mut ReadRuns) -> Result<(), StoreError> {
        let mut gone = Vec::new();
        for (run, _) in &runs.left_out {
            let sql = "SELECT EXISTS (SELECT 1 FROM runs WHERE run = ?1)";
            let there = conn.query_row(sql, [run.0], |row| row.get(0));
            if !there.map_err(|error| self.failed(&error))? {
                gone.push(*run);
            }
        }
        runs.left_out.retain(|(run, _)| !gone.contains(run));
        Ok(())
    }
}

impl Reader {
    /// The values of a run that are files, and not there or not what they were:
    /// whose each is, and what is wrong.
    pub(in crate::store::sqlite) fn lost(&self, run: RunRef) -> Result<Vec<StoreError>, StoreError> {
        let files: Vec<(Option<i64>, Option<String>, String)> = self.with(|conn| {
            let read = || {
                let mut statement = conn.prepare_cached(LOST)?;
                let rows = statement.query_map([run.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
                rows.collect::<rusqlite::Result<_>>()
            };
            read().map_err(|error| self.failed(&error))
        })?;
        let mut lost = Vec::new();
        for (seq, step, file) in files {
            let Some(name) = Name::parse(&file) else { continue };
            let Err(Lost { is_missing }) = self.values.read(&name)? else { continue };
            let what = match (seq, step) {
                (None, _) => "the result of the run".to_owned(),
                (Some(seq), Some(step)) => format!("the value of step `{step}`, entry {seq} of the journal,"),
                (Some(seq), None) => format!("the value of entry {seq} of the journal"),
            };
            lost.push(StoreError::Value { what, file: self.values.path(&name), is_missing });
        }
        Ok(lost)
    }
}

/// The files of a run's values. What has changed with an entry is its step
/// first.
const LOST: &str = "SELECT seq, iif(json_valid(changes), json_extract(changes, '$[0].path'), NULL), value_file \
     FROM journal WHERE run = ?1 AND EXISTS (SELECT 1 FROM runs WHERE run = ?1) AND value_file IS NOT NULL \
     UNION ALL SELECT NULL, NULL, result_file FROM runs WHERE run = ?1 AND result_file IS NOT NULL";

/// Rows of a run that is there: those of one that is being removed stay for a
/// while, and belong to nothing.
pub(super) const THERE: &str = "run = ?1 AND EXISTS (SELECT 1 FROM runs WHERE run = ?1)";

fn journal_sql() -> String {
    format!("SELECT {} FROM journal WHERE {THERE} ORDER BY seq", rows::ENTRY_COLUMNS)
}

/// What [`rows::entry`] reads, for [`Reader::each_event`].
#[cfg(feature = "app")]
fn events_sql() -> String {
    let value = "CASE WHEN value IS NOT NULL OR value_file IS NOT NULL THEN x'' END";
    format!(
        "SELECT position, seq, at, event, {value}, value_type, NULL FROM journal WHERE {THERE} ORDER BY seq"
    )
}

/// The awake ones come by number, the sleeping ones by time: a million that
/// sleep are not looked at to find the few that wake.
fn unfinished_sql() -> String {
    format!("SELECT {} FROM runs WHERE ended_at IS NULL AND run > ?1 ORDER BY run", rows::RUN_COLUMNS)
}

pub(in crate::store::sqlite) fn awake_sql() -> String {
    format!(
        "SELECT {} FROM runs INDEXED BY runs_by_wake \
         WHERE ended_at IS NULL AND wake_at IS NULL AND run > ?1 ORDER BY run",
        rows::RUN_COLUMNS
    )
}
