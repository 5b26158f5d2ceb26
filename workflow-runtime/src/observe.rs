//! What happens to a run, told to observers.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use serde::Serialize;

use crate::engine::frames::Scope;
use crate::engine::host::RunHost;
use crate::engine::record::{Entry, What};
use crate::error::Failure;
use crate::run::{RunState, StepState, Timestamp};
use crate::view::{StepKind, describe};

/// Something that happened to a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: RunEventKind,
}

/// What happened to a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunEventKind {
    /// The run has a new state.
    Run(RunState),
    /// A step has a new state.
    Step {
        /// The step's path, such as `nightly/priced[3]/quote`.
        path: String,
        /// Its task's name, or what kind of built-in step it is.
        task: String,
        /// What it is.
        kind: StepKind,
        /// Its new state.
        state: StepState,
        /// The attempt that the state is about, from 1; 0 before the first.
        attempt: u32,
        /// Why the last attempt failed, where this is about that.
        failure: Option<Failure>,
    },
    /// A task told how far it is, in units of its choice. A task that tells
    /// often is heard ten times a second.
    Progress {
        /// The step's path.
        path: String,
        /// How much is done.
        done: u64,
        /// Of how much.
        total: u64,
    },
    /// So many events are missing here: a run keeps its last 10,000, and the
    /// observer was not fast enough, or came too late, for the earlier ones.
    Lagged(u64),
}

/// The events of one run, from its first on; made by
/// [`Run::events`](crate::AnyRun::events). It does not keep the run from ending,
/// and ends with it.
///
/// ```no_run
/// # async fn watch(run: workflow_runtime::Run<u64>) {
/// let mut events = run.events();
/// while let Some(event) = events.next().await {
///     println!("{event}");
/// }
/// # }
/// ```
pub struct Events {
    host: Arc<RunHost>,
    /// The number of the next event.
    next: u64,
    lagged_at: Timestamp,
}

impl Events {
    pub(crate) fn of(host: Arc<RunHost>) -> Self {
        Self { host, next: 0, lagged_at: Timestamp::default() }
    }

    /// The next event, or `None` once the run has ended and all were told.
    pub async fn next(&mut self) -> Option<RunEvent> {
        loop {
            // It tells the same from its beginning, and goes on.
            let host = self.host.current().0.clone();
            self.host = host.clone();
            let mut changed = pin!(host.changed.notified());
            host.watch(changed.as_mut());
            match self.try_next() {
                Ok(event) => return Some(event),
                Err(true) => return None,
                Err(false) => changed.await,
            }
        }
    }

    /// The next event, if there is one; otherwise whether the run has ended.
    pub(crate) fn try_next(&mut self) -> Result<RunEvent, bool> {
        let inner = self.host.lock();
        match inner.log.get(self.next) {
            None => Err(self.host.is_over(&inner)),
            Some(Err(missing)) => {
                self.next += missing;
                Ok(RunEvent { at: self.lagged_at, kind: RunEventKind::Lagged(missing) })
            }
            Some(Ok(entry)) => {
                drop(inner);
                self.next += 1;
                self.lagged_at = entry.at;
                Ok(RunEvent::from(entry))
            }
        }
    }
}

impl From<Entry<Arc<Scope>>> for RunEvent {
    fn from(Entry { at, what }: Entry<Arc<Scope>>) -> Self {
        let kind = match what {
            What::Run(state) => RunEventKind::Run(state),
            What::Step { scope, step, state, attempt, failure } => {
                let failure = failure.map(|failure| *failure);
                let task = scope.step(step).map(describe).unwrap_or_default();
                let kind = scope.step(step).map_or(StepKind::Task, StepKind::of);
                RunEventKind::Step { path: scope.path(step), task, kind, state, attempt, failure }
            }
            What::Progress { scope, step, done, total } => {
                RunEventKind::Progress { path: scope.path(step), done, total }
            }
        };
        Self { at, kind }
    }
}

impl fmt::Display for RunEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            RunEventKind::Run(state) => write!(f, "run {state}"),
            RunEventKind::Step { path, state, attempt, failure, .. } => {
                write!(f, "{path} {state}")?;
                if *attempt > 1 {
                    write!(f, " (attempt {attempt})")?;
                }
                failure.iter().try_for_each(|failure| write!(f, ": {failure}"))
            }
            RunEventKind::Progress { path, done, total } => write!(f, "{path} {done}/{total}"),
            RunEventKind::Lagged(missing) => write!(f, "({missing} events are missing)"),
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("run", &self.host.id).field("next", &self.next).finish()
    }
}
