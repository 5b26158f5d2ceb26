//! What is told of a run: plain data.

use std::fmt;

use serde::Serialize;

use super::Why;
use crate::failure::{Cause, Failure};
use crate::operation::By;
use crate::run::{StepState, Timestamp};
use crate::view::{AwaitedSignal, Items, StepKind};

/// The story of a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StepStory {
    /// Its path, such as `nightly/priced[3]/quote`.
    pub path: String,
    /// Its path without the numbers of items and turns.
    pub static_path: String,
    /// Its task's name, or what kind of built-in step it is.
    pub task: String,
    /// What it is.
    pub kind: StepKind,
    /// Its state, and what it waits for where it waits.
    pub state: StepState,
    /// Since when that has been its state.
    pub since: Timestamp,
    /// When its first attempt or wait began, in the run's latest life that
    /// came to it.
    pub started_at: Option<Timestamp>,
    /// When it ended; an undo does not change that.
    pub ended_at: Option<Timestamp>,
    /// Its attempts in all lives of the run, in order.
    pub attempts: Vec<AttemptStory>,
    /// Why its latest attempt that failed did.
    pub failure: Option<Failure>,
    /// The number of the journal's entry that holds its value.
    pub output: Option<u64>,
    /// Of a `for` that has not ended, how far it is. Where items are folded up,
    /// how many are.
    pub items: Option<Items>,
    /// When its next attempt is due, or the next one to undo it.
    pub next_attempt_at: Option<Timestamp>,
    /// Which signal it waits for, where it does.
    pub awaits: Option<AwaitedSignal>,
    /// The number of the life that it was last heard of in, from 0.
    pub life: usize,
    /// How many attempts of it were lost in a row by now.
    pub losses: u16,
}

/// One attempt of a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AttemptStory {
    /// What was attempted.
    pub kind: AttemptKind,
    /// Its number, from 1. Those that were lost do not count, so a number may
    /// come up again.
    pub number: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended, or was found to have ended.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Outcome,
    /// In what words, where it failed.
    pub failure: Option<Failure>,
    /// Whether its code went on when it was over, since it could not be stopped.
    pub left_behind: bool,
    /// The id of the process that it ran in, where the journal tells.
    pub process: Option<u32>,
}

/// What was attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AttemptKind {
    /// The step's task.
    Task,
    /// To undo it.
    Undo,
    /// To find out what became of a lost attempt.
    Reconcile,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It has not.
    Running,
    /// Well.
    Ok,
    /// Without running: with the result of an earlier run.
    Reused,
    /// Of a reconciliation: the lost attempt had done nothing.
    NotDone,
    /// With an error that another attempt may not meet.
    Error,
    /// With an error that every attempt would meet.
    Fatal,
    /// It took too long.
    Timeout,
    /// It panicked.
    Panic,
    /// The process died while it ran, or before it began.
    Lost,
    /// The engine shut down while it ran.
    Interrupted,
    /// It was stopped.
    Cancelled,
}

/// One life of a run: from its beginning, or from when it was taken up again.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Life {
    /// When it began.
    pub at: Timestamp,
    /// The number of the first entry of the journal that belongs to it.
    pub entry: u64,
    /// Why the run was taken up again; none for its first life.
    pub why: Option<Why>,
    /// The hash of the blueprint that is followed, where it was taken up.
    pub blueprint: Option<u64>,
    /// Who wanted it.
    pub by: Option<By>,
}

/// Something that an operator did to a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OperatorAct {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Operated,
    /// The path of the step that it was done to.
    pub step: Option<String>,
    /// Who, and why.
    pub by: Option<By>,
}

/// What an operator did to a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Operated {
    /// Asked it to stop.
    Cancelled,
    /// Paused it.
    Paused,
    /// Let it go on.
    Resumed,
    /// Settled a step by hand.
    Set,
    /// Had the next attempt of a step made at once.
    Retried,
    /// Gave up the undo of a step: what it did stands.
    GaveUp,
    /// Sent it a signal.
    Signalled {
        /// The signal's name.
        name: String,
        /// Its key, where it has one.
        key: Option<String>,
    },
    /// Had it taken up again.
    TakenUp(Why),
}

impl StepStory {
    /// The attempts that were lost in a row by now, the first one first.
    pub fn lost(&self) -> impl Iterator<Item = &AttemptStory> {
        let lost = || self.attempts.iter().filter(|attempt| attempt.outcome == Outcome::Lost);
        let earlier = lost().count().saturating_sub(usize::from(self.losses));
        lost().skip(earlier)
    }

    /// Whether it may still begin, or is under way.
    pub(super) fn is_open(&self) -> bool {
        !self.state.is_ended() || self.state == StepState::OutcomeUnknown
    }
}

impl Outcome {
    pub(super) fn of(cause: Cause) -> Self {
        match cause {
            Cause::Error | Cause::Limit => Self::Error,
            Cause::Fatal => Self::Fatal,
            Cause::Timeout => Self::Timeout,
            Cause::Panic => Self::Panic,
            Cause::Lost => Self::Lost,
            Cause::Interrupted => Self::Interrupted,
            Cause::Cancelled => Self::Cancelled,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Ok => "ok",
            Self::Reused => "reused",
            Self::NotDone => "not done",
            Self::Error => "error",
            Self::Fatal => "fatal",
            Self::Timeout => "timeout",
            Self::Panic => "panic",
            Self::Lost => "lost",
            Self::Interrupted => "interrupted",
            Self::Cancelled => "cancelled",
        })
    }
}

impl fmt::Display for Operated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("cancelled"),
            Self::Paused => f.write_str("paused"),
            Self::Resumed => f.write_str("resumed"),
            Self::Set => f.write_str("set"),
            Self::Retried | Self::TakenUp(Why::Retried) => f.write_str("retried"),
            Self::GaveUp => f.write_str("gave up an undo"),
            Self::Signalled { name, key: None } => write!(f, "signalled `{name}`"),
            Self::Signalled { name, key: Some(key) } => write!(f, "signalled `{name}`, key `{key}`"),
            Self::TakenUp(Why::Set) => f.write_str("set a step, and taken up again"),
            Self::TakenUp(Why::Changed) => f.write_str("taken up again under changed code"),
            Self::TakenUp(Why::Adopted) => f.write_str("adopted"),
            Self::TakenUp(Why::Forked) => f.write_str("forked"),
        }
    }
}
