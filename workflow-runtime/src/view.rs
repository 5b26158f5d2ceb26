//! Plain read models of runs, for people and programs that look on.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::definition::{Kind, Region, Step};
use crate::engine::frames::Scope;
use crate::engine::host::RunHost;
use crate::engine::record::StepRecord;
use crate::error::Failure;
use crate::run::{Key, Machine, RunState, StepState, StepView, Timestamp, Wait};

/// A run and all its steps at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunSnapshot {
    /// The run's id.
    pub id: String,
    /// The key it was started with.
    pub key: Option<String>,
    /// The workflow's name.
    pub workflow: String,
    /// Its state.
    pub state: RunState,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it does not go on for now, where what it has decided cannot be
    /// stored: it goes on by itself once that can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// Its steps in the order they are written, each followed by the steps of
    /// the regions it opened. Of a run with very many, the oldest that lie in
    /// finished regions are left out.
    pub steps: Vec<StepSnapshot>,
    /// Code of attempts that does not return.
    pub stuck: Vec<Stuck>,
}

/// Code of an attempt that does not return: its attempt is over, and nobody
/// can stop it from outside; or it holds a thread of the runtime, by a poll
/// that takes long. What it was given room for stays taken until it returns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stuck {
    /// The step's path.
    pub step: String,
    /// Which attempt of it, from 1.
    pub attempt: u32,
    /// When the code began; of a poll, when that did.
    pub since: Timestamp,
    /// Whether it is on a thread of its own, as that of a `blocking` task, and
    /// not on one of the runtime's.
    pub blocking: bool,
    /// Whether its attempt is over.
    pub given_up: bool,
}

/// A step of a run at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepSnapshot {
    /// Its path, such as `nightly/priced[3]/quote`.
    pub path: String,
    /// Its task's name, or what kind of built-in step it is.
    pub task: String,
    /// What it is.
    pub kind: StepKind,
    /// Its state.
    pub state: StepState,
    /// The latest attempt, from 1; 0 before the first.
    pub attempt: u32,
    /// When the latest attempt started.
    pub started_at: Option<Timestamp>,
    /// When the step ended.
    pub ended_at: Option<Timestamp>,
    /// Why the latest attempt that failed did.
    pub failure: Option<Failure>,
    /// How far the attempt says it is.
    pub progress: Option<Progress>,
    /// Of a `for` that has not ended, how far it is.
    pub items: Option<Items>,
    /// When its next attempt is due, or the next one to undo it, where it
    /// waits for that.
    pub next_attempt_at: Option<Timestamp>,
}

/// When the next attempt of a step is due, or the next one to undo it.
pub(crate) fn due(machine: &Machine, view: &StepView<'_>) -> Option<Timestamp> {
    match view.state {
        StepState::Waiting(Wait::Backoff { until }) => Some(until),
        StepState::Undoing => machine.undo_due(view.key),
        _ => None,
    }
}

/// How far a `for` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Items {
    /// How many items are done.
    pub done: u32,
    /// How many there are.
    pub all: u32,
}

impl Items {
    pub(crate) fn of(machine: &Machine, key: Key) -> Option<Self> {
        machine.items(key).map(|(done, all)| Self { done, all })
    }
}

/// How far an attempt says it is, in units of the task's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// How much is done.
    pub done: u64,
    /// Of how much; 0 when the task has only said that it is alive.
    pub total: u64,
    /// When it last said anything.
    pub alive_at: Timestamp,
}

impl RunSnapshot {
    pub(crate) fn of(host: &RunHost) -> Self {
        let (state, stopped) = (host.state(), host.why_stopped());
        let inner = host.lock();
        let open = inner.frames.iter().map(|frame| {
            let steps = inner.machine.steps_of(frame.id);
            (frame.scope.clone(), steps.map(|view| StepRecord::of(&view, &frame.progress)).collect())
        });
        let closed = inner.log.closed().map(|closed| (closed.scope.clone(), closed.records().collect()));
        let regions: Vec<_> = open.chain(closed).collect();
        let open_steps = inner.frames.iter().flat_map(|frame| {
            let (machine, scope) = (&inner.machine, Arc::as_ptr(&frame.scope));
            let of = move |view: StepView<'_>| {
                let open = OpenStep { items: Items::of(machine, view.key), due: due(machine, &view) };
                (open.items.is_some() || open.due.is_some()).then_some(((scope, view.key.step), open))
            };
            machine.steps_of(frame.id).filter_map(of)
        });
        let open_steps = open_steps.collect();
        let (started_at, ended_at) = (inner.started_at, inner.ended_at);
        let stuck = inner.left_behind.stuck().cloned().collect();
        // Writing paths takes time that the run should not wait for.
        drop(inner);
        Self {
            id: host.id.clone(),
            key: host.key.clone(),
            workflow: host.graph.name.to_owned(),
            state,
            started_at,
            ended_at,
            stopped,
            steps: Tree::of(regions, open_steps).steps(),
            stuck,
        }
    }

    /// The step of a path.
    #[must_use]
    pub fn step(&self, path: &str) -> Option<&StepSnapshot> {
        self.steps.iter().find(|step| step.path == path)
    }
}

/// The regions of a run, by the step that opened them.
struct Tree {
    regions: HashMap<Opener, Vec<Opened>>,
    /// What only the machine knows of steps that are under way.
    open: HashMap<(*const Scope, u16), OpenStep>,
}

#[derive(Clone, Copy, Default)]
struct OpenStep {
    items: Option<Items>,
    due: Option<Timestamp>,
}

/// A region that was opened, and its steps.
type Opened = (Arc<Scope>, Vec<StepRecord>);

/// The step that opened a region; none did for the body of the run.
type Opener = Option<(*const Scope, u16)>;

impl Tree {
    fn of(regions: Vec<Opened>, open: HashMap<(*const Scope, u16), OpenStep>) -> Self {
        let mut tree = Self { regions: HashMap::new(), open };
        for (scope, records) in regions {
            let parent = scope.parent.as_ref().map(|(scope, step)| (Arc::as_ptr(scope), *step));
            tree.regions.entry(parent).or_default().push((scope, records));
        }
        for siblings in tree.regions.values_mut() {
            siblings.sort_by_key(|(scope, _)| scope.index);
        }
        tree
    }

    fn steps(&self) -> Vec<StepSnapshot> {
        let mut steps = Vec::new();
        self.write(None, &mut steps);
        steps
    }

    fn write(&self, parent: Opener, steps: &mut Vec<StepSnapshot>) {
        for (scope, records) in self.regions.get(&parent).into_iter().flatten() {
            for (number, record) in (0..).zip(records) {
                let Some(step) = scope.step(number) else { continue };
                let key = (Arc::as_ptr(scope), number);
                let OpenStep { items, due } = self.open.get(&key).copied().unwrap_or_default();
                let step_now = StepSnapshot::of(scope.path(number), step, record);
                steps.push(StepSnapshot { items, next_attempt_at: due, ..step_now });
                self.write(Some(key), steps);
                self.write_skipped(Some(key), scope, number, step, steps);
            }
        }
    }

    /// The arms that were not chosen, once one was.
    fn write_skipped(
        &self,
        key: Opener,
        scope: &Arc<Scope>,
        number: u16,
        step: &'static Step,
        steps: &mut Vec<StepSnapshot>,
    ) {
        let (Kind::Branch { arms, .. } | Kind::Select { arms, .. }) = step.kind else { return };
        let regions: Vec<&Region> = arms.iter().map(|arm| &scope.graph.regions[usize::from(*arm)]).collect();
        let opened = self.regions.get(&key).map_or(&[][..], Vec::as_slice);
        let is_open = |region: &Region| opened.iter().any(|(scope, _)| std::ptr::eq(scope.region, region));
        if !regions.iter().any(|region| is_open(region)) {
            return;
        }
        for region in regions.into_iter().filter(|region| !is_open(region)) {
            let parent = Some((scope.clone(), number));
            skipped(&Arc::new(Scope { parent, graph: scope.graph, region, index: 0 }), steps);
        }
    }
}

fn skipped(scope: &Arc<Scope>, steps: &mut Vec<StepSnapshot>) {
    for (number, step) in (0..).zip(scope.region.steps) {
        steps.push(StepSnapshot::of(scope.path(number), step, &StepRecord::skipped()));
    }
}

impl StepSnapshot {
    fn of(path: String, step: &Step, record: &StepRecord) -> Self {
        let progress = record.progress.as_ref();
        let kind = StepKind::of(step);
        let decided = kind == StepKind::Task && record.state == StepState::Running && !record.begun;
        Self {
            path,
            task: describe(step),
            kind,
            state: if decided { StepState::Waiting(Wait::Turn) } else { record.state },
            attempt: record.attempt.saturating_sub(u32::from(decided)),
            started_at: record.started_at.filter(|_| !decided),
            ended_at: record.ended_at,
            failure: record.failure.clone(),
            progress: progress.map(|p| Progress { done: p.done, total: p.total, alive_at: p.alive_at }),
            items: None,
            next_attempt_at: None,
        }
    }
}

/// What a step is to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepKind {
    /// A use of a task.
    Task,
    /// Another workflow.
    Workflow,
    /// A wait for a signal.
    Signal,
    /// A wait for a time.
    Sleep,
    /// A `for`.
    For,
    /// A `while`.
    While,
    /// An `if` or a `match`.
    Branch,
    /// A `select!`.
    Select,
    /// An expression whose value is stored.
    Value,
}

impl StepKind {
    pub(crate) fn of(step: &Step) -> Self {
        match step.kind {
            Kind::Task(task) if task.task.child.is_some() => StepKind::Workflow,
            Kind::Task(_) => StepKind::Task,
            Kind::Signal { .. } => StepKind::Signal,
            Kind::Sleep(_) => StepKind::Sleep,
            Kind::Map { .. } => StepKind::For,
            Kind::Loop { .. } => StepKind::While,
            Kind::Branch { .. } => StepKind::Branch,
            Kind::Select { .. } => StepKind::Select,
            Kind::Compute(_) => StepKind::Value,
        }
    }

    /// Whether the step is made of other steps.
    #[must_use]
    pub fn is_region(self) -> bool {
        matches!(self, Self::Workflow | Self::For | Self::While | Self::Branch | Self::Select)
    }
}

/// The step's task, or what kind of built-in step it is.
pub(crate) fn describe(step: &Step) -> String {
    match step.kind {
        Kind::Task(task) => task.task.name.to_owned(),
        Kind::Signal { name, .. } => format!("signal {name}"),
        Kind::Sleep(_) => "sleep".to_owned(),
        Kind::Map { .. } => "for".to_owned(),
        Kind::Loop { .. } => "while".to_owned(),
        Kind::Branch { .. } => "if".to_owned(),
        Kind::Select { .. } => "select".to_owned(),
        Kind::Compute(_) => "value".to_owned(),
    }
}
