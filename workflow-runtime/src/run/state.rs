//! The states of runs and steps, and how a step of a run is named.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A point in time: nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This much later; the end of time rather than an overflow.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        let nanos = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }

    /// How long ago `earlier` was; zero if it is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A time before 1970 is the beginning of 1970.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self::default().after(time.duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

/// The state of a step. Ended states are final, but for an operator's
/// recorded action and for `Undoing`/`Undone`, which follow `Succeeded`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepState {
    /// It waits, and says for what.
    Waiting(Wait),
    /// An attempt is under way, or a region of it.
    Running,
    /// It ended well.
    Succeeded {
        /// Its result was taken from an earlier run.
        cached: bool,
    },
    /// Every attempt failed.
    Failed,
    /// It belongs to an arm that was not chosen.
    Skipped,
    /// It can never start, because a step it needs has no value.
    UpstreamFailed,
    /// It was stopped, or never started, because its run failed or was
    /// cancelled or another arm of its `select!` was faster.
    Cancelled,
    /// An `at_most_once` attempt was lost; an operator decides.
    OutcomeUnknown,
    /// Its attempts, or those of its undo, were lost so often in a row that it
    /// may be what ends the process; an operator decides.
    Suspected,
    /// Its undo is under way.
    Undoing,
    /// It was undone.
    Undone,
}

/// What a step waits for, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Wait {
    /// The steps it uses.
    Dependencies,
    /// A place under a `concurrency` or `rate` limit.
    Slot,
    /// Its turn: the attempt is decided, and no engine has begun it yet. What
    /// follows a loss waits so, as few such attempts are begun at a time.
    Turn,
    /// A time.
    Timer {
        /// Which time.
        until: Timestamp,
    },
    /// A signal.
    Signal {
        /// When the wait is given up.
        until: Option<Timestamp>,
    },
    /// Its next attempt.
    Backoff {
        /// When that starts.
        until: Timestamp,
    },
    /// An operator, who paused the run.
    Paused,
}

impl StepState {
    /// Whether the step has come to an end, one way or the other. One that is
    /// suspected has not: it waits for an operator.
    #[must_use]
    pub fn is_ended(self) -> bool {
        !matches!(
            self,
            StepState::Waiting(_) | StepState::Running | StepState::Undoing | StepState::Suspected
        )
    }
}

/// The state of a run: a function of its steps' states and of what was asked
/// of it.
///
/// These are all there are: what a step waits for may come to be more, but what
/// a run is asked for, and how it ends, is a promise. A program that does
/// something for each of them can match without a `_`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Not begun.
    #[default]
    Queued,
    /// At least one attempt is under way.
    Running,
    /// Every step that has not ended waits.
    Waiting,
    /// Paused by an operator.
    Paused,
    /// Its code changed in a way that only an operator can settle.
    Blocked,
    /// Cancelled; attempts are being stopped.
    Cancelling,
    /// Finished steps are being undone.
    Undoing,
    /// Ended with a result.
    Succeeded,
    /// Ended because a step failed.
    Failed,
    /// Ended because it was cancelled.
    Cancelled,
}

impl RunState {
    /// Every state there is.
    pub const ALL: [Self; 10] = [
        Self::Queued,
        Self::Running,
        Self::Waiting,
        Self::Paused,
        Self::Blocked,
        Self::Cancelling,
        Self::Undoing,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Whether the run has ended.
    #[must_use]
    pub fn is_ended(self) -> bool {
        matches!(self, RunState::Succeeded | RunState::Failed | RunState::Cancelled)
    }
}

impl fmt::Display for StepState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StepState::Waiting(Wait::Dependencies) => "waiting for other steps",
            StepState::Waiting(Wait::Slot) => "waiting for a slot",
            StepState::Waiting(Wait::Turn) => "waiting for its turn",
            StepState::Waiting(Wait::Timer { .. }) => "sleeping",
            StepState::Waiting(Wait::Signal { .. }) => "waiting for a signal",
            StepState::Waiting(Wait::Backoff { .. }) => "waiting for its next attempt",
            StepState::Waiting(Wait::Paused) => "paused",
            StepState::Running => "running",
            StepState::Succeeded { cached: false } => "succeeded",
            StepState::Succeeded { cached: true } => "succeeded (cached)",
            StepState::Failed => "failed",
            StepState::Skipped => "skipped",
            StepState::UpstreamFailed => "upstream failed",
            StepState::Cancelled => "cancelled",
            StepState::OutcomeUnknown => "outcome unknown",
            StepState::Suspected => "suspected",
            StepState::Undoing => "undoing",
            StepState::Undone => "undone",
        })
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RunState::Queued => "queued",
            RunState::Running => "running",
            RunState::Waiting => "waiting",
            RunState::Paused => "paused",
            RunState::Blocked => "blocked",
            RunState::Cancelling => "cancelling",
            RunState::Undoing => "undoing",
            RunState::Succeeded => "succeeded",
            RunState::Failed => "failed",
            RunState::Cancelled => "cancelled",
        })
    }
}
