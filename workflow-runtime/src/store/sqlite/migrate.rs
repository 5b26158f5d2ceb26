//! From an older schema to today's, forward only.

use rusqlite::Connection;

/// Marks a database as one of these.
pub(super) const APPLICATION_ID: i64 = u32::from_be_bytes(*b"Wkfl") as i64;

/// Marks one of these whose values are encrypted. It stays when a user removes
/// the keys, so that the store is not taken for one that is in clear.
pub(super) const ENCRYPTED_ID: i64 = u32::from_be_bytes(*b"WkfE") as i64;

pub(super) fn application_id(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("PRAGMA application_id", [], |row| row.get(0))
}

/// What takes a database from version `n` to `n + 1`, from version 0, which
/// is empty. A step that was released is never changed again.
pub(super) const STEPS: &[&str] = &[
    include_str!("schema1.sql"),
    include_str!("schema2.sql"),
    include_str!("schema3.sql"),
    include_str!("schema4.sql"),
    include_str!("schema5.sql"),
];

pub(super) fn latest() -> i64 {
    STEPS.len() as i64
}

pub(super) fn version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Takes the steps that are missing, each in its own transaction, so that a
/// process that dies on the way leaves a version that the next one goes on
/// from. A new database has all of them or none: who looks at it meanwhile
/// finds nothing that would have to be brought up to date.
pub(super) fn migrate(conn: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    let from = usize::try_from(version(conn)?).unwrap_or(usize::MAX);
    if from == 0 {
        return take(conn, &steps.concat(), steps.len());
    }
    for (number, step) in steps.iter().enumerate().skip(from) {
        take(conn, step, number + 1)?;
    }
    Ok(())
}

fn take(conn: &mut Connection, step: &str, version: usize) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    tx.execute_batch(step)?;
    if application_id(&tx)? != ENCRYPTED_ID {
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    tx.pragma_update(None, "user_version", version as i64)?;
    tx.commit()
}
