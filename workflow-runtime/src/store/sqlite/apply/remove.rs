//! Removing what ended long ago.

use std::collections::BTreeSet;

use rusqlite::params;

use super::{Tables, Work, WriteFailure};
use crate::run::Timestamp;
use crate::store::sqlite::encode::{count, time};

/// How many requests that belong to no run go at a time.
const REQUESTS: usize = 200;

/// Removes runs that ended before a time, with what belongs to them.
#[derive(Clone, Copy)]
pub(in crate::store::sqlite) struct Remove {
    pub(in crate::store::sqlite) before: Timestamp,
    pub(in crate::store::sqlite) at_most: usize,
}

impl Work for Remove {
    type Outcome = usize;

    fn apply(&self, tables: &mut Tables<'_>) -> Result<usize, WriteFailure> {
        self.remove(tables).map_err(|error| tables.failed(&error))
    }
}

impl Remove {
    fn remove(&self, tables: &mut Tables<'_>) -> rusqlite::Result<usize> {
        let conn = tables.conn;
        let (before, at_most) = (time(self.before), count(self.at_most));
        let mut ended =
            conn.prepare_cached("SELECT run FROM runs WHERE ended_at < ?1 ORDER BY ended_at, run LIMIT ?2")?;
        let runs = ended.query_map([before, at_most], |row| row.get(0))?;
        let runs = runs.collect::<rusqlite::Result<Vec<i64>>>()?;
        let mut journal = conn.prepare_cached("DELETE FROM journal WHERE run = ?1 RETURNING value_file")?;
        let mut effects = conn.prepare_cached("DELETE FROM effects WHERE run = ?1 RETURNING value_file")?;
        let mut followed = conn.prepare_cached("DELETE FROM followed WHERE run = ?1 RETURNING hash")?;
        let mut requests = conn.prepare_cached(
            "DELETE FROM requests WHERE run = (SELECT id FROM runs WHERE run = ?1) \
             AND answered_at IS NOT NULL",
        )?;
        let mut lines = conn.prepare_cached("DELETE FROM log_lines WHERE run = ?1")?;
        let mut row =
            conn.prepare_cached("DELETE FROM runs WHERE run = ?1 RETURNING result_file, fingerprint")?;
        let mut blueprints = BTreeSet::<i64>::new();
        for run in &runs {
            let files = journal.query_map([run], |row| row.get(0))?;
            tables.let_go(files.collect::<rusqlite::Result<Vec<_>>>()?);
            let files = effects.query_map([run], |row| row.get(0))?;
            tables.let_go(files.collect::<rusqlite::Result<Vec<_>>>()?);
            for hash in followed.query_map([run], |row| row.get(0))? {
                blueprints.insert(hash?);
            }
            requests.execute([run])?;
            lines.execute([run])?;
            let (file, hash) = row.query_row([run], |row| Ok((row.get(0)?, row.get(1)?)))?;
            tables.let_go([file]);
            blueprints.insert(hash);
        }
        let mut blueprint = conn.prepare_cached(
            "DELETE FROM blueprints WHERE hash = ?1 \
             AND NOT EXISTS (SELECT 1 FROM runs WHERE fingerprint = ?1) \
             AND NOT EXISTS (SELECT 1 FROM followed WHERE hash = ?1)",
        )?;
        for hash in blueprints {
            blueprint.execute([hash])?;
            // If it has gone, the next run that follows it brings it again.
            tables.blueprints.remove(&hash.cast_unsigned());
        }
        if runs.len() == self.at_most {
            return Ok(runs.len());
        }
        // Those about no run at all, or about one that went before them.
        let sql = "DELETE FROM requests WHERE number IN ( \
                       SELECT number FROM requests WHERE answered_at < ?1 AND ( \
                           run IS NULL OR NOT EXISTS (SELECT 1 FROM runs WHERE runs.id = requests.run) \
                       ) LIMIT ?2 \
                   )";
        conn.prepare_cached(sql)?.execute(params![before, count(REQUESTS)])?;
        Ok(runs.len())
    }
}
