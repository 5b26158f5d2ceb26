//! What can go wrong, in the user's words.

use std::fmt;
use std::sync::Arc;

use crate::failure::StepError;

/// What went wrong with an engine or a run.
///
/// Its `Debug` is its message too, for the sake of `fn main() -> Result<()>`,
/// which prints errors by `Debug`.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A step failed for good, and with it the run.
    #[error("run of `{workflow}` failed: {error}")]
    Failed {
        /// The workflow's name.
        workflow: String,
        /// The first step that failed.
        #[source]
        error: StepError,
    },
    /// The run was cancelled.
    #[error("run of `{workflow}` was cancelled")]
    Cancelled {
        /// The workflow's name.
        workflow: String,
    },
    /// The key belongs to a run that was started with other arguments, or of
    /// another workflow.
    #[error("run key `{key}` belongs to {holder}; a key names one run for ever, so use another key")]
    KeyInUse {
        /// The key.
        key: String,
        /// Who has it.
        holder: String,
    },
    /// The key is longer than a key may be.
    #[error(
        "run key `{begins}…` has {bytes} bytes, and a key has at most {most}; use a shorter one, such as a hash"
    )]
    KeyTooLong {
        /// How it begins.
        begins: String,
        /// How long it is.
        bytes: usize,
        /// How long one may be.
        most: usize,
    },
    /// The engine is shutting down and starts nothing more.
    #[error("the engine is shut down")]
    ShutDown,
    /// The run has ended; what was asked of it came too late.
    #[error("run of `{workflow}` has ended already")]
    Ended {
        /// The workflow's name.
        workflow: String,
    },
    /// The workflow waits for no signal of this name anywhere.
    #[error("workflow `{workflow}` has no signal `{signal}`")]
    UnknownSignal {
        /// The workflow's name.
        workflow: String,
        /// The signal's name.
        signal: String,
    },
    /// Two different workflows of one name were registered. A stored run knows
    /// its workflow by the name alone.
    #[error("two workflows are called `{workflow}`: at {first} and at {second}; rename one of them")]
    TwoWorkflows {
        /// The name.
        workflow: String,
        /// File and line of one of them.
        first: String,
        /// File and line of the other.
        second: String,
    },
    /// There is no run of this id.
    #[error("there is no run `{id}`; it may have been removed")]
    NoSuchRun {
        /// The id.
        id: String,
    },
    /// The engine does not know the workflow.
    #[error("there is no workflow `{name}` in this program; it has {}", list(.known))]
    NoSuchWorkflow {
        /// The name.
        name: String,
        /// The workflows that there are.
        known: Vec<String>,
    },
    /// A run was to be started with parameters that do not fit.
    #[error("`{workflow}` cannot be started: {}", .problems.join("; "))]
    Parameters {
        /// The workflow's name.
        workflow: String,
        /// What is wrong, parameter by parameter.
        problems: Vec<String>,
    },
    /// What was asked of a run cannot be done to it.
    #[error("run {id} {reason}")]
    Refused {
        /// The run.
        id: String,
        /// Why not, after "run so-and-so".
        reason: String,
    },
    /// An unfinished run cannot go on with this program's code.
    #[error("run {id} of `{workflow}` is blocked: {reason}")]
    Blocked {
        /// The workflow's name.
        workflow: String,
        /// The run.
        id: String,
        /// What does not fit.
        reason: String,
    },
    /// The store has failed to write what the run decided, so the run has
    /// stopped. Where that may pass, it is read back after a while, and goes
    /// on.
    #[error(
        "run {id} of `{workflow}` has stopped: {error}; nothing that is committed is lost: it goes on once the store \
         can be written again, or with the next engine that opens the store"
    )]
    Stopped {
        /// The workflow's name.
        workflow: String,
        /// The run.
        id: String,
        /// What the store said.
        #[source]
        error: crate::store::StoreError,
    },
    /// A run has heard what was asked of it, and its store cannot keep that
    /// for now.
    #[error(
        "run {id} of `{workflow}` has heard it, and it is not kept yet: {error}; it is kept once that is over, unless the \
         process ends before"
    )]
    Unconfirmed {
        /// The workflow's name.
        workflow: String,
        /// The run.
        id: String,
        /// What the store said.
        #[source]
        error: crate::store::StoreError,
    },
    /// When a workflow is due cannot be told.
    #[error("workflow `{workflow}` cannot be scheduled: {reason}")]
    Schedule {
        /// The workflow's name.
        workflow: String,
        /// Why not.
        reason: String,
    },
    /// A thread that the engine cannot do without could not be started.
    #[error(
        "no thread can be started: {reason}; raise the limit on processes and threads (`ulimit -u`), or end some"
    )]
    NoThread {
        /// What the system said.
        reason: String,
    },
    /// The store refused or failed.
    #[error("{0}")]
    Store(#[from] crate::store::StoreError),
    /// The value of a signal cannot be saved, so the run has not heard it.
    #[error("run of `{workflow}` was not told: {reason}")]
    Unsaved {
        /// The workflow's name.
        workflow: String,
        /// Why not.
        reason: String,
    },
    /// A value could not be saved or read back.
    #[error("{0}")]
    Codec(Arc<crate::codec::CodecError>),
}

impl Error {
    pub(crate) fn no_thread(error: &std::io::Error) -> Self {
        Self::NoThread { reason: error.to_string() }
    }

    /// Whether a store has failed in a way that may pass, so that the same may
    /// be done later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Store(error) | Self::Stopped { error, .. } | Self::Unconfirmed { error, .. } => {
                error.is_passing()
            }
            _ => false,
        }
    }
}

fn list(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The result of a run, or of asking the engine for something.
pub type Result<T, E = Error> = std::result::Result<T, E>;
