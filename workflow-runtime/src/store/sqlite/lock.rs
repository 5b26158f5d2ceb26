//! One process owns a store: a lock of the operating system, which goes when
//! the process goes, however it goes. So there is no lease to wait out.
//!
//! What is owned is the file and not its name, so a hard link or another
//! folder's name for it opens no second way in. The log is locked too, since
//! that one belongs to the name: who is given another file of that name would
//! read the old one's log into it.

#![allow(clippy::clone_on_copy, reason = "what a file is known by is a path elsewhere")]

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::errors::io_error;
use super::handle::{FileId, Handle, Tried, id_at, id_of};
use super::moved::check_links;
use super::network::network_file_system;
use super::notice;
use super::open::{look, resolve};
use crate::store::StoreError;

/// How long an owner may take to go: one that was killed, whose last process
/// has not become another program yet.
const OWNER: Duration = Duration::from_millis(100);

/// How long others may look, one after the other, who owns it.
const OTHERS: Duration = Duration::from_secs(10);

const PAUSE: Duration = Duration::from_millis(1);

/// A store's file that this process owns, until this is dropped.
#[derive(Debug)]
pub(crate) struct Ownership {
    handle: Handle,
    /// The write-ahead log, once there is one.
    log: Option<File>,
    watch: Arc<Watch>,
}

/// Whether the files are where they were, for the store that goes on working on
/// them.
#[derive(Debug)]
pub(super) struct Watch {
    path: PathBuf,
    id: FileId,
    log: OnceLock<FileId>,
    /// What was found out, once they are not.
    gone: OnceLock<StoreError>,
    /// Whether no store works on them any more, so that it does not matter.
    is_over: AtomicBool,
}

impl Ownership {
    /// Takes a store's file, which is made if it is not there. Nothing is
    /// written to it, and what is no store is refused.
    pub(crate) fn take(path: &Path) -> Result<Self, StoreError> {
        let path = resolve(path)?;
        let directory = path.parent().unwrap_or(&path);
        if let Some(file_system) = network_file_system(directory) {
            return Err(StoreError::NetworkFileSystem { path, file_system });
        }
        let began = Instant::now();
        let mut taken = loop {
            let handle = match Handle::open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    orphaned_log(&path)?;
                    Handle::create(&path)
                }
                opened => opened,
            };
            match handle {
                Ok(handle) => {
                    let taken = Self::own(&path, handle, began)?;
                    // It may have been moved away while we waited for it.
                    if taken.handle.is_at(&path) || began.elapsed() > OTHERS {
                        break taken;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io_error(&path, &error)),
            }
        };
        earlier_version(&path)?;
        taken.keep_log()?;
        look(&path, &taken.handle)?;
        check_links(&path, &taken.handle)?;
        notice::clear(&path);
        Ok(taken)
    }

    fn own(path: &Path, handle: Handle, began: Instant) -> Result<Self, StoreError> {
        loop {
            let patience = match handle.try_own().map_err(|error| io_error(path, &error))? {
                Tried::Owned => break,
                Tried::Here => Duration::ZERO,
                Tried::Elsewhere => OWNER,
                Tried::Looked => OTHERS,
            };
            if began.elapsed() >= patience {
                return Err(StoreError::InUse { pid: handle.owner(), path: path.to_owned() });
            }
            sleep(PAUSE);
        }
        let (path, id) = (path.to_owned(), handle.id().clone());
        let watch =
            Watch { path, id, log: OnceLock::new(), gone: OnceLock::new(), is_over: AtomicBool::new(false) };
        Ok(Self { handle, log: None, watch: Arc::new(watch) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.watch.path
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(super) fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    /// Takes the log as well. Once SQLite has the database open, there is one.
    pub(super) fn keep_log(&mut self) -> Result<(), StoreError> {
        if self.log.is_some() {
            return Ok(());
        }
        let path = beside(self.path(), "-wal");
        let failed = |error: &io::Error| io_error(&path, error);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened.map_err(|error| failed(&error))?,
        };
        let id = file.metadata().and_then(|metadata| id_of(&metadata, &path));
        let id = id.map_err(|error| failed(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse { path: self.path().to_owned(), pid: None });
            }
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        self.log = Some(file);
        self.watch.log.get_or_init(|| id);
        Ok(())
    }
}

impl Watch {
    /// Whether the file and its log are still what has these names. Once they
    /// are not, they never are again: what was written meanwhile is not there.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if let Some(gone) = self.gone.get() {
            return Err(gone.clone());
        }
        let Some(what) = self.displaced() else { return Ok(()) };
        // SQLite removes the log once it is closed.
        if self.is_over.load(Ordering::Acquire) {
            return Ok(());
        }
        let gone = self.gone.get_or_init(|| StoreError::Gone { path: self.path.clone(), what });
        Err(gone.clone())
    }

    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    fn displaced(&self) -> Option<String> {
        if let Some(what) = displaced(&self.path, &self.id) {
            return Some(format!("it {what}"));
        }
        let log = beside(&self.path, "-wal");
        let what = self.log.get().and_then(|id| displaced(&log, id))?;
        Some(format!("its log `{}` {what}", log.display()))
    }

    /// Whether what has the log's name may be removed with the database's
    /// closing.
    pub(super) fn has_log(&self) -> bool {
        let log = beside(&self.path, "-wal");
        self.log.get().is_none_or(|id| id_at(&log).is_none_or(|found| found == *id))
    }
}

/// Why a file is not what has this name any more.
fn displaced(path: &Path, id: &FileId) -> Option<&'static str> {
    match fs::metadata(path).and_then(|metadata| id_of(&metadata, path)) {
        Ok(found) if found == *id => None,
        Ok(_) => Some("was replaced by another file"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some("was removed or moved away"),
        // It is not known to be gone.
        Err(_) => None,
    }
}

impl Drop for Ownership {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.log.take().map(|log| log.unlock()) {
            tracing::warn!(%error, "the log of a store could not be unlocked");
        }
        self.handle.disown();
    }
}

pub(super) fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// SQLite would delete a log without its database; yet it may hold everything
/// that is left.
pub(super) fn orphaned_log(path: &Path) -> Result<(), StoreError> {
    let log = beside(path, "-wal");
    if length(&log) == 0 {
        return Ok(());
    }
    let what = format!("it is empty or missing, but its log `{}` is not", log.display());
    Err(StoreError::Damaged { path: path.to_owned(), what })
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Whether the owner of a file, which there is, works on it under this name:
/// it holds the log of that name, too.
pub(super) fn is_owner_s_name(path: &Path) -> io::Result<bool> {
    let log = match File::open(beside(path, "-wal")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        log => log?,
    };
    match log.try_lock_shared() {
        Ok(()) => log.unlock().map(|()| false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether a process of an earlier version owns it: by a lock on the file that
/// is called like the database with `.lock` at its end, in which its number
/// stands. Any other file of that name belongs to another program.
fn earlier_version(path: &Path) -> Result<(), StoreError> {
    let name = beside(path, ".lock");
    let is_like_it = fs::symlink_metadata(&name).is_ok_and(|found| found.is_file() && found.len() < 16);
    let pid = if is_like_it { fs::read_to_string(&name).ok() } else { None };
    let Some(pid) = pid.and_then(|text| text.parse::<u32>().ok()) else { return Ok(()) };
    let held = File::open(&name).and_then(|file| match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
        Ok(()) => file.unlock().map(|()| false),
    });
    match held {
        Ok(true) => Err(StoreError::InUse { path: path.to_owned(), pid: Some(pid) }),
        Ok(false) => Ok(()),
        Err(error) => Err(io_error(&name, &error)),
    }
}
