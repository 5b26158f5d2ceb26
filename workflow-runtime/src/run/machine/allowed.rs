//! What an operator may do to a step now: the one place that decides it.

use std::fmt;

use super::Machine;
use super::frame::Activity;
use crate::run::state::{StepState, Wait};
use crate::task::definition::Kind;
use crate::task::place::Key;

/// Why something cannot be done to a step now. Its `Display` goes on from "it".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It is not there, or not any more.
    Closed,
    /// It is made of other steps, and has nothing of its own.
    OfOthers,
    /// It is the value of an expression.
    Expression,
    /// Its state is none for that.
    State(StepState),
    /// An attempt to undo it is under way.
    UndoRuns,
    /// Its part of the run ends without success.
    Ending,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("is not under way any more"),
            Self::OfOthers => f.write_str("is made of other steps"),
            Self::Expression => f.write_str("is an expression, which is evaluated by itself"),
            Self::State(state) => write!(f, "is {state}"),
            Self::UndoRuns => f.write_str("is being undone at this moment"),
            Self::Ending => f.write_str("belongs to what has failed or is cancelled"),
        }
    }
}

impl Machine {
    /// Whether the step's next attempt can be made now: where it waits for its
    /// backoff, or its outcome is unknown; of a step that is being undone, the
    /// next attempt of that.
    ///
    /// # Errors
    /// Says why not.
    pub fn may_retry(&self, key: Key) -> Result<(), Refusal> {
        let node = self.frames.node(key).ok_or(Refusal::Closed)?;
        let step = self.step(key).ok_or(Refusal::Closed)?;
        let is_task = matches!(step.kind, Kind::Task(_));
        match node.state {
            StepState::Waiting(Wait::Backoff { .. }) | StepState::Suspected if is_task => Ok(()),
            // A failed run may still wait for what a reconciliation says.
            StepState::OutcomeUnknown if node.unresolved => {
                let halted = self.frames.at(key.frame.index).halted && !step.always;
                if halted { Err(Refusal::Ending) } else { Ok(()) }
            }
            StepState::Undoing if node.activity == Activity::Idle => Ok(()),
            StepState::Undoing => Err(Refusal::UndoRuns),
            state => Err(Refusal::State(state)),
        }
    }

    /// Whether the step can be settled by hand now: where it waits for
    /// anything but other steps, or its outcome is unknown. A step that is
    /// being undone is undone then.
    ///
    /// # Errors
    /// Says why not.
    pub fn may_set(&self, key: Key) -> Result<(), Refusal> {
        let node = self.frames.node(key).ok_or(Refusal::Closed)?;
        let step = self.step(key).ok_or(Refusal::Closed)?;
        match &step.kind {
            Kind::Task(task) if task.task.child.is_none() => {}
            Kind::Signal { .. } | Kind::Sleep(_) => {}
            Kind::Compute(_) | Kind::Check(_) => return Err(Refusal::Expression),
            Kind::Task(_)
            | Kind::Map { .. }
            | Kind::Loop { .. }
            | Kind::Branch { .. }
            | Kind::Select { .. } => {
                return Err(Refusal::OfOthers);
            }
        }
        match node.state {
            // It may never begin, and nothing asks for its value yet.
            state @ StepState::Waiting(Wait::Dependencies) => Err(Refusal::State(state)),
            StepState::Waiting(_) | StepState::Suspected => Ok(()),
            StepState::Undoing if node.activity == Activity::Idle => Ok(()),
            StepState::Undoing => Err(Refusal::UndoRuns),
            StepState::OutcomeUnknown if node.unresolved => Ok(()),
            state => Err(Refusal::State(state)),
        }
    }

    /// Whether the undo of the step can be given up now.
    ///
    /// # Errors
    /// Says why not.
    pub fn may_give_up(&self, key: Key) -> Result<(), Refusal> {
        match self.frames.node(key).ok_or(Refusal::Closed)?.state {
            StepState::Undoing => Ok(()),
            StepState::Suspected if self.is_undo(key) => Ok(()),
            state => Err(Refusal::State(state)),
        }
    }
}
