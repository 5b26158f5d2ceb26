//! What observers can see of a run: its steps, where the machine knows them no
//! more, and the log of all changes. Both are bounded.

use std::collections::VecDeque;
use std::sync::Arc;

use super::frames::Frame;
use crate::failure::Failure;
use crate::observe::{RunEvent, RunEventKind};
use crate::run::{ClosedSteps, Machine, RunState, StepState, StepView, Timestamp};
use crate::task::definition::Graph;
use crate::task::place::Scope;
use crate::view::{StepKind, describe};

/// How many changes of a run are kept for observers.
const CHANGES: usize = 10_000;

/// How many steps of closed frames a snapshot shows.
const CLOSED_STEPS: usize = 10_000;

/// How often a step's progress becomes an event.
const PROGRESS_EVERY: u64 = 100_000_000;

/// What is to be seen of one step.
#[derive(Clone, Debug)]
pub(crate) struct StepRecord {
    pub(crate) state: StepState,
    pub(crate) attempt: u32,
    /// Whether the latest attempt has begun, and was not only decided.
    pub(crate) begun: bool,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) failure: Option<Failure>,
    pub(crate) progress: Option<ProgressRecord>,
}

/// How far an attempt says it is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ProgressRecord {
    pub(crate) done: u64,
    pub(crate) total: u64,
    /// When it last said anything, a heartbeat included.
    pub(crate) alive_at: Timestamp,
    told_at: Timestamp,
}

impl StepRecord {
    /// Of a step in an arm that was not chosen.
    pub(crate) fn skipped() -> Self {
        Self {
            state: StepState::Skipped,
            attempt: 0,
            begun: false,
            started_at: None,
            ended_at: None,
            failure: None,
            progress: None,
        }
    }

    pub(crate) fn of(view: &StepView<'_>, progress: &StepProgress) -> Self {
        // What earlier attempts met says nothing of one that runs.
        let is_well = matches!(view.state, StepState::Running | StepState::Succeeded { .. });
        Self {
            state: view.state,
            attempt: view.attempt,
            begun: view.begun,
            started_at: view.since,
            ended_at: view.ended,
            failure: view.failure.filter(|_| !is_well).cloned(),
            progress: progress.get(view.key.step).copied(),
        }
    }
}

/// How far the attempts of a frame's steps say they are. A list, since few do.
#[derive(Default)]
pub(crate) struct StepProgress(Vec<(u16, ProgressRecord)>);

impl StepProgress {
    fn get(&self, step: u16) -> Option<&ProgressRecord> {
        self.0.iter().find(|(of, _)| *of == step).map(|(_, progress)| progress)
    }

    fn get_mut(&mut self, step: u16) -> &mut ProgressRecord {
        let place = self.0.iter().position(|(of, _)| *of == step).unwrap_or_else(|| {
            self.0.push((step, ProgressRecord::default()));
            self.0.len() - 1
        });
        &mut self.0[place].1
    }

    /// Another attempt of the step begins.
    pub(crate) fn clear(&mut self, step: u16) {
        self.0.retain(|(of, _)| *of != step);
    }
}

/// A frame that has closed.
pub(crate) struct Closed {
    pub(crate) scope: Arc<Scope>,
    steps: ClosedSteps,
    progress: StepProgress,
}

impl Closed {
    pub(crate) fn records(&self) -> impl Iterator<Item = StepRecord> {
        self.steps.iter().map(|view| StepRecord::of(&view, &self.progress))
    }
}

/// A change: what it takes to tell an observer of it. As it is kept, it names
/// the frame that it is about by a number of the log's.
#[derive(Clone, Debug)]
pub(crate) struct Entry<S = u32> {
    pub(crate) at: Timestamp,
    pub(crate) what: What<S>,
}

#[derive(Clone, Debug)]
pub(crate) enum What<S = u32> {
    Step { scope: S, step: u16, state: StepState, attempt: u32, failure: Option<Box<Failure>> },
    Progress { scope: S, step: u16, done: u64, total: u64 },
    Run(RunState),
}

/// The frames that entries are about. An entry could hold its scope itself,
/// but counting holders twice a step costs more than all else about it.
#[derive(Default)]
struct Scopes {
    /// With the number of entries about each.
    kept: VecDeque<(Arc<Scope>, u32)>,
    /// How many were dropped at the front.
    dropped: u32,
}

impl Scopes {
    /// The number of a frame, for one more entry about it.
    #[inline]
    fn number(&mut self, frame: &mut Frame) -> u32 {
        if let Some(number) = frame.in_log
            && let Some((_, entries)) = self.get_mut(number)
        {
            *entries += 1;
            return number;
        }
        let number = self.dropped + self.kept.len() as u32;
        self.kept.push_back((frame.scope.clone(), 1));
        frame.in_log = Some(number);
        number
    }

    fn get_mut(&mut self, number: u32) -> Option<&mut (Arc<Scope>, u32)> {
        self.kept.get_mut(number.checked_sub(self.dropped)? as usize)
    }

    fn get(&self, number: u32) -> Option<&Arc<Scope>> {
        self.kept.get(number.checked_sub(self.dropped)? as usize).map(|(scope, _)| scope)
    }

    /// An entry was dropped. Scopes go in order, so their number is bounded
    /// by that of the entries.
    fn release(&mut self, number: u32) {
        if let Some((_, entries)) = self.get_mut(number) {
            *entries -= 1;
        }
        while self.kept.pop_front_if(|(_, entries)| *entries == 0).is_some() {
            self.dropped += 1;
        }
    }
}

/// Everything observers are shown.
#[derive(Default)]
pub(crate) struct Log {
    /// Whether changes are held back until they are committed.
    pub(crate) holds: bool,
    /// What is held back.
    held: Vec<Entry>,
    entries: VecDeque<Entry>,
    scopes: Scopes,
    /// How many entries were dropped at the front.
    dropped: u64,
    closed: VecDeque<Closed>,
    closed_steps: usize,
}

impl Log {
    /// With room for the usual two changes a step of the workflow's body.
    pub(crate) fn of(graph: &Graph) -> Self {
        let steps = graph.regions.first().map_or(0, |body| body.steps.len());
        Self { entries: VecDeque::with_capacity((2 * steps + 4).min(CHANGES)), ..Self::default() }
    }

    /// Takes a change in. No observer is told of it before it is committed: a
    /// process that dies in between will decide again.
    #[inline]
    pub(crate) fn push(&mut self, at: Timestamp, what: What) {
        if self.holds {
            self.held.push(Entry { at, what });
        } else {
            self.tell(at, what);
        }
    }

    /// What has been held back, to be told once it is committed.
    pub(crate) fn take_held(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.held)
    }

    #[inline]
    pub(crate) fn tell(&mut self, at: Timestamp, what: What) {
        if self.entries.len() == CHANGES
            && let Some(entry) = self.entries.pop_front()
        {
            self.dropped += 1;
            if let What::Step { scope, .. } | What::Progress { scope, .. } = entry.what {
                self.scopes.release(scope);
            }
        }
        self.entries.push_back(Entry { at, what });
    }

    /// The entry of a number, counted from the run's first change; or, where
    /// it was dropped, how many were.
    pub(crate) fn get(&self, number: u64) -> Option<Result<Entry<Arc<Scope>>, u64>> {
        match number.checked_sub(self.dropped) {
            None => Some(Err(self.dropped - number)),
            Some(index) => {
                let entry = self.entries.get(usize::try_from(index).ok()?)?;
                self.told(entry).map(Ok)
            }
        }
    }

    #[cfg(feature = "testing")]
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry<Arc<Scope>>> {
        self.entries.iter().filter_map(|entry| self.told(entry))
    }

    /// An entry for a reader outside of the log.
    fn told(&self, Entry { at, what }: &Entry) -> Option<Entry<Arc<Scope>>> {
        let what = match what {
            What::Step { scope, step, state, attempt, failure } => What::Step {
                scope: self.scopes.get(*scope)?.clone(),
                step: *step,
                state: *state,
                attempt: *attempt,
                failure: failure.clone(),
            },
            What::Progress { scope, step, done, total } => {
                let scope = self.scopes.get(*scope)?.clone();
                What::Progress { scope, step: *step, done: *done, total: *total }
            }
            What::Run(state) => What::Run(*state),
        };
        Some(Entry { at: *at, what })
    }

    /// Keeps what is to be seen of the steps of a frame that goes.
    pub(crate) fn archive(&mut self, frame: &mut Frame, machine: &mut Machine) {
        let Some(steps) = machine.take_steps(frame.id) else { return };
        self.closed_steps += steps.len();
        let progress = std::mem::take(&mut frame.progress);
        self.closed.push_back(Closed { scope: frame.scope.clone(), steps, progress });
        while self.closed_steps > CLOSED_STEPS && self.closed.len() > 1 {
            if let Some(closed) = self.closed.pop_front() {
                self.closed_steps -= closed.steps.len();
            }
        }
    }

    pub(crate) fn closed(&self) -> impl Iterator<Item = &Closed> {
        self.closed.iter()
    }

    pub(crate) fn progress(
        &mut self,
        frame: &mut Frame,
        step: u16,
        now: Timestamp,
        done: u64,
        total: u64,
    ) -> bool {
        let first = frame.progress.get(step).is_none();
        let progress = frame.progress.get_mut(step);
        (progress.done, progress.total, progress.alive_at) = (done, total, now);
        // A task may tell every byte; the log has to hold the run's story too.
        if !first && done < total && now.0 < progress.told_at.0.saturating_add(PROGRESS_EVERY) {
            return false;
        }
        progress.told_at = now;
        // A task tells this, and no commit stands behind it.
        let scope = self.scopes.number(frame);
        self.tell(now, What::Progress { scope, step, done, total });
        true
    }

    pub(crate) fn heartbeat(frame: &mut Frame, step: u16, now: Timestamp) {
        frame.progress.get_mut(step).alive_at = now;
    }

    /// Takes a step's change in.
    #[inline]
    pub(crate) fn note(
        &mut self,
        frame: &mut Frame,
        now: Timestamp,
        step: u16,
        state: StepState,
        attempt: u32,
        failure: Option<Box<Failure>>,
    ) {
        let scope = self.scopes.number(frame);
        self.push(now, What::Step { scope, step, state, attempt, failure });
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
