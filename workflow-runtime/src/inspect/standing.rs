//! How a run stands, in a sentence: what it does, what it waits for and until
//! when, or how it ended.

use std::fmt::Write;

use crate::inspect::time::{count, local, short};
use crate::inspect::view::StepView;
use crate::lookup::find_step;
use crate::run::{RunState, StepState, Timestamp, Wait};
use crate::task::definition::{Graph, Kind, OnFailure};
use crate::view::RunSnapshot;

/// How many steps are named.
const NAMED: usize = 3;

/// What is told about, and by which clock.
pub(crate) struct Standing<'a> {
    pub(crate) snapshot: &'a RunSnapshot,
    /// None where the story cannot be told.
    pub(crate) steps: &'a [StepView],
    /// The graph that the run follows, where it is known.
    pub(crate) graph: Option<&'static Graph>,
    /// Why this program would not go on with it.
    pub(crate) blocked: Option<&'a str>,
    /// What failed it.
    pub(crate) error: Option<String>,
    pub(crate) now: Timestamp,
}

impl Standing<'_> {
    /// One sentence, without its full stop.
    pub(crate) fn sentence(&self) -> String {
        let Self { snapshot, now, .. } = self;
        let took = || short(snapshot.ended_at.unwrap_or(*now).since(snapshot.started_at));
        if let Some(why) = &snapshot.stopped {
            return format!("Stopped for now, nothing is lost, and it goes on by itself: {why}");
        }
        match snapshot.state {
            RunState::Queued => "Has not begun".to_owned(),
            RunState::Succeeded => format!("Succeeded after {}", took()),
            RunState::Cancelled => format!("Was cancelled after {}", took()),
            RunState::Failed => match &self.error {
                Some(error) => format!("Failed after {}: {error}", took()),
                None => format!("Failed after {}", took()),
            },
            RunState::Paused => self.with("Is paused, and starts nothing more until it is resumed"),
            RunState::Blocked => match self.blocked {
                Some(why) => format!("Is blocked: {why}"),
                None => "Is blocked: another program could not go on with it, and this one can".to_owned(),
            },
            RunState::Cancelling => self.with("Is being cancelled"),
            RunState::Undoing => self.with("Is undoing what was done"),
            RunState::Running | RunState::Waiting => self.doing(),
        }
    }

    /// What it does or waits for, in a few words.
    fn doing(&self) -> String {
        let of = |fits: fn(StepState) -> bool| -> Vec<&StepView> {
            self.steps.iter().filter(|step| fits(step.state) && !self.is_around(step)).collect()
        };
        let suspected = of(|state| state == StepState::Suspected);
        if let Some(step) = suspected.first() {
            let lost = count(usize::from(step.losses), "time");
            return format!(
                "Waits for an operator: {} may be what ends the process, it was lost {lost} in a row",
                self.name(step)
            );
        }
        let unknown = of(|state| state == StepState::OutcomeUnknown);
        if let Some(step) = unknown.first() {
            return format!(
                "Waits for an operator: it is not known whether {} was done before its process ended",
                self.name(step)
            );
        }
        let running = of(|state| state == StepState::Running);
        if !running.is_empty() {
            return format!("Runs {}", self.named(&running));
        }
        let waiting = of(|state| matches!(state, StepState::Waiting(_)));
        // What people can do something about comes first, then what is soonest.
        let first = waiting.iter().filter_map(|step| Some((rank(step.state)?, step)));
        match first.min_by_key(|(rank, _)| *rank) {
            Some((_, step)) => self.wait(step, &waiting),
            None if self.steps.is_empty() => format!("Is {}", self.snapshot.state),
            None => "Is about to go on".to_owned(),
        }
    }

    fn wait(&self, step: &StepView, waiting: &[&StepView]) -> String {
        let StepState::Waiting(wait) = step.state else { return String::new() };
        let since = short(self.now.since(step.since.0));
        let mut said = match wait {
            Wait::Signal { until } => {
                let signal = step.task.strip_prefix("signal ").unwrap_or(&step.task);
                let mut said = format!("Waits for the signal `{signal}` since {since}");
                if let Some(until) = until {
                    let _ = write!(said, ", until {}{}", local(until), self.then(step));
                }
                said
            }
            Wait::Timer { until } => {
                format!("Sleeps until {}, for another {}", local(until), short(until.since(self.now)))
            }
            Wait::Backoff { until } => {
                let why = step.failure.as_ref().map(|failure| format!(", after: {failure}"));
                format!(
                    "Waits to attempt {} again in {}{}",
                    self.name(step),
                    short(until.since(self.now)),
                    why.unwrap_or_default()
                )
            }
            Wait::Slot => format!("{} waits for a slot since {since}", self.name(step)),
            Wait::Turn => format!("{} waits for its turn since {since}", self.name(step)),
            Wait::Paused => "Is paused".to_owned(),
            Wait::Dependencies => "Is about to go on".to_owned(),
        };
        let others = waiting.iter().filter(|other| rank(other.state).is_some()).count().saturating_sub(1);
        if others > 0 {
            let _ = write!(said, "; and {others} more");
        }
        said
    }

    /// What becomes of the run when the signal does not come in time.
    fn then(&self, step: &StepView) -> &'static str {
        let found = self.graph.and_then(|graph| find_step(graph, &step.path));
        match found.map(|step| (&step.kind, step.on_failure)) {
            Some((Kind::Signal { .. }, OnFailure::FailRun)) => "; then the run fails",
            Some((Kind::Signal { .. }, OnFailure::Value(_))) => "; then the run goes on without it",
            _ => "",
        }
    }

    fn with(&self, what: &str) -> String {
        let running: Vec<&StepView> = self
            .steps
            .iter()
            .filter(|step| {
                matches!(step.state, StepState::Running | StepState::Undoing) && !self.is_around(step)
            })
            .collect();
        match running.is_empty() {
            true => what.to_owned(),
            false => format!("{what}; under way: {}", self.named(&running)),
        }
    }

    /// Whether a step is a region that others run in, which say more.
    fn is_around(&self, step: &StepView) -> bool {
        step.kind.is_region() && step.state == StepState::Running
    }

    fn named(&self, steps: &[&StepView]) -> String {
        let mut names: Vec<String> = steps.iter().take(NAMED).map(|step| self.name(step)).collect();
        if let [only] = steps
            && let Some(started) = only.started_at
        {
            names[0] += &format!(" since {}", short(self.now.since(started.0)));
        }
        if steps.len() > NAMED {
            names.push(format!("{} more", steps.len() - NAMED));
        }
        names.join(", ")
    }

    /// Its path without the workflow's name, which stands beside it.
    fn name(&self, step: &StepView) -> String {
        let own = step.path.split_once('/').map_or(&*step.path, |(_, rest)| rest);
        format!("`{own}`")
    }
}

/// What of several waits is told first; nothing of what waits only for others.
fn rank(state: StepState) -> Option<(u8, u64)> {
    match state {
        StepState::Waiting(Wait::Signal { until }) => Some((0, until.map_or(u64::MAX, |until| until.0))),
        StepState::Waiting(Wait::Backoff { until }) => Some((1, until.0)),
        StepState::Waiting(Wait::Timer { until }) => Some((1, until.0)),
        StepState::Waiting(Wait::Turn) => Some((2, 0)),
        StepState::Waiting(Wait::Slot) => Some((3, 0)),
        StepState::Waiting(Wait::Paused) => Some((4, 0)),
        _ => None,
    }
}
