//! What happens to a run, told to observers.

#[cfg(feature = "testing")]
mod trace;

use std::fmt;

use serde::Serialize;

use crate::failure::Failure;
use crate::run::{RunState, StepState, Timestamp};
use crate::view::StepKind;

#[cfg(feature = "testing")]
pub use self::trace::Trace;

/// Something that happened to a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RunEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: RunEventKind,
}

/// What happened to a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunEventKind {
    /// The run has a new state.
    Run(RunState),
    /// A step has a new state.
    Step {
        /// The step's path, such as `nightly/priced[3]/quote`.
        path: String,
        /// Its task's name, or what kind of built-in step it is.
        task: String,
        /// What it is.
        kind: StepKind,
        /// Its new state.
        state: StepState,
        /// The attempt that the state is about, from 1; 0 before the first.
        attempt: u32,
        /// Why the last attempt failed, where this is about that.
        failure: Option<Failure>,
    },
    /// A task told how far it is, in units of its choice. A task that tells
    /// often is heard ten times a second.
    Progress {
        /// The step's path.
        path: String,
        /// How much is done.
        done: u64,
        /// Of how much.
        total: u64,
    },
    /// So many events are missing here: a run keeps its last 10,000, and the
    /// observer was not fast enough, or came too late, for the earlier ones.
    Lagged(u64),
}

impl fmt::Display for RunEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            RunEventKind::Run(state) => write!(f, "run {state}"),
            RunEventKind::Step { path, state, attempt, failure, .. } => {
                write!(f, "{path} {state}")?;
                if *attempt > 1 {
                    write!(f, " (attempt {attempt})")?;
                }
                failure.iter().try_for_each(|failure| write!(f, ": {failure}"))
            }
            RunEventKind::Progress { path, done, total } => write!(f, "{path} {done}/{total}"),
            RunEventKind::Lagged(missing) => write!(f, "({missing} events are missing)"),
        }
    }
}
