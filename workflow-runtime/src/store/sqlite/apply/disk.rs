//! Whether commits wait for the disk.

use std::path::Path;

use rusqlite::{Connection, ffi};

use crate::store::StoreError;
use crate::store::sqlite::errors::sqlite_error;
use crate::store::sqlite::open::set;

/// `synchronous` where a commit is written to the log and no more: it survives
/// the process, and the machine once a later commit has waited for the disk.
const NORMAL: i64 = 1;

/// What the connection's `synchronous` is, and what the store was opened with.
pub(super) struct Disk {
    wanted: i64,
    now: i64,
    /// Whether the log may not be on the disk, though that was waited for.
    in_doubt: bool,
}

impl Disk {
    pub(super) fn of(conn: &Connection) -> rusqlite::Result<Self> {
        let wanted = conn.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
        Ok(Self { wanted, now: wanted, in_doubt: false })
    }

    /// A commit has failed. Where the system has failed to bring the log to
    /// the disk, it takes what it could not write for written, so that the
    /// next time says nothing of it; and what lies behind a hole in the log is
    /// lost when the power goes. So nothing is committed before the log has
    /// begun anew.
    pub(super) fn doubt(&mut self, error: &rusqlite::Error) {
        let unsynced = [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_DIR_FSYNC];
        self.in_doubt |= matches!(error, rusqlite::Error::SqliteFailure(code, _) if unsynced.contains(&code.extended_code));
    }

    /// Outside of a transaction. After an error it is set once more before the
    /// next one, so nothing counts as durable that is not.
    pub(super) fn wait(&mut self, path: &Path, conn: &Connection, wait: bool) -> Result<(), StoreError> {
        if self.in_doubt {
            begin_log_anew(path, conn)?;
            self.in_doubt = false;
        }
        let needed = if wait { self.wanted } else { self.wanted.min(NORMAL) };
        if self.now != needed {
            self.now = -1;
            set(path, conn, "synchronous", &needed.to_string(), &needed.to_string())?;
            self.now = needed;
        }
        Ok(())
    }
}

/// Has the log begin anew, with all that it holds in the database.
fn begin_log_anew(path: &Path, conn: &Connection) -> Result<(), StoreError> {
    let moved = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    match moved.map_err(|error| sqlite_error(path, &error))? {
        0 => Ok(()),
        // Another connection reads it; that does not take long.
        _ => Err(StoreError::Busy { path: path.to_owned() }),
    }
}
