//! Reading a store that this process may not write beside.
//!
//! SQLite shares an index of its log with other processes that read, in a file
//! beside the database. A user who may only read the database cannot make that
//! file. While no process writes there is no log, and the database can be read
//! as one that does not change. Whether it has changed all the same is seen by
//! looking at the file before and after.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::Connection;

use super::handle;
use super::moved::os_string;
use super::open::{connect_reader, open_reader};
use crate::store::StoreError;

/// A connection that reads.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) conn: Connection,
    /// What the file was, where it is read as one that does not change.
    still: Option<Still>,
}

/// What tells that a file has been written to.
#[derive(Debug, PartialEq, Eq)]
struct Still {
    length: u64,
    written: Option<SystemTime>,
}

impl Connected {
    /// Whether what it reads, or has read, is what is in the database.
    pub(super) fn is_current(&self, path: &Path) -> bool {
        self.still.as_ref().is_none_or(|still| Still::of(path).as_ref() == Some(still))
    }
}

impl Still {
    /// `None` where the file's log has something that is not in the file yet.
    fn of(path: &Path) -> Option<Self> {
        let has_log = std::fs::metadata(log(path)).is_ok_and(|log| log.len() > 0);
        let metadata: Metadata = std::fs::metadata(path).ok().filter(|_| !has_log)?;
        Some(Self { length: metadata.len(), written: metadata.modified().ok() })
    }
}

/// Opens a connection that reads.
pub(super) fn connect(path: &Path) -> Result<Connected, StoreError> {
    let refused = match open_reader(path) {
        Ok(conn) => return Ok(Connected { conn, still: None }),
        Err(error @ (StoreError::Io { .. } | StoreError::ReadOnly { .. })) => error,
        Err(error) => return Err(error),
    };
    // One that this process has open is not for reading alone.
    if handle::is_owned_at(path) {
        return Err(refused);
    }
    let Some(still) = Still::of(path) else {
        let message = format!(
            "this user may only read it, and its log `{}` cannot be read without a file that SQLite makes \
             beside it; copy `{}*` to a folder of this user's, or have the program's own user end it in good order",
            log(path).display(),
            path.display()
        );
        return Err(StoreError::Io { path: path.to_owned(), message });
    };
    let conn = connect_reader(path, &unchanging(path))?;
    Ok(Connected { conn, still: Some(still) })
}

fn log(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// The name by which SQLite takes a database for one that does not change: a
/// URI, in which some bytes have a meaning.
fn unchanging(path: &Path) -> PathBuf {
    let mut name = b"file:".to_vec();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'%' | b'?' | b'#' => name.extend(format!("%{byte:02x}").bytes()),
            byte => name.push(*byte),
        }
    }
    name.extend(b"?immutable=1");
    PathBuf::from(os_string(name))
}
