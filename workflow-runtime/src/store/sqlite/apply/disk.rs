//! Whether commits wait for the disk.

use std::path::Path;

use rusqlite::Connection;

use crate::store::StoreError;
use crate::store::sqlite::open::set;

/// `synchronous` where a commit is written to the log and no more: it survives
/// the process, and the machine once a later commit has waited for the disk.
const NORMAL: i64 = 1;

/// What the connection's `synchronous` is, and what the store was opened with.
pub(super) struct Disk {
    wanted: i64,
    now: i64,
}

impl Disk {
    pub(super) fn of(conn: &Connection) -> rusqlite::Result<Self> {
        let wanted = conn.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
        Ok(Self { wanted, now: wanted })
    }

    /// Outside of a transaction. After an error it is set once more before the
    /// next one, so nothing counts as durable that is not.
    pub(super) fn wait(&mut self, path: &Path, conn: &Connection, wait: bool) -> Result<(), StoreError> {
        let needed = if wait { self.wanted } else { self.wanted.min(NORMAL) };
        if self.now != needed {
            self.now = -1;
            set(path, conn, "synchronous", &needed.to_string(), &needed.to_string())?;
            self.now = needed;
        }
        Ok(())
    }
}
