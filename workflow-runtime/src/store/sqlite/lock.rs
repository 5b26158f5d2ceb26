//! One process owns a store: a lock of the operating system, which goes when
//! the process goes, however it goes. So there is no lease to wait out.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::errors::io_error;
use crate::store::StoreError;

/// How often the lock is tried, and how far apart.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(5);

/// The databases that are open in this process.
static OPEN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// That nothing else in this process has the database open.
///
/// Taken before the file is so much as looked at: when a process closes any
/// handle of a file, POSIX takes away the locks that it holds through others,
/// and SQLite would go on without them.
#[derive(Debug)]
pub(super) struct Claim(PathBuf);

impl Claim {
    pub(super) fn take(database: &Path) -> Result<Self, StoreError> {
        let path = database.to_owned();
        if OPEN.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone()) {
            return Ok(Self(path));
        }
        Err(StoreError::InUse { path, pid: Some(std::process::id()) })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        OPEN.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// Held for as long as the store is open. The file itself stays: to remove it
/// would let two processes hold locks on two files of the same name.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
    _claim: Claim,
}

impl Lock {
    pub(super) fn take(claim: Claim) -> Result<Self, StoreError> {
        let path = lock_path(&claim.0);
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(|error| io_error(&path, &error))?;
        for tries in 0.. {
            match file.try_lock() {
                Ok(()) => break,
                // A visitor that looks holds it too, for a moment.
                Err(TryLockError::WouldBlock) if tries < TRIES => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::InUse { path: claim.0.clone(), pid: read_pid(file) });
                }
                Err(TryLockError::Error(error)) => return Err(io_error(&path, &error)),
            }
        }
        // For the message of whoever comes second. The lock does not need it,
        // and a full disk is no reason not to open what is on it.
        let pid = std::process::id().to_string();
        if let Err(error) = file.set_len(0).and_then(|()| file.write_all(pid.as_bytes())) {
            tracing::debug!(%error, path = %path.display(), "could not note who holds the store");
        }
        Ok(Self { _file: file, _claim: claim })
    }
}

/// Whether this process has a database open.
pub(super) fn is_open_here(database: &Path) -> bool {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner).contains(database)
}

/// Who holds the lock of a database, if anybody does: its process, where that
/// is known.
pub(super) fn holder(database: &Path) -> Result<Option<Option<u32>>, StoreError> {
    if is_open_here(database) {
        return Ok(Some(Some(std::process::id())));
    }
    let path = lock_path(database);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        // Whoever may not ask takes it for held: nothing is to be begun here.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return Ok(Some(None)),
        Err(error) => return Err(io_error(&path, &error)),
    };
    // Shared, so that those who look are not in each other's way. It goes
    // with the file.
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(read_pid(file))),
        Err(TryLockError::Error(error)) => Err(io_error(&path, &error)),
    }
}

pub(super) fn lock_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

/// What the holder wrote, or nothing where the system lets nobody read a
/// locked file.
fn read_pid(file: File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
