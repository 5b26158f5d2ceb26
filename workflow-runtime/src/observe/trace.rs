//! What happened to a run, to assert on.

use std::fmt;

use super::{RunEvent, RunEventKind};
use crate::run::StepState;

/// What happened to a run until now, in order. Its assertions print it when
/// they fail.
///
/// ```no_run
/// # use workflow_runtime::{Run, run::StepState};
/// # async fn test(run: Run<u64>) {
/// run.wait().await;
/// let trace = run.trace();
/// trace.assert_order(["nightly/listing", "nightly/orders"]);
/// trace.assert_state("nightly/report", StepState::Succeeded { cached: false });
/// assert_eq!(trace.attempts("nightly/listing"), 3);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Trace {
    events: Vec<RunEvent>,
}

impl Trace {
    /// The events.
    #[must_use]
    pub fn events(&self) -> &[RunEvent] {
        &self.events
    }

    /// A step's states, in order.
    #[must_use]
    pub fn states(&self, path: &str) -> Vec<StepState> {
        self.of_step(path).map(|(_, state, _)| state).collect()
    }

    /// How many attempts of a step were started.
    #[must_use]
    pub fn attempts(&self, path: &str) -> u32 {
        self.of_step(path).map(|(_, _, attempt)| attempt).max().unwrap_or(0)
    }

    /// Asserts that each of the steps ended before the next one started.
    ///
    /// # Panics
    /// When it is not so.
    #[track_caller]
    pub fn assert_order<'a>(&self, paths: impl IntoIterator<Item = &'a str>) {
        let paths: Vec<&str> = paths.into_iter().collect();
        for pair in paths.windows(2) {
            let [earlier, later] = pair else { continue };
            let ended = self.of_step(earlier).find(|(_, state, _)| state.is_ended());
            let Some((ended, _, _)) = ended else {
                panic!("`{earlier}` has not ended\n{self}");
            };
            let started = self.of_step(later).find(|(_, state, _)| *state == StepState::Running);
            let Some((started, _, _)) = started else {
                panic!("`{later}` has not started\n{self}");
            };
            assert!(ended < started, "`{later}` started before `{earlier}` ended\n{self}");
        }
    }

    /// Asserts the latest state of a step.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn assert_state(&self, path: &str, expected: StepState) {
        match self.of_step(path).last() {
            Some((_, state, _)) => {
                assert!(state == expected, "`{path}` is {state}, expected {expected}\n{self}");
            }
            None => panic!("`{path}` was not heard of, expected it {expected}\n{self}"),
        }
    }

    /// Asserts that a step never started.
    ///
    /// # Panics
    /// When it did.
    #[track_caller]
    pub fn assert_never_started(&self, path: &str) {
        let started = self.of_step(path).any(|(_, state, _)| state == StepState::Running);
        assert!(!started, "`{path}` has started\n{self}");
    }

    fn of_step(&self, wanted: &str) -> impl Iterator<Item = (usize, StepState, u32)> {
        self.events.iter().enumerate().filter_map(move |(place, event)| match &event.kind {
            RunEventKind::Step { path, state, attempt, .. } if path == wanted => {
                Some((place, *state, *attempt))
            }
            _ => None,
        })
    }
}

/// One line an event, with the time since the first.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "what happened:")?;
        let begun = self.events.first().map(|event| event.at).unwrap_or_default();
        self.events
            .iter()
            .try_for_each(|event| writeln!(f, "  {:>10.3}s {event}", event.at.since(begun).as_secs_f64()))
    }
}

impl From<Vec<RunEvent>> for Trace {
    fn from(events: Vec<RunEvent>) -> Self {
        Self { events }
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Timestamp;

    fn step(path: &str, state: StepState, attempt: u32) -> RunEvent {
        let (path, task) = (path.to_owned(), "task".to_owned());
        RunEvent {
            at: Timestamp(0),
            kind: RunEventKind::Step {
                path,
                task,
                kind: crate::StepKind::Task,
                state,
                attempt,
                failure: None,
            },
        }
    }

    fn trace() -> Trace {
        let done = StepState::Succeeded { cached: false };
        Trace::from(vec![
            step("w/a", StepState::Running, 1),
            step("w/a", StepState::Running, 2),
            step("w/a", done, 2),
            step("w/b", StepState::Running, 1),
        ])
    }

    #[test]
    fn order_states_and_attempts_are_read_from_the_events() {
        let trace = trace();
        trace.assert_order(["w/a", "w/b"]);
        trace.assert_state("w/b", StepState::Running);
        trace.assert_never_started("w/c");
        assert_eq!([trace.attempts("w/a"), trace.attempts("w/c")], [2, 0]);
        assert_eq!(trace.states("w/b"), [StepState::Running]);
    }

    #[test]
    #[should_panic(expected = "`w/b` has not ended\nwhat happened:\n       0.000s w/a running\n")]
    fn a_failed_assertion_prints_the_trace() {
        trace().assert_order(["w/b", "w/a"]);
    }
}
