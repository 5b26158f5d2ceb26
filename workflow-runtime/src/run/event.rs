//! What can happen to a run.

use std::sync::Arc;

use super::signal::SignalId;
use super::state::Timestamp;
use crate::failure::Failure;
use crate::task::Retryability;
use crate::task::place::{FrameId, HeldStep, Key};

/// Something that happened to a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The run begins. Always the first event, and only the first.
    Begun,
    /// The answer to [`Action::Evaluate`](super::Action::Evaluate).
    Answered {
        /// The step that asked.
        key: Key,
        /// What the expression says, or that it panicked.
        answer: Result<Answer, Failure>,
    },
    /// The answer to [`Action::Yield`](super::Action::Yield): the region's
    /// value is in place, or its expression panicked.
    Yielded {
        /// The frame that was asked.
        frame: FrameId,
        /// Whether it went well.
        result: Result<(), Failure>,
    },
    /// A limit has room: the answer to [`Action::Acquire`](super::Action::Acquire).
    Granted {
        /// The step that asked.
        key: Key,
        /// The request's epoch.
        epoch: u32,
    },
    /// An attempt, or an undo, ended.
    AttemptEnded {
        /// The step.
        key: Key,
        /// The attempt's epoch, so that a late end of an attempt that was
        /// given up is refused.
        epoch: u32,
        /// How it ended.
        end: AttemptEnd,
        /// A random number, 0 to 1, for the jitter of a retry.
        roll: f64,
    },
    /// A time that was waited for has come.
    TimerFired {
        /// The step that waits.
        key: Key,
        /// The wait's epoch.
        epoch: u32,
    },
    /// The same, and it came a while ago: no driver was there, or the machine
    /// slept.
    TimerFiredLate {
        /// The step that waits.
        key: Key,
        /// The wait's epoch.
        epoch: u32,
    },
    /// What the next attempt of a step has waited for is there, and the budget
    /// of its retries [is over](super::Machine::is_over_budget).
    BudgetOver {
        /// The step that waits.
        key: Key,
        /// The epoch of what it waited for.
        epoch: u32,
    },
    /// A signal came from outside. The driver keeps its value.
    Signalled {
        /// Which signal.
        signal: SignalId,
        /// The step that is meant, of those that wait for it: the one that
        /// waits longest where none is named.
        step: Option<Key>,
    },
    /// The answer to [`Action::Recall`](super::Action::Recall). Also to
    /// [`Action::Evaluate`](super::Action::Evaluate) of a child workflow whose
    /// failure is a value, where that is kept.
    Recalled {
        /// The step that asked.
        key: Key,
        /// What is left of it from before.
        recalled: Recalled,
    },
    /// The answer to [`Action::RecallHeld`](super::Action::RecallHeld): the
    /// finished steps that have to be undone and that this life has not come
    /// to, in the order in which they finished.
    HeldRecalled {
        /// The frame that asked.
        frame: FrameId,
        /// The steps.
        steps: Vec<HeldStep>,
    },
    /// The answer to [`Action::OpenMore`](super::Action::OpenMore).
    MoreWanted {
        /// The step that asked.
        key: Key,
    },
    /// An operator has settled a task, signal or sleep that waits, for
    /// anything but other steps, is suspected, or whose outcome is unknown: the
    /// driver has its value. A step that is being undone has been undone by
    /// hand, and there is no value.
    Set {
        /// The step.
        key: Key,
    },
    /// An operator wants the step's next attempt now: one that waits for its
    /// backoff, is suspected, or whose outcome is unknown. Of a step that is
    /// being undone: the next attempt of that. Losses are counted anew.
    RetryRequested {
        /// The step.
        key: Key,
    },
    /// An operator gives up the undo of a step: what it did stands, and the
    /// undo goes on with the step before it.
    UndoGivenUp {
        /// The step.
        key: Key,
    },
    /// An operator paused the run: nothing more starts, but for the undo and
    /// the `#[always]` steps of what has failed or is cancelled.
    Paused,
    /// An operator let the run go on: what was held begins, in order.
    Resumed {
        /// The steps that the pause has held, and the budget of whose retries
        /// [is over](super::Machine::held_over_budget).
        over_budget: Vec<Key>,
    },
    /// The run was asked to stop. Asked once more, only what is suspected is
    /// given up.
    CancelRequested,
    /// The grace time of a cancelled run is over.
    GraceOver,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub enum AttemptEnd {
    /// Well; the driver has stored the value.
    Ok,
    /// Without running: the driver has stored the value of an earlier run.
    Reused,
    /// Of a reconciliation: the lost attempt has done nothing, so the step
    /// may be attempted again.
    NotDone,
    /// Not well, and what the error says about another attempt. Timeouts and
    /// panics say [`Retryability::Retry`].
    Failed(Failure, Retryability),
    /// The process died while it ran: uses up no retry. The next one waits
    /// longer each time, and in the end for an operator.
    Lost,
    /// The engine shut down while it ran: uses up no retry, and is no loss.
    Interrupted,
    /// A loss or an interruption in the journal of an earlier version: the
    /// next one begins at once, and the third loss in a row is a failure.
    Legacy {
        /// Whether it was lost, and not interrupted.
        lost: bool,
    },
    /// It was decided and never began: the driver that heard so only noted what
    /// an operator wanted. Whether it begins is decided again.
    NotBegun,
    /// It was dropped because its run is being cancelled.
    Cancelled,
}

/// What is left of a step from before its run was taken up again.
#[derive(Clone, Debug, PartialEq)]
pub enum Recalled {
    /// Nothing: it begins as if for the first time.
    Nothing,
    /// It ended well; the driver has put its value in place.
    Value,
    /// It failed for good, and its failure is a value.
    Failed {
        /// Attempts made.
        attempts: u32,
        /// Why.
        failure: Failure,
    },
    /// It waits for a time that was decided before: the end of a `sleep`, or
    /// of a signal's `within`.
    Until(Timestamp),
    /// It waits for a signal with a key that was decided before.
    Awaits {
        /// The key.
        key: Arc<str>,
        /// When the wait is given up.
        until: Option<Timestamp>,
    },
    /// Its last attempt failed, and the next one has its time.
    Backoff {
        /// Attempts made.
        attempts: u32,
        /// When the next one starts.
        until: Timestamp,
        /// Why the last one failed.
        failure: Failure,
        /// How many were lost in a row since.
        losses: u16,
    },
    /// An `at_most_once` attempt of it was lost.
    Unknown,
    /// It was lost too often in a row, and waits for an operator.
    Suspected {
        /// Attempts made, those that were lost left out.
        attempts: u32,
        /// Why the last one did not end well.
        failure: Failure,
        /// How many were lost in a row.
        losses: u16,
    },
    /// Another arm of its `select!` was faster: it does nothing until that one
    /// is recalled.
    Lost,
}

/// What an expression says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A value, already stored in the step's slot: a pure expression. Also a
    /// child workflow's parameters, kept by the driver until the frame opens.
    Value,
    /// Which arm, from 0.
    Arm(usize),
    /// How many items; the driver keeps them.
    Items(usize),
    /// Whether there is one more turn. On the first question the driver has
    /// also evaluated the loop variables' first values.
    Turn(bool),
    /// When the wait ends: the time of a `sleep`, or of a signal's `within`.
    Until(Timestamp),
    /// Which signal of its name a step waits for, and how long.
    Awaits {
        /// The signal's key.
        key: Arc<str>,
        /// When the wait is given up.
        until: Option<Timestamp>,
    },
}

/// An event that does not fit the run's state. The state is unchanged.
///
/// A late result of an attempt that was given up ends here, by its epoch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The frame has been closed.
    #[error("the region of this event has been closed")]
    Closed,
    /// The attempt or wait is not the current one.
    #[error("the attempt of this event was given up")]
    Stale,
    /// Nothing was asked that this could answer.
    #[error("the run does not expect this event")]
    Unexpected,
    /// The run has ended.
    #[error("the run has ended")]
    Ended,
}
