//! The events of a run as lines: one for each thing worth telling once. No
//! terminal here.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use super::short::short;
use crate::failure::Cause;
use crate::observe::{RunEvent, RunEventKind};
use crate::run::{StepState, Timestamp, Wait};
use crate::view::{RunSnapshot, StepKind};

/// Makes news of a run's events, one by one.
#[derive(Debug, Default)]
pub(super) struct Reporter {
    /// The steps under way, and since when, waits included.
    live: HashMap<String, Timestamp>,
    /// What steps were when they were looked at.
    seen: HashMap<String, StepState>,
}

/// Something to tell once.
#[derive(Clone, Debug)]
pub(super) struct News {
    /// What happened, such as `succeeded`.
    what: String,
    /// The path of the step it happened to.
    path: String,
    /// How long the step took, waits included; absent while it goes on.
    took: Option<Duration>,
    /// Why, where it is a failure; one line.
    why: Option<String>,
}

/// Whether a step is not worth a word while nothing is wrong with it.
fn is_quiet(kind: StepKind, state: StepState) -> bool {
    kind == StepKind::Value || kind == StepKind::Check && state != StepState::Failed
}

impl Reporter {
    /// Takes an event in, and says what of it is worth telling.
    pub(super) fn take(&mut self, event: RunEvent) -> Option<News> {
        let RunEventKind::Step { path, kind, state, attempt, failure, .. } = event.kind else { return None };
        // Regions are under way as long as a step in them is, and only say so
        // again.
        if kind.is_region() || is_quiet(kind, state) {
            return None;
        }
        // The rest of a long message is for the code that reports the failure.
        let why =
            failure.as_ref().map(|failure| failure.to_string().lines().next().unwrap_or_default().to_owned());
        let lost = failure.is_some_and(|failure| failure.cause == Cause::Lost);
        self.step(event.at, path, state, attempt, why, lost)
    }

    /// Looks at a run again, and says what is new since the last time.
    pub(super) fn compare(&mut self, run: &RunSnapshot) -> Vec<News> {
        let mut news = Vec::new();
        for step in run.steps.iter().filter(|step| !step.kind.is_region() && !is_quiet(step.kind, step.state))
        {
            if self.seen.get(&step.path) == Some(&step.state) {
                continue;
            }
            self.seen.insert(step.path.clone(), step.state);
            let why = step.failure.as_ref().map(ToString::to_string);
            let lost = step.failure.as_ref().is_some_and(|failure| failure.cause == Cause::Lost);
            let at = step.ended_at.or(step.started_at).unwrap_or(run.started_at);
            if let Some(started) = step.started_at {
                self.live.entry(step.path.clone()).or_insert(started);
            }
            news.extend(self.step(at, step.path.clone(), step.state, step.attempt, why, lost));
        }
        news
    }

    fn step(
        &mut self,
        now: Timestamp,
        path: String,
        state: StepState,
        attempt: u32,
        why: Option<String>,
        lost: bool,
    ) -> Option<News> {
        if state.is_ended() {
            let began = self.live.remove(&path)?;
            return Some(News { what: state.to_string(), path, took: Some(now.since(began)), why });
        }
        if state == StepState::Waiting(Wait::Dependencies) {
            return None;
        }
        self.live.entry(path.clone()).or_insert(now);
        let (what, why) = match state {
            StepState::Waiting(Wait::Backoff { until }) => {
                let next = format!("{}; next in {}", why.unwrap_or_default(), short(until.since(now)));
                // What was lost does not count.
                let what = if lost { "lost".to_owned() } else { format!("failed attempt {attempt} of") };
                (what, Some(next))
            }
            StepState::Suspected => (state.to_string(), why),
            StepState::Waiting(Wait::Signal { .. }) => (state.to_string(), None),
            _ => return None,
        };
        Some(News { what, path, took: None, why })
    }
}

/// `succeeded nightly/priced[3]/quote 12 ms`
impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.path)?;
        if let Some(took) = self.took {
            write!(f, " {}", short(took))?;
        }
        self.why.iter().try_for_each(|why| write!(f, ": {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Failure;
    use crate::run::RunState;

    const BUSY: &str = "busy\nand more that is left out";

    fn event(at: u64, path: &str, kind: StepKind, state: StepState, attempt: u32, why: &str) -> RunEvent {
        let failure =
            (!why.is_empty()).then(|| Failure { cause: Cause::Error, messages: vec![why.to_owned()] });
        let (path, task) = (path.to_owned(), "task".to_owned());
        let kind = RunEventKind::Step { path, task, kind, state, attempt, failure };
        RunEvent { at: Timestamp(at * 1_000_000), kind }
    }

    #[test]
    fn news_of_a_run() {
        use StepKind::{For, Signal, Task};
        const DONE: StepState = StepState::Succeeded { cached: false };
        let until = Timestamp(1_500_000_000);
        let backoff = StepState::Waiting(Wait::Backoff { until });
        let signal = StepState::Waiting(Wait::Signal { until: None });
        let events = [
            RunEvent { at: Timestamp(0), kind: RunEventKind::Run(RunState::Running) },
            event(0, "w/fetch", Task, StepState::Waiting(Wait::Dependencies), 0, ""),
            event(0, "w/fetch", Task, StepState::Running, 1, ""),
            event(0, "w/all", For, StepState::Running, 0, ""),
            event(0, "w/fetch", Task, backoff, 1, BUSY),
            event(20, "w/all", For, DONE, 0, ""),
            event(30, "w/review", Signal, signal, 0, ""),
            event(1500, "w/fetch", Task, StepState::Running, 2, ""),
            event(1600, "w/fetch", Task, DONE, 2, ""),
            event(1630, "w/review", Signal, StepState::Cancelled, 0, ""),
            // It never began.
            event(1630, "w/report", Task, StepState::UpstreamFailed, 0, ""),
        ];
        let mut reporter = Reporter::default();
        let news: Vec<_> = events.into_iter().filter_map(|event| reporter.take(event)).collect();
        assert_eq!(
            news.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "failed attempt 1 of w/fetch: busy; next in 1.5 s",
                "waiting for a signal w/review",
                "succeeded w/fetch 1.6 s",
                "cancelled w/review 1.6 s",
            ]
        );
    }
}
