//! Plain read models of runs, for people and programs that look on.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::run::{Key, Machine, RunState, StepState, StepView, Timestamp, Wait};
use crate::task::definition::{Kind, Step};

/// A run and all its steps at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
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

/// Code of an attempt that does not return: its attempt is over, and it cannot
/// be stopped from outside; or it holds a thread of the runtime, by a poll that
/// takes long. What it was given room for stays taken until it returns.
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
#[non_exhaustive]
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
    /// Which signal it waits for, where it does.
    pub awaits: Option<AwaitedSignal>,
}

/// The signal that a step waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AwaitedSignal {
    /// Its name.
    pub name: String,
    /// Its key, where it is `keyed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl AwaitedSignal {
    /// What the steps of a run wait for.
    pub(crate) fn all(machine: &Machine) -> HashMap<Key, Self> {
        let awaited = machine.awaited().map(|(key, signal)| {
            let of = signal.key.as_deref().map(str::to_owned);
            (key, Self { name: signal.name.to_owned(), key: of })
        });
        awaited.collect()
    }
}

/// As people read it: `` `approval`, key `17` ``.
impl fmt::Display for AwaitedSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.name)?;
        self.key.as_ref().map_or(Ok(()), |key| write!(f, ", key `{key}`"))
    }
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
#[non_exhaustive]
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
#[non_exhaustive]
pub struct Progress {
    /// How much is done.
    pub done: u64,
    /// Of how much; 0 when the task has only said that it is alive.
    pub total: u64,
    /// When it last said anything.
    pub alive_at: Timestamp,
}

impl RunSnapshot {
    /// The step of a path.
    #[must_use]
    pub fn step(&self, path: &str) -> Option<&StepSnapshot> {
        self.steps.iter().find(|step| step.path == path)
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
    /// An expression that may fail, by `?` or `fail!`.
    Check,
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
            Kind::Check(_) => StepKind::Check,
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
        Kind::Check(_) => "check".to_owned(),
    }
}
