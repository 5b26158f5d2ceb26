//! The one handle by which this process has a database's file open, beside
//! SQLite's own; and whose the file is.
//!
//! When a process closes any handle of a file, POSIX takes away the locks that
//! it holds through others, and SQLite would go on without them. So all that
//! have a database open here share this one, and it is closed with the last of
//! them.

#![allow(clippy::clone_on_copy, reason = "what a file is known by is a path elsewhere")]

use std::collections::BTreeMap;
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Which file it is, whatever it is called.
#[cfg(unix)]
pub(super) type FileId = (u64, u64);
#[cfg(not(unix))]
pub(super) type FileId = std::path::PathBuf;

/// What only the user may read and write.
#[cfg(unix)]
const PRIVATE: u32 = 0o600;

/// The databases that are open in this process.
static OPEN: Mutex<BTreeMap<FileId, OpenFile>> = Mutex::new(BTreeMap::new());

struct OpenFile {
    file: File,
    /// What holds the lock where the database itself cannot.
    beside: Option<File>,
    /// Opened before it was known that the file is open here already.
    spare: Vec<File>,
    holders: usize,
    /// Whether this process owns it.
    is_owned: bool,
}

impl OpenFile {
    /// What is locked. On Linux the database itself: a lock that its hard links
    /// have as well, that moves with it, and that cannot be removed. SQLite's
    /// own locks are of another kind there. Elsewhere the two would meet, so a
    /// file beside it is.
    fn locked(&self) -> &File {
        self.beside.as_ref().unwrap_or(&self.file)
    }
}

/// What became of trying to own a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    Owned,
    /// This process owns it already.
    Here,
    Elsewhere,
    /// A visitor looks which process owns it, which takes no time.
    Looked,
}

/// A database's file that is open in this process.
#[derive(Debug)]
pub(super) struct Handle(FileId);

impl Handle {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut open = table();
        if let Some(id) = id_at(path)
            && let Some(shared) = open.get_mut(&id)
        {
            shared.holders += 1;
            return Ok(Self(id));
        }
        let file = File::open(path)?;
        Self::of(&mut open, file, path)
    }

    /// A file that is not there yet, for this user alone.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let mut open = table();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, PRIVATE);
        let file = options.open(path)?;
        Self::of(&mut open, file, path)
    }

    fn of(open: &mut BTreeMap<FileId, OpenFile>, file: File, path: &Path) -> io::Result<Self> {
        let id = id_of(&file.metadata()?, path)?;
        if let Some(shared) = open.get_mut(&id) {
            // It was put there while we looked.
            shared.spare.push(file);
            shared.holders += 1;
        } else {
            let shared =
                OpenFile { file, beside: beside(path)?, spare: Vec::new(), holders: 1, is_owned: false };
            open.insert(id.clone(), shared);
        }
        Ok(Self(id))
    }

    pub(super) fn another(&self) -> Self {
        if let Some(shared) = table().get_mut(&self.0) {
            shared.holders += 1;
        }
        Self(self.0.clone())
    }

    pub(super) fn id(&self) -> &FileId {
        &self.0
    }

    /// Whether it is what has this name now.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        id_at(path).as_ref() == Some(&self.0)
    }

    pub(super) fn metadata(&self) -> io::Result<Metadata> {
        self.with(|shared| shared.file.metadata())
    }

    /// The first bytes, fewer where the file is shorter.
    pub(super) fn header(&self, most: usize) -> io::Result<Vec<u8>> {
        use std::io::{Read, Seek};
        self.with(|shared| {
            let (mut file, mut header) = (&shared.file, Vec::new());
            file.rewind()?;
            file.take(most as u64).read_to_end(&mut header)?;
            Ok(header)
        })
    }

    /// Reads from a place on, fewer bytes where there are no more.
    pub(super) fn read_at(&self, place: u64, bytes: &mut [u8]) -> io::Result<usize> {
        use std::io::{Read, Seek, SeekFrom};
        self.with(|shared| {
            let mut file = &shared.file;
            file.seek(SeekFrom::Start(place))?;
            let mut read = 0;
            while read < bytes.len() {
                match file.read(&mut bytes[read..])? {
                    0 => break,
                    more => read += more,
                }
            }
            Ok(read)
        })
    }

    /// Makes this process the owner, if no process is.
    pub(super) fn try_own(&self) -> io::Result<Tried> {
        self.with(|shared| {
            if shared.is_owned {
                return Ok(Tried::Here);
            }
            match shared.locked().try_lock() {
                Ok(()) => shared.is_owned = true,
                Err(TryLockError::WouldBlock) => {
                    return Ok(if is_free(shared)? { Tried::Looked } else { Tried::Elsewhere });
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
            Ok(Tried::Owned)
        })
    }

    /// This process owns it no more. Said and not left to the closing of the
    /// file: a process that this one is just about to start has it open too,
    /// until it becomes another program.
    pub(super) fn disown(&self) {
        let unlocked = self.with(|shared| {
            shared.is_owned = false;
            shared.locked().unlock()
        });
        if let Err(error) = unlocked {
            tracing::warn!(%error, "a store could not be unlocked");
        }
    }

    pub(super) fn is_owned_here(&self) -> bool {
        table().get(&self.0).is_some_and(|shared| shared.is_owned)
    }

    /// Whether some process owns it.
    pub(super) fn is_owned(&self) -> io::Result<bool> {
        self.with(|shared| Ok(shared.is_owned || !is_free(shared)?))
    }

    /// The process that owns it, where that is known.
    pub(super) fn owner(&self) -> Option<u32> {
        if self.is_owned_here() {
            return Some(std::process::id());
        }
        #[cfg(target_os = "linux")]
        return locks::holder(&std::fs::read_to_string("/proc/locks").ok()?, self.0);
        #[cfg(not(target_os = "linux"))]
        None
    }

    fn with<T>(&self, act: impl FnOnce(&mut OpenFile) -> io::Result<T>) -> io::Result<T> {
        match table().get_mut(&self.0) {
            Some(shared) => act(shared),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut open = table();
        let Some(shared) = open.get_mut(&self.0) else { return };
        shared.holders -= 1;
        if shared.holders == 0 {
            // Closed before this process opens it again.
            open.remove(&self.0);
        }
    }
}

/// Whether this process owns what has this name.
pub(super) fn is_owned_at(path: &Path) -> bool {
    id_at(path).is_some_and(|id| table().get(&id).is_some_and(|shared| shared.is_owned))
}

/// Whether no process holds the lock for itself. Shared, so that those who
/// look are not in each other's way.
fn is_free(shared: &OpenFile) -> io::Result<bool> {
    match shared.locked().try_lock_shared() {
        Ok(()) => shared.locked().unlock().map(|()| true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The open file once more, as a process has it that this one starts.
#[cfg(test)]
pub(super) fn copy_of(path: &Path) -> io::Result<File> {
    let id = id_at(path).ok_or(io::ErrorKind::NotFound)?;
    table().get(&id).ok_or(io::ErrorKind::NotFound)?.file.try_clone()
}

fn table() -> MutexGuard<'static, BTreeMap<FileId, OpenFile>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which file has this name, if one does.
pub(super) fn id_at(path: &Path) -> Option<FileId> {
    id_of(&std::fs::metadata(path).ok()?, path).ok()
}

#[cfg(unix)]
pub(super) fn id_of(metadata: &Metadata, _path: &Path) -> io::Result<FileId> {
    use std::os::unix::fs::MetadataExt;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
pub(super) fn id_of(_metadata: &Metadata, path: &Path) -> io::Result<FileId> {
    path.canonicalize()
}

#[cfg(target_os = "linux")]
fn beside(_path: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

/// Never written to, whatever it is.
#[cfg(not(target_os = "linux"))]
fn beside(path: &Path) -> io::Result<Option<File>> {
    let mut name = path.as_os_str().to_owned();
    name.push("-lock");
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, PRIVATE);
    options.open(name).map(Some)
}

/// The system's list of locks.
#[cfg(target_os = "linux")]
mod locks {
    use super::FileId;

    /// The process that holds a file for itself, as `/proc/locks` has it:
    /// `1: FLOCK  ADVISORY  WRITE 1234 fe:00:5373953 0 EOF`.
    pub(super) fn holder(locks: &str, (device, inode): FileId) -> Option<u32> {
        let major = (device >> 8 & 0xfff) | (device >> 32 & !0xfff);
        let minor = (device & 0xff) | (device >> 12 & !0xff);
        let (exact, number) = (format!("{major:02x}:{minor:02x}:{inode}"), format!(":{inode}"));
        let held = locks.lines().filter_map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            match words[..] {
                [_, "FLOCK", _, "WRITE", pid, place, ..] => Some((pid.parse().ok()?, place)),
                _ => None,
            }
        });
        // Some file systems have another device there than the file says.
        let mut held: Vec<(u32, &str)> = held.filter(|(_, place)| place.ends_with(&number)).collect();
        if held.len() > 1 {
            held.retain(|(_, place)| *place == exact);
        }
        // Outside of our container, a process has no number.
        held.first().map(|(pid, _)| *pid).filter(|pid| *pid != 0)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_lock_is_found_by_its_file() {
            let locks = "1: POSIX  ADVISORY  WRITE 9 fe:00:7 0 EOF\n2: FLOCK  ADVISORY  READ 8 fe:00:7 0 EOF\n\
                         3: FLOCK  ADVISORY  WRITE 10 fe:01:7 0 EOF\n3: -> FLOCK  ADVISORY  WRITE 11 fe:00:7 0 EOF\n\
                         4: FLOCK  ADVISORY  WRITE 12 fe:00:7 0 EOF\n5: FLOCK  ADVISORY  WRITE 13 fe:00:17 0 EOF\n\
                         6: FLOCK  ADVISORY  WRITE 0 fe:00:19 0 EOF\n";
            assert_eq!(holder(locks, (0xfe00, 7)), Some(12));
            assert_eq!(holder(locks, (0xfe01, 7)), Some(10));
            assert_eq!(holder(locks, (0x33, 17)), Some(13), "the file system says otherwise");
            assert_eq!(holder(locks, (0xfe00, 1)), None);
            assert_eq!(holder(locks, (0xfe00, 19)), None);
        }
    }
}
