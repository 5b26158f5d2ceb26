//! Opening a database: everything that can be wrong with it is found before
//! anything is written to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::errors::{io_error, sqlite_error};
use super::handle::Handle;
use super::lock::{Ownership, orphaned_log};
use super::migrate::{self, APPLICATION_ID, ENCRYPTED_ID};
use super::{Durability, SqliteOptions, moved, space};
use crate::store::StoreError;

/// How long to wait for a person's shell to end its transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What the write-ahead log is cut down to once a checkpoint has emptied it.
const LOG_LIMIT: i64 = 64 << 20;

/// How many symbolic links are followed, as by most operating systems.
const LINKS: usize = 40;

/// A database that this process owns.
pub(super) struct Opened {
    pub(super) conn: Connection,
    /// Goes last: the next owner finds the connection closed.
    pub(super) owned: Ownership,
}

pub(super) fn open(mut owned: Ownership, options: &SqliteOptions) -> Result<Opened, StoreError> {
    let path = &*owned.path().to_owned();
    let failed = |error| sqlite_error(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags).map_err(failed)?;
    // A refused database keeps its log as it is, too.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(failed)?;
    conn.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    recognise(path, &conn)?;
    moved::check(path, owned.handle(), &conn)?;
    space::prepare(path, &conn)?;
    configure(path, &conn, options)?;
    migrate::migrate(&mut conn, migrate::STEPS).map_err(failed)?;
    moved::note(path, &conn)?;
    plan_once(path, &conn)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(failed)?;
    owned.keep_log()?;
    owned.watch().check()?;
    Ok(Opened { conn, owned })
}

/// A connection that only reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    connect_reader(path, path)
}

/// The same by whatever name, which may say how it is read.
pub(super) fn connect_reader(path: &Path, name: &Path) -> Result<Connection, StoreError> {
    let failed = |error| sqlite_error(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let flags = if path == name { flags } else { flags | OpenFlags::SQLITE_OPEN_URI };
    let conn = Connection::open_with_flags(name, flags).map_err(failed)?;
    conn.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    plan_once(path, &conn)?;
    set(path, &conn, "query_only", "1", "1")?;
    set(path, &conn, "trusted_schema", "0", "0")?;
    // SQLite opens the file only now, and its log with it.
    conn.query_row("PRAGMA schema_version", [], |_| Ok(())).map_err(failed)?;
    Ok(conn)
}

/// Otherwise a statement that is kept may be planned anew for each value.
fn plan_once(path: &Path, conn: &Connection) -> Result<(), StoreError> {
    let set = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true);
    set.map(drop).map_err(|error| sqlite_error(path, &error))
}

/// The database's one true name: two names would be two locks. It begins with
/// the root, so SQLite does not take it for a URI.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, StoreError> {
    let refuse = |path: &Path, message: &str| {
        Err(StoreError::Io { path: path.to_owned(), message: message.to_owned() })
    };
    if path.is_dir() {
        return refuse(path, "it is a directory; name a file in it");
    }
    // A device has no content to look at, and a pipe waits for a writer.
    if path.exists() && !path.is_file() {
        return refuse(path, "it is no ordinary file; use another name");
    }
    let mut full = std::path::absolute(path).map_err(|error| io_error(path, &error))?;
    // SQLite follows links also to where nothing is yet.
    for _ in 0..LINKS {
        match (full.canonicalize(), full.read_link()) {
            (Ok(real), _) => return Ok(real),
            (Err(_), Ok(target)) => full = full.parent().unwrap_or(path).join(target),
            (Err(_), Err(_)) => break,
        }
    }
    let (Some(directory), Some(name)) = (full.parent(), full.file_name()) else {
        return refuse(&full, "it names no file");
    };
    match directory.canonicalize() {
        Ok(directory) if directory.is_dir() => Ok(directory.join(name)),
        _ => refuse(&full, "its directory does not exist; create it first"),
    }
}

/// What the file's first bytes say, without SQLite, which would create files
/// beside it.
pub(super) fn look(path: &Path, handle: &Handle) -> Result<(), StoreError> {
    let failed = |error| io_error(path, &error);
    if handle.metadata().map_err(failed)?.permissions().readonly() {
        let reason = "the file is marked read-only".to_owned();
        return Err(StoreError::ReadOnly { path: path.to_owned(), reason });
    }
    let header = handle.header(100).map_err(failed)?;
    // As good as none: the process that made it has come no further.
    if header.is_empty() {
        return orphaned_log(path);
    }
    if !header.starts_with(b"SQLite format 3\0") {
        let reason = "it is no SQLite database".to_owned();
        return Err(StoreError::NotOurs { path: path.to_owned(), reason });
    }
    // Both may stand in the log only, so 0 is no answer yet.
    let number = |at: usize| Some(i64::from(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?)));
    match (number(68), number(60)) {
        (Some(application), Some(version)) => judge(path, application, version),
        _ => {
            let what = "its header is cut off".to_owned();
            Err(StoreError::Damaged { path: path.to_owned(), what })
        }
    }
}

/// What SQLite says, its log included.
pub(super) fn recognise(path: &Path, conn: &Connection) -> Result<(), StoreError> {
    let ask = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
    let asked = (|| {
        Ok((
            ask("PRAGMA application_id")?,
            ask("PRAGMA user_version")?,
            ask("SELECT count(*) FROM sqlite_schema")?,
        ))
    })();
    let (application, version, objects) = asked.map_err(|error| sqlite_error(path, &error))?;
    if application == 0 && (objects > 0 || version != 0) {
        let reason = "it is another program's SQLite database".to_owned();
        return Err(StoreError::NotOurs { path: path.to_owned(), reason });
    }
    judge(path, application, version)
}

fn judge(path: &Path, application: i64, version: i64) -> Result<(), StoreError> {
    let path = path.to_owned();
    let is_ours = [APPLICATION_ID, ENCRYPTED_ID].contains(&application);
    if !is_ours && application != 0 {
        let reason = format!("it is a SQLite database of another program (application id {application})");
        return Err(StoreError::NotOurs { path, reason });
    }
    let supported = migrate::latest();
    if is_ours && version > supported {
        return Err(StoreError::NewerSchema { path, found: version, supported });
    }
    if version < 0 {
        let what = format!("its schema version is {version}");
        return Err(StoreError::Damaged { path, what });
    }
    Ok(())
}

fn configure(path: &Path, conn: &Connection, options: &SqliteOptions) -> Result<(), StoreError> {
    set(path, conn, "journal_mode", "wal", "wal")?;
    match options.durability {
        Durability::Full => {
            set(path, conn, "synchronous", "full", "2")?;
            // On macOS a plain fsync leaves the data in the disk's cache.
            set(path, conn, "fullfsync", "1", "1")?;
            set(path, conn, "checkpoint_fullfsync", "1", "1")?;
        }
        Durability::Relaxed => set(path, conn, "synchronous", "normal", "1")?,
    }
    set(path, conn, "foreign_keys", "1", "1")?;
    set(path, conn, "trusted_schema", "0", "0")?;
    let limit = LOG_LIMIT.to_string();
    set(path, conn, "journal_size_limit", &limit, &limit)
}

/// Sets a pragma and reads it back: SQLite ignores, without a word, what it
/// does not know or cannot do.
pub(super) fn set(
    path: &Path,
    conn: &Connection,
    name: &str,
    value: &str,
    wanted: &str,
) -> Result<(), StoreError> {
    let failed = |error| sqlite_error(path, &error);
    // Some answer when they are set, some do not.
    conn.pragma_update_and_check(None, name, value, |_| Ok(())).optional().map_err(failed)?;
    let read = conn.pragma_query_value(None, name, |row| row.get(0)).optional();
    let found = match read.map_err(failed)? {
        Some(Value::Integer(number)) => number.to_string(),
        Some(Value::Text(text)) => text,
        other => format!("{other:?}"),
    };
    if found != wanted {
        let message =
            format!("SQLite keeps `{name}` at {found} where {wanted} is needed; use another file system");
        return Err(StoreError::Io { path: path.to_owned(), message });
    }
    Ok(())
}
