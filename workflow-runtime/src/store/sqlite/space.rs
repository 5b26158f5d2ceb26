//! The room of the file: what removed runs leave is used again, and given back
//! to the disk where it is a large part of the file.

use std::path::Path;

use rusqlite::Connection;

use super::errors::sqlite_error;
use crate::store::StoreError;

/// The kind of `auto_vacuum` where pages are given back when that is asked for.
const INCREMENTAL: i64 = 2;

/// How many pages are free at least before any is given back: 4 MiB.
const LEAST: i64 = if cfg!(test) { 16 } else { 1_024 };

/// A file that is no larger than that is written anew, once, so that its pages
/// can be given back: 16 MiB.
const SMALL: i64 = 4_096;

/// Has a database give its pages back. Only an empty one can be told; one that
/// was made by an earlier version is written anew where that takes no time.
pub(super) fn prepare(path: &Path, conn: &Connection) -> Result<(), StoreError> {
    let failed = |error| sqlite_error(path, &error);
    if ask(conn, "auto_vacuum").map_err(failed)? == INCREMENTAL {
        return Ok(());
    }
    conn.pragma_update(None, "auto_vacuum", INCREMENTAL).map_err(failed)?;
    let pages = ask(conn, "page_count").map_err(failed)?;
    if (1..=SMALL).contains(&pages)
        && let Err(error) = conn.execute_batch("VACUUM")
    {
        // As on a full disk. The next one who opens it tries again.
        tracing::debug!(%error, path = %path.display(), "the file keeps the room of what is removed");
    }
    Ok(())
}

/// Gives some pages back, and says whether more are to be: as long as more than
/// a quarter of the file is free. That much is soon used again.
pub(super) fn give_back(path: &Path, conn: &Connection, at_most: usize) -> Result<bool, StoreError> {
    let failed = |error| sqlite_error(path, &error);
    let [free, pages, kind] = ["freelist_count", "page_count", "auto_vacuum"].map(|name| ask(conn, name));
    let (free, pages) = (free.map_err(failed)?, pages.map_err(failed)?);
    if kind.map_err(failed)? != INCREMENTAL || free < LEAST || free <= pages / 4 {
        return Ok(false);
    }
    let mut statement = conn.prepare(&format!("PRAGMA incremental_vacuum({at_most})")).map_err(failed)?;
    // A page with each row.
    let mut rows = statement.query([]).map_err(failed)?;
    while rows.next().map_err(failed)?.is_some() {}
    Ok(true)
}

fn ask(conn: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, pragma, |row| row.get(0))
}
