//! What goes in and out of a run that another engine drives: all of it can be
//! written down and sent to another process.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::failure::{Cause, Failure, StepError};
use crate::run::{AttemptEnd, Timestamp};
use crate::task::Retryability;
use crate::task::place::{FrameId, Key};

/// Which attempt it is, within its run. The next attempt of a step has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptId(u32, u32, u16, u32);

/// Which wait for a time it is, within its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TimerId(u32, u32, u16, u32);

impl AttemptId {
    pub(super) fn new(key: Key, epoch: u32) -> Self {
        Self(key.frame.index, key.frame.generation, key.step, epoch)
    }

    pub(super) fn key(self) -> (Key, u32) {
        let Self(index, generation, step, epoch) = self;
        (Key { frame: FrameId { index, generation }, step }, epoch)
    }
}

impl TimerId {
    pub(super) fn new(key: Key, epoch: u32) -> Self {
        let AttemptId(index, generation, step, epoch) = AttemptId::new(key, epoch);
        Self(index, generation, step, epoch)
    }

    pub(super) fn key(self) -> (Key, u32) {
        AttemptId(self.0, self.1, self.2, self.3).key()
    }
}

/// What an attempt is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Goal {
    /// What the step is there for.
    Do,
    /// To take it back.
    Undo,
    /// To find out whether it was done.
    Reconcile,
}

/// An attempt to make, with all that it takes: [`perform`](super::perform) makes
/// it, in any process that has the same workflow.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Order {
    /// Which attempt it is, for [`Input::AttemptEnded`].
    pub id: AttemptId,
    /// The id of its run.
    pub run: String,
    /// The step's path, such as `nightly/priced[3]/quote`.
    pub path: String,
    /// The name of the step's task.
    pub task: String,
    /// The workflow whose graph has the step: the run's, or one that it uses.
    pub workflow: String,
    /// The region of that graph in which the step is.
    pub region: u16,
    /// The step's number in that region.
    pub step: u16,
    /// What it is for.
    pub goal: Goal,
    /// Which attempt of the step, or of its undo or reconciliation, from 1.
    pub attempt: u32,
    /// The task's arguments, a JSON array. The same for every attempt.
    pub arguments: Box<RawValue>,
    /// What is undone: the output of the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Box<RawValue>>,
    /// How long the attempt may take. The worker that makes it sees to that, and
    /// reports [`Outcome::timed_out`].
    pub timeout: Option<Duration>,
    /// When the step has to have ended, whatever its attempts.
    pub deadline: Option<Timestamp>,
    /// Whether the task blocks its thread.
    pub blocking: bool,
    /// Whether an attempt that is lost must not simply be made again: report
    /// [`Outcome::Lost`], and the run decides.
    pub at_most_once: bool,
    /// How often the step did something before that this attempt is not about.
    #[serde(default)]
    pub(super) earlier: u32,
}

/// What is to be done for a run, in this order.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Command {
    /// Make an attempt and tell its end by [`Input::AttemptEnded`].
    Start(Box<Order>),
    /// Ask an attempt to stop. It goes on until it ends by itself, or
    /// [`Command::Abandon`] comes.
    Stop(AttemptId),
    /// Give an attempt up.
    Abandon {
        /// The attempt.
        attempt: AttemptId,
        /// Whether it has the grace time to end by itself. Where it has none,
        /// its end is awaited: tell [`Outcome::Cancelled`] once it is gone.
        graceful: bool,
    },
    /// Tell [`Input::TimerFired`] at a time.
    StartTimer {
        /// Which wait it is.
        timer: TimerId,
        /// When.
        at: Timestamp,
    },
    /// Tell [`Input::GraceOver`] once the grace time has passed.
    AwaitGrace,
    /// The run has ended. Nothing comes after it.
    Finish(End),
}

/// How a run has ended. There is no fourth way, as in
/// [`RunState`](crate::run::RunState).
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// Well, with a result, as JSON.
    Succeeded(Vec<u8>),
    /// By a step.
    Failed(StepError),
    /// It was asked to stop.
    Cancelled,
}

/// What a run is told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// It begins: always the first, and only the first.
    Begun,
    /// An attempt is over.
    AttemptEnded {
        /// Which.
        attempt: AttemptId,
        /// How it ended.
        outcome: Outcome,
        /// A random number, 0 to 1, for the jitter of a retry. Replayed, it has
        /// to be the same.
        roll: f64,
    },
    /// A time has come.
    TimerFired {
        /// Which wait is over.
        timer: TimerId,
    },
    /// A signal was sent. One that nothing waits for yet is kept.
    Signalled {
        /// Its name.
        name: String,
        /// Its key, where it is `keyed`.
        key: Option<String>,
        /// Its value, as JSON.
        value: Vec<u8>,
    },
    /// Nothing more is to start.
    Paused,
    /// It goes on.
    Resumed,
    /// It is to stop.
    CancelRequested,
    /// The grace time is over.
    GraceOver,
}

/// How an attempt has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// Well, with a value as JSON; of an undo, `null`.
    Ok(Box<RawJson>),
    /// Of a reconciliation: what it looked for was not done.
    NotDone,
    /// Not well.
    Failed {
        /// Why.
        failure: Failure,
        /// Whether every further attempt would fail.
        fatal: bool,
        /// How long to wait at least before another one.
        after: Option<Duration>,
    },
    /// Its process died, or is not heard of any more.
    Lost,
    /// Its process ended in good order meanwhile.
    Interrupted,
    /// It was never begun.
    NotBegun,
    /// It was given up because its run asked for that.
    Cancelled,
}

/// JSON as it was written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawJson(Box<RawValue>);

impl PartialEq for RawJson {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl RawJson {
    /// The text.
    #[must_use]
    pub fn get(&self) -> &str {
        self.0.get()
    }
}

impl Outcome {
    /// A value that is written down already.
    ///
    /// # Errors
    /// When it is no JSON.
    pub fn ok(value: &[u8]) -> Result<Self, serde_json::Error> {
        Ok(Self::Ok(Box::new(RawJson(serde_json::from_slice(value)?))))
    }

    /// It took longer than its [`timeout`](Order::timeout).
    #[must_use]
    pub fn timed_out(limit: Duration) -> Self {
        let failure = Failure::new(Cause::Timeout, format!("timed out after {limit:?}"));
        Self::Failed { failure, fatal: false, after: None }
    }

    pub(super) fn failed(failure: Failure, retryability: Retryability) -> Self {
        let fatal = retryability == Retryability::Fatal;
        let after = match retryability {
            Retryability::RetryAfter(after) => Some(after),
            _ => None,
        };
        Self::Failed { failure, fatal, after }
    }

    /// As the machine hears of it, and the value that it brings.
    pub(super) fn heard(self) -> (AttemptEnd, Option<Box<RawJson>>) {
        let end = match self {
            Self::Ok(value) => return (AttemptEnd::Ok, Some(value)),
            Self::NotDone => AttemptEnd::NotDone,
            Self::Failed { failure, fatal: true, .. } => AttemptEnd::Failed(failure, Retryability::Fatal),
            Self::Failed { failure, after: Some(after), .. } => {
                AttemptEnd::Failed(failure, Retryability::RetryAfter(after))
            }
            Self::Failed { failure, .. } => AttemptEnd::Failed(failure, Retryability::Retry),
            Self::Lost => AttemptEnd::Lost,
            Self::Interrupted => AttemptEnd::Interrupted,
            Self::NotBegun => AttemptEnd::NotBegun,
            Self::Cancelled => AttemptEnd::Cancelled,
        };
        (end, None)
    }
}
