//! A step, its attempts, and what they said.

use serde::Serialize;

use super::Time;
use crate::failure::Failure;
use crate::history::{AttemptKind, AttemptStory, Outcome, StepStory};
use crate::run::StepState;
use crate::secret::redacted;
use crate::store::{LogLine, StoredLine};
use crate::view::{AwaitedSignal, Items, StepKind};

/// A step of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct StepView {
    /// Its path, such as `nightly/priced[3]/quote`.
    pub(crate) path: String,
    /// Its path without the numbers of items and turns.
    pub(crate) static_path: String,
    /// Its task's name, or what kind of built-in step it is.
    pub(crate) task: String,
    pub(crate) kind: StepKind,
    pub(crate) state: StepState,
    /// Since when that has been its state.
    pub(crate) since: Time,
    pub(crate) started_at: Option<Time>,
    pub(crate) ended_at: Option<Time>,
    /// Why its latest attempt that failed did.
    pub(crate) failure: Option<Failure>,
    /// Of a `for`, how far it is.
    pub(crate) items: Option<Items>,
    /// When its next attempt is due, or the next one to undo it.
    pub(crate) next_attempt_at: Option<Time>,
    /// Which signal it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) awaits: Option<AwaitedSignal>,
    /// How many attempts of it were lost in a row by now.
    pub(crate) losses: u16,
    /// Its attempts in all lives of the run, in order.
    pub(crate) attempts: Vec<AttemptView>,
}

impl StepView {
    pub(crate) fn of(step: &StepStory) -> Self {
        Self {
            path: step.path.clone(),
            static_path: step.static_path.clone(),
            task: step.task.clone(),
            kind: step.kind,
            state: step.state,
            since: Time(step.since),
            started_at: step.started_at.map(Time),
            ended_at: step.ended_at.map(Time),
            failure: step.failure.clone(),
            items: step.items,
            next_attempt_at: step.next_attempt_at.map(Time),
            awaits: step.awaits.clone(),
            losses: step.losses,
            attempts: step.attempts.iter().map(AttemptView::of).collect(),
        }
    }
}

/// One attempt of a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct AttemptView {
    pub(crate) kind: AttemptKind,
    /// From 1.
    pub(crate) number: u32,
    pub(crate) started_at: Time,
    pub(crate) ended_at: Option<Time>,
    pub(crate) outcome: Outcome,
    /// The process that it ran in, where the journal tells.
    pub(crate) process: Option<u32>,
    pub(crate) failure: Option<Failure>,
    /// Whether its code went on when it was over.
    pub(crate) left_behind: bool,
}

impl AttemptView {
    fn of(attempt: &AttemptStory) -> Self {
        Self {
            kind: attempt.kind,
            number: attempt.number,
            started_at: Time(attempt.started_at),
            ended_at: attempt.ended_at.map(Time),
            outcome: attempt.outcome,
            process: attempt.process,
            failure: attempt.failure.clone(),
            left_behind: attempt.left_behind,
        }
    }
}

/// A step that is suspected to end its process.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct SuspectView {
    pub(crate) path: String,
    pub(crate) since: Time,
    /// How many attempts were lost in a row.
    pub(crate) losses: u16,
    pub(crate) lost: Vec<LossView>,
}

/// An attempt that was lost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct LossView {
    pub(crate) began_at: Time,
    /// When it was found to be lost.
    pub(crate) found_at: Option<Time>,
    pub(crate) process: Option<u32>,
}

impl SuspectView {
    pub(crate) fn of(step: &StepStory) -> Self {
        let lost = |attempt: &AttemptStory| LossView {
            began_at: Time(attempt.started_at),
            found_at: attempt.ended_at.map(Time),
            process: attempt.process,
        };
        Self {
            path: step.path.clone(),
            since: Time(step.since),
            losses: step.losses,
            lost: step.lost().map(lost).collect(),
        }
    }
}

/// A line that an attempt said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct LineView {
    pub(crate) at: Time,
    pub(crate) level: &'static str,
    /// The step's path.
    pub(crate) path: String,
    pub(crate) attempt: u32,
    /// Whether it was an attempt to undo the step.
    pub(crate) undo: bool,
    pub(crate) line: String,
}

impl LineView {
    pub(crate) fn of(stored: &StoredLine) -> Self {
        let LogLine { path, attempt, undo, at, level, text, .. } = &stored.line;
        Self {
            at: Time(*at),
            level: level.name(),
            path: path.to_string(),
            attempt: *attempt,
            undo: *undo,
            line: redacted(text),
        }
    }
}
