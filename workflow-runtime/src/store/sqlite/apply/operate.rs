//! The small writes: requests and their answers, marks of schedules, keys, and
//! results that are too old.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Tables, Work, WriteFailure};
use crate::run::Timestamp;
use crate::store::sqlite::encode::{count, time};
use crate::store::sqlite::migrate::ENCRYPTED_ID;
use crate::store::{Answer, Request, SealedKey, StoreError, StoredSchedule, Tick};

/// Notes what an operator wants.
pub(in crate::store::sqlite) struct Ask(pub(in crate::store::sqlite) Request);

impl Work for Ask {
    type Outcome = i64;

    fn apply(&self, tables: &mut Tables<'_>) -> Result<i64, WriteFailure> {
        insert_request(tables.conn, &self.0).map_err(|error| tables.failed(&error))
    }
}

/// Also what another process does.
pub(in crate::store::sqlite) fn insert_request(
    conn: &Connection,
    request: &Request,
) -> rusqlite::Result<i64> {
    let Request { run, operation, actor, reason, at } = request;
    let sql = "INSERT INTO requests (run, operation, actor, reason, at) VALUES (?1, ?2, ?3, ?4, ?5)";
    conn.execute(sql, params![run, operation, actor, reason, time(*at)])?;
    Ok(conn.last_insert_rowid())
}

/// What became of a request that was taken back.
pub(in crate::store::sqlite) const WITHDRAWN: &str = "it was withdrawn by whoever asked for it";

/// Says what became of a request, if that has not been said; also what another
/// process does that takes it back.
pub(in crate::store::sqlite) fn answer_request(
    conn: &Connection,
    number: i64,
    answer: &Answer,
) -> rusqlite::Result<bool> {
    let (done, refused) = match &answer.result {
        Ok(done) => (Some(done), None),
        Err(refused) => (None, Some(refused)),
    };
    let sql = "UPDATE requests SET answered_at = ?2, done = ?3, refused = ?4 \
               WHERE number = ?1 AND answered_at IS NULL";
    Ok(conn.execute(sql, params![number, time(answer.at), done, refused])? > 0)
}

/// What has been withdrawn starts nothing.
pub(super) fn is_wanted(tables: &Tables<'_>, number: i64) -> Result<(), WriteFailure> {
    let sql = "SELECT refused FROM requests WHERE number = ?1";
    let refused = tables.conn.query_row(sql, [number], |row| row.get::<_, Option<String>>(0)).optional();
    match refused.map_err(|error| tables.failed(&error))?.flatten() {
        Some(refused) if refused == WITHDRAWN => Err(WriteFailure::Refused(StoreError::Withdrawn { number })),
        _ => Ok(()),
    }
}

/// Says what became of a request.
pub(in crate::store::sqlite) struct Reply {
    pub(in crate::store::sqlite) number: i64,
    pub(in crate::store::sqlite) answer: Answer,
}

impl Work for Reply {
    type Outcome = ();

    fn apply(&self, tables: &mut Tables<'_>) -> Result<(), WriteFailure> {
        reply(tables, self.number, &self.answer)
    }
}

/// Also what goes with the commit of what was wanted.
pub(super) fn reply(tables: &Tables<'_>, number: i64, answer: &Answer) -> Result<(), WriteFailure> {
    answer_request(tables.conn, number, answer).map(drop).map_err(|error| tables.failed(&error))
}

/// Moves a schedule's mark.
pub(in crate::store::sqlite) struct Mark(pub(in crate::store::sqlite) Tick);

impl Work for Mark {
    type Outcome = ();

    fn apply(&self, tables: &mut Tables<'_>) -> Result<(), WriteFailure> {
        tables.move_mark(&self.0)
    }
}

/// Says anew how far a schedule is.
pub(in crate::store::sqlite) struct PutSchedule(
    pub(in crate::store::sqlite) StoredSchedule,
    pub(in crate::store::sqlite) String,
);

impl Work for PutSchedule {
    type Outcome = ();

    fn apply(&self, tables: &mut Tables<'_>) -> Result<(), WriteFailure> {
        let sql = "INSERT INTO schedules (schedule, mark, rule) VALUES (?1, ?2, ?3) ON CONFLICT (schedule) \
                   DO UPDATE SET mark = excluded.mark, rule = excluded.rule";
        let Self(StoredSchedule { schedule, mark }, rule) = self;
        let put = tables.conn.execute(sql, params![schedule, time(*mark), rule]);
        put.map_err(|error| tables.failed(&error))?;
        Ok(())
    }
}

/// Replaces and adds sealed keys.
pub(in crate::store::sqlite) struct PutKeys(pub(in crate::store::sqlite) Vec<SealedKey>);

impl Work for PutKeys {
    type Outcome = ();

    fn apply(&self, tables: &mut Tables<'_>) -> Result<(), WriteFailure> {
        let sql = "INSERT INTO keys (id, sealed_with, sealed) VALUES (?1, ?2, ?3) ON CONFLICT (id) \
                   DO UPDATE SET sealed_with = excluded.sealed_with, sealed = excluded.sealed";
        for SealedKey { id, with, sealed } in &self.0 {
            let put = tables.conn.execute(sql, params![id, with, sealed]);
            put.map_err(|error| tables.failed(&error))?;
        }
        let marked = tables.conn.pragma_update(None, "application_id", ENCRYPTED_ID);
        marked.map_err(|error| tables.failed(&error))
    }
}

/// Removes results that may not be used any more.
pub(in crate::store::sqlite) struct Forget {
    pub(in crate::store::sqlite) now: Timestamp,
    pub(in crate::store::sqlite) at_most: usize,
}

impl Work for Forget {
    type Outcome = usize;

    fn apply(&self, tables: &mut Tables<'_>) -> Result<usize, WriteFailure> {
        let forget = || {
            let mut delete = tables.conn.prepare(
                "DELETE FROM remembered WHERE number IN ( \
                     SELECT number FROM remembered WHERE until <= ?1 ORDER BY until LIMIT ?2 \
                 ) RETURNING value_file",
            )?;
            let files = delete.query_map([time(self.now), count(self.at_most)], |row| row.get(0))?;
            files.collect::<rusqlite::Result<Vec<_>>>()
        };
        let files = forget().map_err(|error| tables.failed(&error))?;
        let forgotten = files.len();
        tables.let_go(files);
        Ok(forgotten)
    }
}
