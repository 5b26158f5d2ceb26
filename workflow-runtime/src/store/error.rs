//! What can go wrong with a store, and what to do about it.

use std::path::PathBuf;

use super::RunRef;
use crate::run::Timestamp;

/// Why a store could not be opened, read or written.
///
/// The words say what is wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another engine has the store open.
    #[error(
        "`{}` is in use by {}; one process owns a store at a time, so stop that one or use another file",
        .path.display(),
        holder(*.pid)
    )]
    InUse {
        /// The database.
        path: PathBuf,
        /// The process that has it, where that is known.
        pid: Option<u32>,
    },
    /// The store's files were moved, removed or replaced while this process
    /// worked on them. It does nothing more with them.
    #[error(
        "`{}` is not what this process works on any more: {what}; it stops here, \
         so put the file back or name another one, and start again",
        .path.display()
    )]
    Gone {
        /// The database, as it was called.
        path: PathBuf,
        /// What became of it.
        what: String,
    },
    /// The database was moved, copied or linked after its last process was
    /// killed, and commits of that one are in a log that was not.
    #[error("`{}` lacks its last commits: {what}", .path.display())]
    LogElsewhere {
        /// The database.
        path: PathBuf,
        /// By which name it was opened last, and how to bring them along.
        what: String,
    },
    /// The file is not on a disk of this machine.
    #[error(
        "`{}` is on a network file system ({file_system}), whose locks cannot be relied upon; \
         use a directory on a local disk",
        .path.display()
    )]
    NetworkFileSystem {
        /// The database.
        path: PathBuf,
        /// The file system's type.
        file_system: String,
    },
    /// The store was written by a newer version of this library.
    #[error(
        "`{}` has schema version {found}, and this program knows versions up to {supported}; \
         use a program built with a newer `workflow-runtime`",
        .path.display()
    )]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// The version of its schema.
        found: i64,
        /// The newest version that this library knows.
        supported: i64,
    },
    /// The store was written by an older version of this library, and a process
    /// that only looks at it may not change it.
    #[error(
        "`{}` has schema version {found}, and {needed} is needed to look at it; \
         start the program that owns it once, which brings it up to date",
        .path.display()
    )]
    OlderSchema {
        /// The database.
        path: PathBuf,
        /// The version of its schema.
        found: i64,
        /// The version that is needed.
        needed: i64,
    },
    /// The file is something else.
    #[error("`{}` is not a workflow store: {reason}; name another file, or move this one away", .path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What it is.
        reason: String,
    },
    /// There is a file, and nothing in it yet: a process is about to make a
    /// store of it, or has not come that far. The next one that opens it does.
    #[error("`{}` is not a workflow store yet: it is empty; start the program that makes it", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The request that was to be answered by this write was taken back by the
    /// process that had made it, so nothing is written.
    #[error("request {number} was withdrawn before it was seen to")]
    Withdrawn {
        /// The request's number.
        number: i64,
    },
    /// What is stored cannot be read.
    #[error("`{}` is damaged: {what}; restore it from a backup, or move it away to begin anew", .path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What cannot be read, and where it is.
        what: String,
    },
    /// A value that is a file beside the database is not there any more, or
    /// not what it was. Only the run that it belongs to cannot go on.
    #[error(
        "{what} is in `{}`, which {}; put that file back from a backup: the rest of the store is not touched by it",
        .file.display(),
        lost(*.is_missing)
    )]
    Value {
        /// Whose value it is.
        what: String,
        /// The file.
        file: PathBuf,
        /// Whether it is missing; altered, otherwise.
        is_missing: bool,
    },
    /// There is no room left.
    #[error("`{}` cannot grow: its disk or quota is full; make room, then go on", .path.display())]
    Full {
        /// The database.
        path: PathBuf,
    },
    /// The store may not be written.
    #[error(
        "`{}` cannot be written: {reason}; let this user write the file and its directory",
        .path.display()
    )]
    ReadOnly {
        /// The database.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The operating system reported an error.
    #[error("`{}` cannot be used: {message}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said, and what to do where that is known.
        message: String,
    },
    /// One value is larger than a store takes.
    #[error(
        "{what} has {size} bytes, and a store takes at most {limit}; \
         keep it in a file or an object store, and store its name"
    )]
    TooLarge {
        /// What is too large.
        what: String,
        /// How large it is.
        size: u64,
        /// How large it may be.
        limit: u64,
    },
    /// Another program holds the database locked, for instance a shell in the
    /// middle of a transaction.
    #[error("`{}` is locked by another program; end its transaction and try again", .path.display())]
    Busy {
        /// The database.
        path: PathBuf,
    },
    /// A task's transaction does not return, and nothing else can be written
    /// before it does.
    #[error(
        "`{}` waits for the transaction of a task that has not returned ({key}); what is slow belongs into a \
         task before it",
        .path.display()
    )]
    Held {
        /// The database.
        path: PathBuf,
        /// The idempotency key of the transaction.
        key: String,
    },
    /// A key is needed, is not the right one, or is no key.
    #[error("{what}")]
    Key {
        /// Which key, and what to do. Never the key itself.
        what: String,
    },
    /// A value is encrypted, and cannot be decrypted.
    #[error("{what} cannot be decrypted: {why}; restore the store from a backup")]
    Unreadable {
        /// The value, by its place.
        what: String,
        /// Why not.
        why: String,
    },
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
    /// There is no such run; it may have been removed.
    #[error("the store has no run {}; it may have been removed", .run.0)]
    UnknownRun {
        /// What was asked for.
        run: RunRef,
    },
    /// The run has ended, so nothing is appended to it.
    #[error("run {} of the store has ended; nothing more can be written of it", .run.0)]
    Ended {
        /// The run.
        run: RunRef,
    },
    /// A batch does not go on where the journal of its run ends, as after a
    /// batch that failed.
    #[error("run {} of the store goes on with entry {expected}, not {got}; read its journal again", .run.0)]
    OutOfOrder {
        /// The run.
        run: RunRef,
        /// The number of the next entry.
        expected: u64,
        /// The number that the batch begins with.
        got: u64,
    },
    /// A tick of a schedule that has been dealt with already, so it starts no
    /// run.
    #[error(
        "schedule `{schedule}` is at {}, so its tick of {} has been dealt with and starts no run; \
         read how far the schedules are, and go on from there",
        moment(*.mark),
        moment(*.at)
    )]
    StaleTick {
        /// The schedule.
        schedule: String,
        /// The tick.
        at: Timestamp,
        /// The last tick that was dealt with.
        mark: Timestamp,
    },
    /// Anything else.
    #[error("{message}")]
    Other {
        /// What it was.
        message: String,
    },
}

impl StoreError {
    /// Whether what went wrong may be well again by itself, or once an
    /// administrator has seen to the machine: a full disk, an I/O error, a lock
    /// that another program holds, too few file descriptors, missing rights.
    /// The same write may succeed later. What is damaged, refused or unknown
    /// may not.
    ///
    /// ```
    /// use workflow_runtime::store::StoreError;
    ///
    /// assert!(StoreError::Full { path: "runs.db".into() }.is_passing());
    /// assert!(!StoreError::Closed.is_passing());
    /// ```
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Full { .. }
                | Self::Io { .. }
                | Self::Busy { .. }
                | Self::ReadOnly { .. }
                | Self::Held { .. }
        )
    }

    /// Whether it says something of the write, or of its store, that stays so
    /// however often the write is tried.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Closed | Self::Gone { .. } | Self::TooLarge { .. }) || self.is_damage()
    }

    /// Whether what is stored is what is wrong: to read it again is of no use.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. }
                | Self::Value { .. }
                | Self::Unreadable { .. }
                | Self::Key { .. }
                | Self::NotOurs { .. }
        )
    }
}

/// What is wrong with a value's file.
pub(super) fn lost(is_missing: bool) -> &'static str {
    if is_missing { "is missing" } else { "has been altered" }
}

fn holder(pid: Option<u32>) -> String {
    match pid {
        Some(pid) if pid == std::process::id() => "this process".to_owned(),
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    }
}

/// A time as people write it, in UTC.
fn moment(at: Timestamp) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(at.0)) {
        Ok(time) => time.to_string(),
        Err(_) => format!("{} ns", at.0),
    }
}
