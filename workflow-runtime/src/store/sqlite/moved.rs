//! A database that has another name than before.
//!
//! A log belongs to a name. What a process committed that was killed is in the
//! log of the name by which that one had opened the database, and stays there
//! when the database alone is moved, copied or linked. Whoever opened it by its
//! new name would miss those commits without a word, so a database knows the
//! name by which it is open. It forgets it when it is closed in good order: then
//! all commits are in it, and so they are in every copy.
//!
//! Not seen, since nothing here tells it from a backup: a copy of a database
//! whose original has gone on since and has emptied its log; a name that is not
//! to be seen from here, as of a database that is mounted by itself.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};

use super::errors::{io_error, sqlite_error};
use super::handle::{Handle, id_at};
use super::lock::beside;
use super::log::Log;
use crate::store::StoreError;

/// How much of two files is compared at a time.
const CHUNK: usize = 1 << 20;

/// Refuses a database whose last commits are in the log of another name.
pub(super) fn check(path: &Path, handle: &Handle, conn: &Connection) -> Result<(), StoreError> {
    let Some(name) = last_name(path, conn)? else { return Ok(()) };
    // What cannot be looked at is another machine's, or another container's.
    let left = if name == path { None } else { left_behind(path, handle, &name).unwrap_or_default() };
    match left {
        Some(left) => Err(left.refuse(path, &name)),
        None => Ok(()),
    }
}

/// Notes by which name the database is open. It stands in the file itself before
/// anything is committed that may stay in the log.
pub(super) fn note(path: &Path, conn: &Connection) -> Result<(), StoreError> {
    if last_name(path, conn)?.is_some_and(|name| name == path) {
        return Ok(());
    }
    let name = path.as_os_str().as_encoded_bytes();
    let sql = "INSERT OR REPLACE INTO opened_as (number, path) VALUES (1, ?1)";
    let noted = conn.execute(sql, [name]);
    let noted = noted.and_then(|_| conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())));
    noted.map_err(|error| sqlite_error(path, &error))
}

/// The database is closed in good order. Where that cannot be noted, it is not
/// needed: its log stays, too.
pub(super) fn forget(conn: &Connection) {
    if let Err(error) = conn.execute("DELETE FROM opened_as", []) {
        tracing::debug!(%error, "a store still knows its name");
    }
}

fn last_name(path: &Path, conn: &Connection) -> Result<Option<PathBuf>, StoreError> {
    let ask = || {
        let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'opened_as')";
        // An earlier version has not noted it.
        if !conn.query_row(sql, [], |row| row.get(0))? {
            return Ok(None);
        }
        conn.query_row("SELECT path FROM opened_as", [], |row| row.get::<_, Vec<u8>>(0)).optional()
    };
    let name = ask().map_err(|error| sqlite_error(path, &error))?;
    Ok(name.map(|bytes| PathBuf::from(os_string(bytes))))
}

/// How a database has come to its new name.
#[derive(Clone, Copy)]
enum Left {
    Moved,
    Copied,
    Linked,
}

impl Left {
    fn refuse(self, path: &Path, name: &Path) -> StoreError {
        let (from, to) = (beside(name, "-wal"), beside(path, "-wal"));
        let (from, to) = (from.display(), to.display());
        let help = match self {
            Left::Moved => {
                format!("bring that along with `mv {from} {to}`, or remove it, and what it holds is lost")
            }
            Left::Copied => format!(
                "copy that too, with `cp {from} {to}`, or copy the store again while no process has it open"
            ),
            Left::Linked => "open it by that name".to_owned(),
        };
        let name = name.display();
        let what = format!("it was opened as `{name}`, and they are in the log of that name; {help}");
        StoreError::LogElsewhere { path: path.to_owned(), what }
    }
}

fn left_behind(path: &Path, handle: &Handle, name: &Path) -> io::Result<Option<Left>> {
    let (old, new) = (beside(name, "-wal"), beside(path, "-wal"));
    // Two ways to one folder, as where it is mounted twice.
    if id_at(&old).is_some() && id_at(&old) == id_at(&new) {
        return Ok(None);
    }
    let Some(mut log) = Log::read(&old)? else { return Ok(None) };
    if handle.is_at(name) {
        // Also where it holds nothing new: it would be applied, once the file
        // is opened by the old name, to what was written since.
        return Ok(Some(Left::Linked));
    }
    // It has come along, or both were copied.
    if Log::read(&new)?.is_some() {
        return Ok(None);
    }
    let is_there = fs::metadata(name).is_ok_and(|found| found.is_file() && found.len() > 0);
    let left = match is_there {
        false => Left::Moved,
        // Otherwise it is a backup, or has nothing to do with what is there.
        true if is_same(handle, &Handle::open(name)?)? => Left::Copied,
        true => return Ok(None),
    };
    let is_missing = log.is_missing(|at, bytes| handle.read_at(at, bytes))?;
    Ok(is_missing.then_some(left))
}

/// Whether two files hold the same.
fn is_same(one: &Handle, other: &Handle) -> io::Result<bool> {
    let length = one.metadata()?.len();
    if length != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut here, mut there) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut at = 0;
    while at < length {
        let (read, other) = (one.read_at(at, &mut here)?, other.read_at(at, &mut there)?);
        if read == 0 || read != other || here[..read] != there[..read] {
            return Ok(false);
        }
        at += read as u64;
    }
    Ok(true)
}

/// The same for a database that does not know its last name, as far as that is
/// in the same folder.
#[cfg(unix)]
pub(super) fn check_links(path: &Path, handle: &Handle) -> Result<(), StoreError> {
    use std::os::unix::fs::MetadataExt;
    if handle.metadata().map_err(|error| io_error(path, &error))?.nlink() < 2 {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(path);
    let names = fs::read_dir(folder).map_err(|error| io_error(folder, &error))?;
    for name in names.filter_map(Result::ok).map(|entry| entry.path()) {
        let has_log = || fs::metadata(beside(&name, "-wal")).is_ok_and(|log| log.len() > 0);
        if name != path && handle.is_at(&name) && has_log() {
            return Err(Left::Linked.refuse(path, &name));
        }
    }
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn check_links(_: &Path, _: &Handle) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(unix)]
pub(super) fn os_string(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

#[cfg(not(unix))]
pub(super) fn os_string(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}
