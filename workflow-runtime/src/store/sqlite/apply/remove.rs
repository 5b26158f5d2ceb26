//! Removing what ended long ago.
//!
//! A run with few rows goes in one transaction. A larger one is detached first:
//! its row in `runs` goes, and with it the run for every reader, and its number
//! is noted in `removals`. What else there is of it then goes in pieces, also
//! by the next process when this one dies.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::{Tables, Work, WriteFailure};
use crate::run::Timestamp;
use crate::store::sqlite::encode::{count, time};

/// How many requests that belong to no run go at a time.
const REQUESTS: usize = 200;

/// How many rows a run has at most that goes in one transaction.
const WHOLE: usize = 128;

/// The next run to be removed, and those after it.
const ENDED: &str = "SELECT run FROM runs WHERE ended_at < ?1 ORDER BY ended_at, run LIMIT ?2";

/// Removes runs that ended before a time, with what belongs to them, up to one
/// that is too large.
#[derive(Clone, Copy)]
pub(in crate::store::sqlite) struct Remove {
    pub(in crate::store::sqlite) before: Timestamp,
    pub(in crate::store::sqlite) at_most: usize,
    /// How many rows go at most, where that is more than one run.
    pub(in crate::store::sqlite) rows: usize,
}

/// What a piece of a removal did.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::store::sqlite) struct Removed {
    pub(in crate::store::sqlite) runs: usize,
    /// Whether there may be more runs to remove.
    pub(in crate::store::sqlite) has_more: bool,
}

impl Work for Remove {
    type Outcome = Removed;

    fn apply(&self, tables: &mut Tables<'_>) -> Result<Removed, WriteFailure> {
        self.remove(tables).map_err(|error| tables.failed(&error))
    }
}

/// Detaches the next run, however large: no reader finds it any more. Applied
/// while foreign keys are not enforced, since its journal outlives its row.
#[derive(Clone, Copy)]
pub(in crate::store::sqlite) struct Detach {
    pub(in crate::store::sqlite) before: Timestamp,
}

impl Work for Detach {
    type Outcome = Removed;

    fn apply(&self, tables: &mut Tables<'_>) -> Result<Removed, WriteFailure> {
        let mut detach = || {
            let next = next(tables.conn, self.before)?;
            let Some(run) = next else { return Ok(Removed::default()) };
            let mut blueprints = BTreeSet::new();
            tables
                .conn
                .execute("INSERT INTO removals (run, id) SELECT run, id FROM runs WHERE run = ?1", [run])?;
            remove_row(tables, run, &mut blueprints)?;
            remove_blueprints(tables, blueprints)?;
            Ok(Removed { runs: 1, has_more: true })
        };
        detach().map_err(|error| tables.failed(&error))
    }
}

/// Removes rows of runs that are detached, and says whether more may be left.
#[derive(Clone, Copy)]
pub(in crate::store::sqlite) struct RemoveRest {
    pub(in crate::store::sqlite) rows: usize,
}

impl Work for RemoveRest {
    type Outcome = bool;

    fn apply(&self, tables: &mut Tables<'_>) -> Result<bool, WriteFailure> {
        self.remove(tables).map_err(|error| tables.failed(&error))
    }
}

impl RemoveRest {
    fn remove(&self, tables: &mut Tables<'_>) -> rusqlite::Result<bool> {
        let mut left = self.rows.max(1);
        let next =
            tables.conn.prepare_cached("SELECT min(run) FROM removals")?.query_row([], |row| row.get(0));
        let Some(run) = next? else { return Ok(false) };
        for sql in ROWS_OF_RUN {
            left -= delete(tables, sql, run, left)?;
            if left == 0 {
                return Ok(true);
            }
        }
        tables.conn.prepare_cached("DELETE FROM removals WHERE run = ?1")?.execute([run])?;
        Ok(true)
    }
}

/// What a run has beside its row: some of each table.
const ROWS_OF_RUN: [&str; 4] = [
    "DELETE FROM requests WHERE number IN \
     (SELECT number FROM requests WHERE answered_at IS NOT NULL AND run = \
      coalesce((SELECT id FROM runs WHERE run = ?1), (SELECT id FROM removals WHERE run = ?1)) LIMIT ?2) \
     RETURNING NULL",
    "DELETE FROM log_lines WHERE number IN \
     (SELECT number FROM log_lines WHERE run = ?1 LIMIT ?2) RETURNING NULL",
    "DELETE FROM effects WHERE number IN \
     (SELECT number FROM effects WHERE run = ?1 LIMIT ?2) RETURNING value_file",
    "DELETE FROM journal WHERE position IN \
     (SELECT position FROM journal WHERE run = ?1 ORDER BY seq DESC LIMIT ?2) RETURNING value_file",
];

/// Deletes rows of a run, lets go of their values, and returns how many those were.
fn delete(tables: &mut Tables<'_>, sql: &str, run: i64, at_most: usize) -> rusqlite::Result<usize> {
    let mut delete = tables.conn.prepare_cached(sql)?;
    let files = delete.query_map(params![run, count(at_most)], |row| row.get(0))?;
    let files = files.collect::<rusqlite::Result<Vec<Option<String>>>>()?;
    let rows = files.len();
    tables.let_go(files);
    Ok(rows)
}

fn next(conn: &Connection, before: Timestamp) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached(ENDED)?.query_row([time(before), 1], |row| row.get(0)).optional()
}

/// Whether the next run to be removed has more rows than go in one transaction.
pub(in crate::store::sqlite) fn is_next_large(
    conn: &Connection,
    before: Timestamp,
) -> rusqlite::Result<bool> {
    next(conn, before)?.map_or(Ok(false), |run| Ok(rows_of(conn, run)? > count(WHOLE)))
}

/// How many rows a run has, counted no further than to what is too many.
fn rows_of(conn: &Connection, run: i64) -> rusqlite::Result<i64> {
    let sql = "SELECT count(*) FROM (\
                   SELECT * FROM (SELECT 1 FROM journal WHERE run = ?1 LIMIT ?2) \
                   UNION ALL SELECT * FROM (SELECT 1 FROM log_lines WHERE run = ?1 LIMIT ?2) \
                   UNION ALL SELECT * FROM (SELECT 1 FROM effects WHERE run = ?1 LIMIT ?2) \
                   UNION ALL SELECT * FROM (\
                       SELECT 1 FROM requests WHERE run = (SELECT id FROM runs WHERE run = ?1) LIMIT ?2\
                   )\
               )";
    conn.prepare_cached(sql)?.query_row(params![run, count(WHOLE + 1)], |row| row.get(0))
}

/// Removes the row of a run, with the few that are found by it. `blueprints`
/// hears of those that it followed.
fn remove_row(tables: &mut Tables<'_>, run: i64, blueprints: &mut BTreeSet<i64>) -> rusqlite::Result<()> {
    let conn = tables.conn;
    let mut followed = conn.prepare_cached("DELETE FROM followed WHERE run = ?1 RETURNING hash")?;
    for hash in followed.query_map([run], |row| row.get(0))? {
        blueprints.insert(hash?);
    }
    let sql = "DELETE FROM runs WHERE run = ?1 RETURNING result_file, fingerprint";
    let mut row = conn.prepare_cached(sql)?;
    let (file, hash) = row.query_row([run], |row| Ok((row.get(0)?, row.get(1)?)))?;
    tables.let_go([file]);
    blueprints.insert(hash);
    Ok(())
}

/// Removes the blueprints that no run follows any more.
fn remove_blueprints(tables: &mut Tables<'_>, blueprints: BTreeSet<i64>) -> rusqlite::Result<()> {
    let mut blueprint = tables.conn.prepare_cached(
        "DELETE FROM blueprints WHERE hash = ?1 \
         AND NOT EXISTS (SELECT 1 FROM runs WHERE fingerprint = ?1) \
         AND NOT EXISTS (SELECT 1 FROM followed WHERE hash = ?1)",
    )?;
    for hash in blueprints {
        blueprint.execute([hash])?;
        // If it has gone, the next run that follows it brings it again.
        tables.blueprints.remove(&hash.cast_unsigned());
    }
    Ok(())
}

impl Remove {
    fn remove(&self, tables: &mut Tables<'_>) -> rusqlite::Result<Removed> {
        let conn = tables.conn;
        let before = time(self.before);
        let at_most = self.at_most.min(self.rows.max(1));
        let runs = conn
            .prepare_cached(ENDED)?
            .query_map([before, count(at_most)], |row| row.get(0))?
            .collect::<rusqlite::Result<Vec<i64>>>()?;
        let mut blueprints = BTreeSet::new();
        let (mut removed, mut rows) = (0, 0);
        for run in &runs {
            rows += rows_of(conn, *run)?;
            if rows > count(if removed == 0 { WHOLE } else { self.rows }) {
                break;
            }
            for sql in ROWS_OF_RUN {
                delete(tables, sql, *run, usize::MAX)?;
            }
            remove_row(tables, *run, &mut blueprints)?;
            removed += 1;
        }
        remove_blueprints(tables, blueprints)?;
        if runs.len() == at_most || removed < runs.len() {
            return Ok(Removed { runs: removed, has_more: true });
        }
        // Those about no run at all, or about one that went before them.
        let sql = "DELETE FROM requests WHERE number IN ( \
                       SELECT number FROM requests WHERE answered_at < ?1 AND ( \
                           run IS NULL OR NOT EXISTS (SELECT 1 FROM runs WHERE runs.id = requests.run) \
                       ) LIMIT ?2 \
                   )";
        conn.prepare_cached(sql)?.execute(params![before, count(REQUESTS)])?;
        Ok(Removed { runs: removed, has_more: false })
    }
}
