//! What the owner of a store tells those who only look, while the store itself
//! cannot be written: a small file beside it.
//!
//! It is made while all is well, has its size from the beginning and is written
//! in place, so that it takes no room on a disk that is full and no lock of the
//! database. It goes when the store is closed. A process that reads it believes
//! nothing of it once the owner has gone, and takes it for words, not for
//! orders.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::handle::{FileId, id_at, id_of};
use super::lock::beside;
use crate::run::Timestamp;
use crate::store::{RunRef, StoreError};
use crate::words;

/// How long the file is, always.
const SIZE: usize = 8 << 10;

/// How it begins. What does not belongs to another program.
const BEGINNING: &str = "workflow-runtime store notice 1\n";

/// How long the reason may be, in bytes: however it is escaped, it fits.
const REASON: usize = 1_000;

/// How many runs are named.
const RUNS: usize = 64;

/// That a store cannot be written, in the words of its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notice {
    /// Since when, in nanoseconds of the wall clock.
    since: u64,
    /// When it is tried again.
    next: u64,
    /// What the latest try has met.
    pub(crate) why: String,
    /// Whether nothing gets through; otherwise the rest does.
    pub(crate) all: bool,
    /// The runs of which something waits to be written.
    runs: Vec<i64>,
    /// Whether there are more of them.
    more: bool,
}

impl Notice {
    pub(super) fn new(error: &StoreError, lasts: Duration, again_in: Duration, all: bool) -> Self {
        let now = Timestamp::from(SystemTime::now());
        let why = words::short(error, REASON);
        let since = Timestamp::default().after(lasts).0;
        Self {
            since: now.0.saturating_sub(since),
            next: now.after(again_in).0,
            why,
            all,
            runs: Vec::new(),
            more: false,
        }
    }

    pub(super) fn of_runs(mut self, runs: impl IntoIterator<Item = RunRef>) -> Self {
        let mut runs = runs.into_iter();
        self.runs = runs.by_ref().take(RUNS).map(|run| run.0).collect();
        self.more = runs.next().is_some();
        self
    }

    /// Any run may wait: it is not known which.
    pub(super) fn of_any_run(self) -> Self {
        Self { more: true, ..self }
    }

    /// Whether something of a run waits to be written, as far as that is said.
    #[cfg(feature = "app")]
    pub(crate) fn concerns(&self, run: RunRef) -> bool {
        self.more || self.runs.contains(&run.0)
    }

    /// Since when it is so; not later than `now`.
    #[cfg(feature = "app")]
    pub(crate) fn since(&self, now: Timestamp) -> Timestamp {
        Timestamp(self.since).min(now)
    }

    /// In how long the owner tries again, if that is still to come.
    #[cfg(feature = "app")]
    pub(crate) fn again_in(&self, now: Timestamp) -> Option<Duration> {
        Some(Timestamp(self.next).since(now)).filter(|left| !left.is_zero())
    }
}

fn place(database: &Path) -> PathBuf {
    beside(database, "-notice")
}

/// The owner's file.
#[derive(Debug)]
pub(super) struct Board {
    path: PathBuf,
    file: File,
    id: FileId,
    /// What stands there.
    said: Option<Notice>,
}

impl Board {
    /// Makes it, or takes the one that an earlier owner has left. None where
    /// that has no room or the name belongs to another program: the store needs
    /// none.
    pub(super) fn make(database: &Path) -> Option<Self> {
        let path = place(database);
        let made = match open(&path, true) {
            Ok(Some((file, id))) => Ok(Self { path, file, id, said: None }),
            Ok(None) => create(database, &path),
            Err(error) => Err(error),
        };
        let mut board = made
            .inspect_err(
                |error| tracing::debug!(%error, "others will not see when the store cannot be written"),
            )
            .ok()?;
        board.write(None).ok()?;
        Some(board)
    }

    /// Says what keeps the store from being written, or that nothing does.
    pub(super) fn say(&mut self, notice: Option<Notice>) {
        if self.said == notice {
            return;
        }
        if let Err(error) = self.write(notice.as_ref()) {
            tracing::debug!(%error, "others do not see that the store cannot be written");
        }
        self.said = notice;
    }

    fn write(&mut self, notice: Option<&Notice>) -> io::Result<()> {
        write(&mut self.file, notice)
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        if id_at(&self.path).as_ref() == Some(&self.id) {
            // What stays is taken by the next owner.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Takes back what an owner has said that has gone, before a process that looks
/// takes it for the next one's.
pub(super) fn clear(database: &Path) {
    if let Ok(Some((mut file, _))) = open(&place(database), true) {
        // Then it is believed until the store is open.
        let _ = write(&mut file, None);
    }
}

/// What an owner has said last, if anything. It may have gone since.
#[cfg(feature = "app")]
pub(super) fn read(database: &Path) -> Option<Notice> {
    let (mut file, _) = open(&place(database), false).ok()??;
    let mut look = || {
        let mut bytes = Vec::with_capacity(SIZE);
        file.rewind().ok()?;
        (&file).take(SIZE as u64).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    };
    // It may be written just now.
    let mut before = look()?;
    for _ in 0..3 {
        let bytes = look()?;
        if bytes == before {
            let text = std::str::from_utf8(&bytes).ok()?.strip_prefix(BEGINNING)?;
            return serde_json::from_str::<Option<Notice>>(text.trim_end()).ok()?;
        }
        before = bytes;
    }
    None
}

fn create(database: &Path, path: &Path) -> io::Result<Board> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    let id = file.metadata().and_then(|metadata| id_of(&metadata, path))?;
    // From here on it goes if it cannot be written.
    let mut board = Board { path: path.to_owned(), file, id, said: None };
    board.write(None)?;
    // As with all that is beside the database.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(database)?.permissions().mode() & 0o666;
        board.file.set_permissions(fs::Permissions::from_mode(mode))?;
    }
    #[cfg(not(unix))]
    let _ = database;
    Ok(board)
}

/// Opens what is one of ours; whatever else has the name is not even opened:
/// to open a pipe waits, and to close another name of the database would take
/// its locks away.
fn open(path: &Path, writes: bool) -> io::Result<Option<(File, FileId)>> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found?,
    };
    let foreign = || io::Error::other(format!("`{}` is not the store's", path.display()));
    // An empty one was made by a process that came no further.
    let fits = found.len() == SIZE as u64 || found.len() == 0 && writes;
    if !found.is_file() || !fits || has_other_names(&found) {
        return Err(foreign());
    }
    let mut file = OpenOptions::new().read(true).write(writes).open(path)?;
    let opened = file.metadata()?;
    let id = id_of(&opened, path)?;
    if id != id_of(&found, path)? || has_other_names(&opened) {
        return Err(foreign());
    }
    let mut beginning = Vec::new();
    (&file).take(BEGINNING.len() as u64).read_to_end(&mut beginning)?;
    if found.len() > 0 && beginning != BEGINNING.as_bytes() {
        return Err(foreign());
    }
    file.rewind()?;
    Ok(Some((file, id)))
}

#[cfg(unix)]
fn has_other_names(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) != 1
}

#[cfg(not(unix))]
fn has_other_names(_: &fs::Metadata) -> bool {
    false
}

/// All of it at once, from the beginning.
fn write(file: &mut File, notice: Option<&Notice>) -> io::Result<()> {
    let text = format!("{BEGINNING}{}\n", serde_json::to_string(&notice)?);
    let padding = vec![b' '; SIZE.saturating_sub(text.len())];
    if text.len() > SIZE {
        return Err(io::Error::other("there is too much to be said"));
    }
    file.rewind()?;
    let written = file.write_vectored(&[IoSlice::new(text.as_bytes()), IoSlice::new(&padding)])?;
    if written == SIZE { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}
