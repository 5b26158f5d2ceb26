//! What a run that has ended leaves in the world without having used it, or
//! without having undone it.

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use super::left::{Left, has_undo};
use super::story::StepStory;
use crate::journal::StoredRecalled;
use crate::run::{RunState, StepState};
use crate::task::definition::Graph;

/// A step whose work stands though its run has not ended with it: it was not
/// undone, or nobody knows what there is to undo. Its `Display` is for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotUndone {
    /// Its path, such as `shop/pay`.
    pub path: String,
    /// Why what it did stands.
    pub why: WhyNotUndone,
}

/// Why what a step did stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WhyNotUndone {
    /// Its undo failed, or an operator gave it up.
    Failed,
    /// The workflow has no such step any more, or none with an undo.
    Gone,
    /// An earlier life of the run did it, and the one that succeeded has not
    /// come to it. A run that succeeds undoes nothing.
    Unused,
    /// An attempt of an `at_most_once` task was lost, so it is unknown whether
    /// it has done anything.
    Unknown,
}

/// What is not undone of a run in this state, whose latest life has this number.
pub(super) fn of(
    graph: &'static Graph,
    left: &Left,
    steps: &[StepStory],
    (state, life): (RunState, usize),
) -> Vec<NotUndone> {
    if !state.is_ended() {
        return Vec::new();
    }
    let met = steps.iter().filter(|step| step.life == life);
    let met: HashMap<&str, StepState> = met.map(|step| (&*step.path, step.state)).collect();
    let found = left.steps.iter().filter_map(|(path, left)| {
        let is_used = matches!(met.get(&**path), Some(StepState::Succeeded { .. }));
        let why = match left.recalled {
            StoredRecalled::Unknown => WhyNotUndone::Unknown,
            StoredRecalled::Value if !left.undoable => return None,
            StoredRecalled::Value if state == RunState::Succeeded && is_used => return None,
            StoredRecalled::Value if met.get(&**path) == Some(&StepState::Failed) => WhyNotUndone::Failed,
            StoredRecalled::Value if !has_undo(graph, path) => WhyNotUndone::Gone,
            StoredRecalled::Value => WhyNotUndone::Unused,
            _ => return None,
        };
        Some(NotUndone { path: path.clone(), why })
    });
    found.collect()
}

impl fmt::Display for NotUndone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            WhyNotUndone::Failed => "its undo failed, or was given up",
            WhyNotUndone::Gone => "the workflow has no such step any more, or none with an undo",
            WhyNotUndone::Unused => "the run has ended without coming to it again, which undoes nothing",
            WhyNotUndone::Unknown => "an attempt was lost, and nobody knows whether it had done anything",
        };
        write!(f, "what `{}` did stands: {why}", self.path)
    }
}
