//! The names under which states are stored, and shown to who reads the file.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::model::StepChange;
use crate::run::{RunState, StepState, Timestamp, Wait};

/// Written for people, who read it in the store's views.
impl Serialize for StepChange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("path", &self.path)?;
        if let Some(task) = &self.task {
            map.serialize_entry("task", task)?;
        }
        map.serialize_entry("state", step_state_name(self.state))?;
        if let StepState::Waiting(wait) = self.state {
            let (name, until) = wait_name(wait);
            map.serialize_entry("waits_for", name)?;
            if let Some(until) = until {
                map.serialize_entry("until", &until)?;
            }
        }
        if self.attempt > 0 {
            map.serialize_entry("attempt", &self.attempt)?;
        }
        if let Some(failure) = &self.failure {
            map.serialize_entry("failure", failure)?;
        }
        map.end()
    }
}

/// `cached` is a success too: the result of an earlier run.
fn step_state_name(state: StepState) -> &'static str {
    match state {
        StepState::Waiting(_) => "waiting",
        StepState::Running => "running",
        StepState::Succeeded { cached: false } => "succeeded",
        StepState::Succeeded { cached: true } => "cached",
        StepState::Failed => "failed",
        StepState::Skipped => "skipped",
        StepState::UpstreamFailed => "upstream_failed",
        StepState::Cancelled => "cancelled",
        StepState::OutcomeUnknown => "outcome_unknown",
        StepState::Suspected => "suspected",
        StepState::Undoing => "undoing",
        StepState::Undone => "undone",
    }
}

fn wait_name(wait: Wait) -> (&'static str, Option<Timestamp>) {
    match wait {
        Wait::Dependencies => ("dependencies", None),
        Wait::Slot => ("slot", None),
        Wait::Turn => ("turn", None),
        Wait::Timer { until } => ("timer", Some(until)),
        Wait::Signal { until } => ("signal", until),
        Wait::Backoff { until } => ("backoff", Some(until)),
        Wait::Paused => ("paused", None),
    }
}

/// The name under which a run's state is stored.
pub(super) fn run_state_name(state: RunState) -> &'static str {
    match state {
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
    }
}

pub(super) fn run_state_named(name: &str) -> Option<RunState> {
    RunState::ALL.into_iter().find(|state| run_state_name(*state) == name)
}
