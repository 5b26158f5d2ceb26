//! Values that are too large for a row: files beside the database, named by
//! what is in them, so that the same value is the same file.
//!
//! A file is complete and on the disk before the commit that refers to it.
//! One that nothing refers to is left over from a crash or from a write that
//! failed, and goes when the store is opened next.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::errors::io_error;
use crate::store::{Payload, StoreError};

/// The largest value that stands in a row, in bytes.
pub(super) const INLINE: usize = 64 << 10;

/// What a file is written under until it is complete. Only the store's one
/// thread writes, so one name is enough.
const UNFINISHED: &str = "unfinished";

/// A value's file is not there, or not what it was.
pub(super) struct Lost {
    pub(super) is_missing: bool,
}

/// The name of a file: the SHA-256 of what is in it, as 64 digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name(String);

impl Name {
    fn of(bytes: &[u8]) -> Self {
        let mut digits = String::with_capacity(64);
        for byte in Sha256::digest(bytes) {
            for digit in [byte >> 4, byte & 15] {
                digits.extend(char::from_digit(digit.into(), 16));
            }
        }
        Self(digits)
    }

    /// The name of a value that does not stand in a row.
    pub(super) fn of_large(payload: Option<&Payload>) -> Option<Self> {
        payload.filter(|payload| payload.bytes.len() > INLINE).map(|payload| Self::of(&payload.bytes))
    }

    /// What a row says may be anything, also the path of a file of the user's.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        digits.then(|| Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A database, and the directory of its large values.
#[derive(Debug)]
pub(super) struct Values {
    database: PathBuf,
    directory: PathBuf,
    /// The directories in there that are known to survive a power cut.
    durable: BTreeSet<PathBuf>,
    leaves_out: bool,
}

impl Values {
    pub(super) fn beside(database: &Path) -> Self {
        let mut directory = database.as_os_str().to_owned();
        directory.push("-values");
        let directory = PathBuf::from(directory);
        Self { database: database.to_owned(), directory, durable: BTreeSet::new(), leaves_out: false }
    }

    pub(super) fn database(&self) -> &Path {
        &self.database
    }

    pub(super) fn path(&self, name: &Name) -> PathBuf {
        let (shelf, file) = name.0.split_at(2);
        self.directory.join(shelf).join(file)
    }

    /// Makes a value durable. It is, also where the store is relaxed about
    /// its last commits: one that survives must not refer to a file that did
    /// not.
    pub(super) fn write(&mut self, name: &Name, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.path(name);
        self.try_write(&path, bytes).map_err(|error| io_error(&path, &error))
    }

    fn try_write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let shelf = path.parent().unwrap_or(&self.directory);
        // Compared, so that a file that the disk has spoilt is mended.
        if fs::read(path).is_ok_and(|found| found == bytes) {
            File::open(path)?.sync_all()?;
        } else {
            self.make_shelf(shelf)?;
            let unfinished = self.directory.join(UNFINISHED);
            let mut file = self.make_file(&unfinished)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            drop(file);
            fs::rename(&unfinished, path)?;
        }
        sync_directory(shelf)?;
        if !self.durable.contains(shelf) {
            sync_directory(&self.directory)?;
            self.directory.parent().map_or(Ok(()), sync_directory)?;
            self.durable.insert(shelf.to_owned());
        }
        Ok(())
    }

    /// Makes a file that may be read by those who may read the database.
    fn make_file(&self, path: &Path) -> io::Result<File> {
        // One of a process that died; or a link to somewhere else.
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            let mode = mode(&self.database)?;
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
            let file = options.open(path)?;
            allow(path, mode)?;
            Ok(file)
        }
        #[cfg(not(unix))]
        options.open(path)
    }

    fn make_shelf(&self, shelf: &Path) -> io::Result<()> {
        for directory in [&*self.directory, shelf] {
            let mut builder = fs::DirBuilder::new();
            #[cfg(unix)]
            let mode = {
                // Those who may read what is in it may list it.
                let mode = mode(&self.database)?;
                mode | (mode & 0o444) >> 2
            };
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, mode);
            match builder.create(directory) {
                #[cfg(unix)]
                Ok(()) => allow(directory, mode)?,
                #[cfg(not(unix))]
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The same for processes that only look: a value that is not there is left
    /// out, and does not hide the rest.
    pub(super) fn leaving_out_what_is_lost(mut self) -> Self {
        self.leaves_out = true;
        self
    }

    /// Whether what is lost is left out.
    pub(super) fn leaves_out(&self) -> bool {
        self.leaves_out
    }

    /// Reads a value, or says what is wrong with its file. The error is one
    /// that may pass, such as too many open files.
    pub(super) fn read(&self, name: &Name) -> Result<Result<Vec<u8>, Lost>, StoreError> {
        let path = self.path(name);
        match fs::read(&path) {
            Ok(bytes) if Name::of(&bytes) == *name => Ok(Ok(bytes)),
            Ok(_) => Ok(Err(Lost { is_missing: false })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Err(Lost { is_missing: true })),
            Err(error) => Err(StoreError::Io { path, message: error.to_string() }),
        }
    }

    /// Removes a value that nothing refers to. It may stay when it cannot be
    /// removed: the next sweep finds it.
    pub(super) fn remove(&self, name: &Name) {
        let path = self.path(name);
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %path.display(), "a value that nobody needs could not be removed");
        }
    }

    /// Removes what was not completed, and whatever is not `needed`.
    pub(super) fn sweep(&self, mut needed: impl FnMut(&Name) -> bool) -> io::Result<()> {
        let shelves = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            shelves => shelves?,
        };
        for shelf in shelves {
            let shelf = shelf?;
            if shelf.file_name() == UNFINISHED {
                fs::remove_file(shelf.path())?;
                continue;
            }
            if !shelf.file_type()?.is_dir() {
                continue;
            }
            for file in fs::read_dir(shelf.path())? {
                // Whatever is called otherwise is not ours.
                let mut name = shelf.file_name();
                name.push(file?.file_name());
                if let Some(name) = name.to_str().and_then(Name::parse)
                    && !needed(&name)
                {
                    self.remove(&name);
                }
            }
        }
        Ok(())
    }
}

/// Who may read and write the database, which is also who may do so with what
/// is beside it: SQLite does the same with its log.
#[cfg(unix)]
fn mode(database: &Path) -> io::Result<u32> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::metadata(database)?.permissions().mode() & 0o666)
}

/// Also where the process's mask is stricter.
#[cfg(unix)]
fn allow(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if fs::metadata(path)?.permissions().mode() & 0o777 == mode {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Makes the names in a directory durable. Only Unix has to be told.
fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}
