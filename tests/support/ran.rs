use std::time::Duration;

use workflow_runtime::definition::Graph;
use workflow_runtime::run::{StepState, Timestamp};
use workflow_runtime::testing::{Trace, block_on};
use workflow_runtime::{
    Cause, Engine, EngineBuilder, Error, Invocation, NoResources, Resources, Result, Run, RunEvent,
    RunEventKind, RunSnapshot, RunsOn, StepError, Workflow,
};

use crate::check;

pub const STEP_SUCCEEDED: StepState = StepState::Succeeded { cached: false };

const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// A run that has ended, and everything that can be known about it.
#[derive(Debug)]
pub struct Ran<T> {
    pub result: Result<T>,
    pub trace: Trace,
    pub snapshot: RunSnapshot,
    pub graph: &'static Graph,
}

/// Runs a workflow to its end on a virtual clock, and checks what holds for
/// every run.
#[track_caller]
pub fn run<W: Workflow + RunsOn<NoResources>>(invocation: Invocation<W>) -> Ran<W::Ok> {
    run_on(Engine::in_memory(), invocation)
}

/// The same, on an engine of the caller's.
#[track_caller]
pub fn run_on<R: Resources, W: Workflow + RunsOn<R>>(
    engine: EngineBuilder<R>,
    invocation: Invocation<W>,
) -> Ran<W::Ok> {
    drive_on(engine, invocation, async |_| {})
}

/// The same, and does something to the run meanwhile. All ready steps have
/// started when `act` begins, and no time has passed.
#[track_caller]
pub fn drive<W: Workflow + RunsOn<NoResources>>(
    invocation: Invocation<W>,
    act: impl AsyncFnOnce(Run<W::Ok>),
) -> Ran<W::Ok> {
    drive_on(Engine::in_memory(), invocation, act)
}

#[track_caller]
pub fn drive_on<R: Resources, W: Workflow + RunsOn<R>>(
    engine: EngineBuilder<R>,
    invocation: Invocation<W>,
    act: impl AsyncFnOnce(Run<W::Ok>),
) -> Ran<W::Ok> {
    let ran = block_on(async {
        let engine = engine.start().await.expect("an engine in memory starts");
        let run = engine.start(invocation).await.expect("the run starts");
        let watched = tokio::spawn(observe(run.clone()));
        crate::settle().await;
        let handle = run.clone();
        // No test waits this long, so whoever still waits then would for ever.
        let result = tokio::time::timeout(YEAR, async {
            act(run.clone()).await;
            run.await
        });
        let Ok(result) = result.await else { panic!("the run does not end\n{}", handle.trace()) };
        let (trace, snapshot) = (handle.trace(), handle.snapshot());
        assert_eq!(
            watched.await.expect("the observer ends"),
            trace.events(),
            "another observer saw the same"
        );
        assert_eq!(observe(handle).await, trace.events(), "a late observer sees the same");
        Ran { result, trace, snapshot, graph: W::GRAPH }
    });
    check(ran.graph, &ran.trace, &ran.snapshot);
    ran
}

async fn observe<T>(run: Run<T>) -> Vec<RunEvent> {
    let mut events = run.events();
    let mut all = Vec::new();
    while let Some(event) = events.next().await {
        all.push(event);
    }
    all
}

impl<T: std::fmt::Debug> Ran<T> {
    /// The result of a run that succeeded.
    #[track_caller]
    pub fn value(&self) -> &T {
        match &self.result {
            Ok(value) => value,
            Err(error) => panic!("the run did not succeed: {error}\n{}", self.trace),
        }
    }

    /// The failure of a run that failed.
    #[track_caller]
    pub fn failure(&self) -> &StepError {
        match &self.result {
            Err(Error::Failed { error, .. }) => error,
            other => panic!("the run did not fail but ended with {other:?}\n{}", self.trace),
        }
    }

    /// Asserts which step failed the run, and how.
    #[track_caller]
    pub fn assert_failed(&self, path: &str, cause: Cause) {
        let failure = self.failure();
        assert_eq!((failure.step(), failure.failure().cause), (path, cause), "{failure}\n{}", self.trace);
    }

    #[track_caller]
    pub fn assert_cancelled(&self) {
        assert!(matches!(self.result, Err(Error::Cancelled { .. })), "{:?}\n{}", self.result, self.trace);
    }

    /// Asserts the final state of a step, as trace and snapshot tell it.
    #[track_caller]
    pub fn assert_state(&self, path: &str, state: StepState) {
        assert_eq!(self.step_state(path), Some(state), "`{path}`\n{}", self.trace);
    }

    /// Asserts that these steps, of whatever states, are all there is.
    #[track_caller]
    pub fn assert_states<const N: usize>(&self, expected: [(&str, StepState); N]) {
        for (path, state) in expected {
            self.assert_state(path, state);
        }
    }

    pub fn step_state(&self, path: &str) -> Option<StepState> {
        self.snapshot.step(path).map(|step| step.state)
    }

    /// Asserts that the step never began, for whatever reason.
    #[track_caller]
    pub fn assert_never_started(&self, path: &str) {
        assert!(self.snapshot.step(path).is_some(), "there is no step `{path}`\n{}", self.trace);
        assert_eq!(self.starts(path), [], "`{path}` has started\n{}", self.trace);
    }

    /// How long the run took.
    pub fn took(&self) -> Duration {
        self.since(self.snapshot.ended_at.expect("the run has ended"))
    }

    /// When the step's attempts started, counted from the run's start.
    pub fn starts(&self, path: &str) -> Vec<Duration> {
        self.times(path, |state| state == StepState::Running)
    }

    /// When the step started for the first time.
    #[track_caller]
    pub fn started(&self, path: &str) -> Duration {
        match self.starts(path).first() {
            Some(time) => *time,
            None => panic!("`{path}` has not started\n{}", self.trace),
        }
    }

    /// When the step ended.
    #[track_caller]
    pub fn ended(&self, path: &str) -> Duration {
        match self.times(path, StepState::is_ended).first() {
            Some(time) => *time,
            None => panic!("`{path}` has not ended\n{}", self.trace),
        }
    }

    fn times(&self, wanted: &str, is: impl Fn(StepState) -> bool) -> Vec<Duration> {
        let of_step = |event: &RunEvent| match &event.kind {
            RunEventKind::Step { path, state, .. } if path == wanted && is(*state) => {
                Some(self.since(event.at))
            }
            _ => None,
        };
        self.trace.events().iter().filter_map(of_step).collect()
    }

    fn since(&self, time: Timestamp) -> Duration {
        // Paused clocks advance in milliseconds, and so do timers.
        let nanos = time.since(self.snapshot.started_at).as_nanos();
        Duration::from_millis(u64::try_from(nanos / 1_000_000).expect("short enough"))
    }

    /// How many of the steps were at work at the same time, at most.
    pub fn most_at_once(&self, of: impl Fn(&str) -> bool) -> usize {
        let mut running = std::collections::HashSet::new();
        let mut most = 0;
        for event in self.trace.events() {
            let RunEventKind::Step { path, state, .. } = &event.kind else { continue };
            if !of(path) {
                continue;
            }
            if *state == StepState::Running {
                running.insert(path.as_str());
            } else {
                running.remove(path.as_str());
            }
            most = most.max(running.len());
        }
        most
    }

    /// The paths of all steps that a task ran for, in the order in which they
    /// first started.
    pub fn started_in_order(&self) -> Vec<&str> {
        let mut paths = Vec::new();
        for event in self.trace.events() {
            if let RunEventKind::Step { path, state: StepState::Running, .. } = &event.kind
                && !paths.contains(&path.as_str())
            {
                paths.push(path);
            }
        }
        paths
    }
}
