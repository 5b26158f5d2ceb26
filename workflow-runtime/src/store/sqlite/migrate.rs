//! From an older schema to today's, forward only.

use rusqlite::Connection;

/// Marks a database as one of these.
pub(super) const APPLICATION_ID: i64 = u32::from_be_bytes(*b"Wkfl") as i64;

/// What takes a database from version `n` to `n + 1`, from version 0, which
/// is empty. A step that was released is never changed again.
pub(super) const STEPS: &[&str] = &[
    include_str!("schema1.sql"),
    include_str!("schema2.sql"),
    include_str!("schema3.sql"),
    include_str!("schema4.sql"),
];

pub(super) fn latest() -> i64 {
    STEPS.len() as i64
}

pub(super) fn version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Takes the steps that are missing, each in its own transaction, so that a
/// process that dies on the way leaves a version that the next one goes on
/// from.
pub(super) fn migrate(conn: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    let from = usize::try_from(version(conn)?).unwrap_or(usize::MAX);
    for (number, step) in steps.iter().enumerate().skip(from) {
        let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        tx.execute_batch(step)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", number as i64 + 1)?;
        tx.commit()?;
    }
    Ok(())
}
