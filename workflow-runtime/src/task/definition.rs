//! The static tables that `workflow!` and `#[task]` write: what a workflow
//! *is*. Constant data and plain function pointers, no behaviour.
//!
//! A workflow is a list of [`Region`]s, the first being its body. A region is
//! a nested graph of [`Step`]s. The bodies of `for` and `while`, the arms of
//! `if`, `match` and `select!`, and child workflows are all regions, opened by
//! one mechanism: a step of the region around them opens a *frame* of them.
//!
//! A frame holds its values in *slots*: first the imports that the opening
//! step fills (parameters, a `for` item, loop variables, captured values),
//! then one slot per value that the region's own steps produce.

use std::fmt;
use std::ops::Deref;
use std::slice;
use std::time::Duration;

use crate::failure::Failure;
use crate::policy::{Policy, Rate};
use crate::task::{Env, Moved, Running};
use crate::value::{Codec, Value};

/// A whole workflow.
#[derive(Debug)]
pub struct Graph {
    /// The workflow's name, the first part of every step's path.
    pub name: &'static str,
    /// Its documentation, as written.
    pub docs: &'static str,
    /// The file it is written in.
    pub file: &'static str,
    /// The line it is written at.
    pub line: u32,
    /// What it takes, in order. They fill the first slots of the body.
    pub params: &'static [Param],
    /// Its regions; the first is the body.
    pub regions: &'static [Region],
    /// How its result is saved.
    pub output: Codec,
    /// When it starts by itself.
    pub schedule: Option<Schedule>,
    /// A hash over all steps; two builds of the same source agree.
    pub fingerprint: u64,
}

/// One parameter of a workflow.
#[derive(Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// Its type, as written.
    pub ty: &'static str,
    /// How it is saved.
    pub codec: Codec,
}

/// A nested graph: the body of a workflow, `for` or `while`, or one arm.
#[derive(Debug)]
pub struct Region {
    /// What the region is called within its step: nothing for a body, `then`
    /// and `else`, or the number of a `match` or `select!` arm.
    pub label: &'static str,
    /// The imports that are taken from the frame around: its slot numbers.
    /// They follow the imports that the opening step makes itself.
    pub captures: &'static [u16],
    /// How many slots a frame has.
    pub slots: u16,
    /// The steps, in the order they are written.
    pub steps: &'static [Step],
    /// What the region is worth once all its steps have ended.
    pub result: Yield,
    /// For the body of a `while`: the slots with the loop variables' next
    /// values, in order.
    pub carried: &'static [u16],
    /// The names whose values are computed once in each frame of the region.
    pub onces: &'static [Once],
}

/// A name whose value is computed once, as several expressions use it and
/// another evaluation may give another value.
#[derive(Clone, Copy, Debug)]
pub struct Once {
    /// The name, and what tells it from others and from other code.
    pub name: &'static str,
    /// The slots that it is made of.
    pub reads: &'static [u16],
}

/// The value of a region.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Yield {
    /// `()`.
    Nothing,
    /// The value of a slot.
    Slot(u16),
    /// An expression over some slots.
    Compute(Expr<Value>),
}

/// An expression as written by the user, over the values of some slots.
pub struct Expr<T> {
    /// The slots it is given, in order.
    pub reads: &'static [u16],
    /// Evaluates it.
    pub eval: fn(&Env) -> T,
    /// How its value is kept, where another evaluation may give another one.
    pub keep: Keep,
}

/// How the value of an expression is stored, so that it is that one for ever.
#[derive(Clone, Copy)]
pub struct Keep {
    /// How: the value itself, each of the items of a `for`, or each of the
    /// variables of a `while`. Nothing where it is not kept: evaluated again,
    /// it is the same.
    pub codecs: &'static [Codec],
    /// The name of the type of a list that is not kept if it has an order.
    pub unless_ordered: Option<fn() -> &'static str>,
}

impl Keep {
    /// It is not kept.
    pub const NOTHING: Self = Self { codecs: &[], unless_ordered: None };

    /// How each of its values is kept.
    pub(crate) fn each(self) -> Vec<&'static Codec> {
        self.codecs.iter().collect()
    }

    /// How it is kept, if it is.
    pub(crate) fn codecs(self) -> &'static [Codec] {
        let is_ordered = |name: fn() -> &'static str| {
            const ORDERED: [&str; 8] = [
                "alloc::vec::Vec<",
                "alloc::collections::btree::",
                "alloc::collections::vec_deque::",
                "alloc::collections::linked_list::",
                "core::option::Option<",
                "core::result::Result<",
                "core::ops::range::",
                "[",
            ];
            ORDERED.iter().any(|ordered| name().starts_with(ordered))
        };
        if self.unless_ordered.is_some_and(is_ordered) { &[] } else { self.codecs }
    }
}

// Derives would ask for `T: Clone`; a function pointer needs no such thing.
impl<T> Clone for Expr<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Expr<T> {}

/// Numbers of steps or slots: a part of one long list, since rustc takes longer
/// over many short ones. To be read as a slice.
#[derive(Clone, Copy)]
pub struct Numbers {
    list: &'static [u16],
    from: usize,
    to: usize,
}

impl Numbers {
    /// No numbers.
    pub const NONE: Self = Self::of(&[]);

    /// A list of its own.
    #[must_use]
    pub const fn of(list: &'static [u16]) -> Self {
        Self { list, from: 0, to: list.len() }
    }

    /// A part of a list. Empty where the list has no such part.
    #[must_use]
    pub const fn part(list: &'static [u16], from: usize, to: usize) -> Self {
        Self { list, from, to }
    }

    fn get(self) -> &'static [u16] {
        self.list.get(self.from..self.to).unwrap_or_default()
    }
}

impl Deref for Numbers {
    type Target = [u16];

    fn deref(&self) -> &[u16] {
        self.get()
    }
}

impl IntoIterator for Numbers {
    type Item = &'static u16;
    type IntoIter = slice::Iter<'static, u16>;

    fn into_iter(self) -> Self::IntoIter {
        self.get().iter()
    }
}

impl fmt::Debug for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// One use of a task, or a built-in step, in a region.
#[derive(Debug)]
pub struct Step {
    /// Its name, unique in its region.
    pub name: &'static str,
    /// The steps of the same region that must end first, ascending, each once.
    pub needs: Numbers,
    /// The steps of the same region that wait for this one, ascending: the
    /// other direction of `needs`, written down so that it is not computed.
    pub dependents: Numbers,
    /// The first slot it fills. A `while` fills one per loop variable, every
    /// other step fills one.
    pub output: u16,
    /// What it does.
    pub kind: Kind,
    /// What a failure of this step means to its workflow.
    pub on_failure: OnFailure,
    /// Whether it is `#[always]`: it runs last, however its region ends.
    pub always: bool,
    /// How its output is saved; for a `while`, one per loop variable.
    pub codecs: &'static [Codec],
    /// The line it is written at.
    pub line: u32,
    /// A hash of the step as written and of what it depends on.
    pub fingerprint: u64,
}

/// What happens when a step has failed for good.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum OnFailure {
    /// The run fails: the step was written with `?`, or cannot say it failed.
    FailRun,
    /// The failure is a value, `Result<T, StepError>`, and the steps that
    /// take it run.
    Value(Outcome),
}

/// How the two ends of a step become the `Result` that its name stands for.
#[derive(Clone, Copy)]
pub struct Outcome {
    /// `Ok` around the output.
    pub ok: fn(Value) -> Value,
    /// `Err` around the error.
    pub err: fn(crate::StepError) -> Value,
}

/// What a step does.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Kind {
    /// A task, or a child workflow when the task says so.
    Task(TaskStep),
    /// `signal::<T>("name")`, with the time limit of `.within(..)`.
    Signal {
        /// The signal's name.
        name: &'static str,
        /// How the values that are sent are saved.
        codec: &'static Codec,
        /// Which of the name's signals, as text: that of `.keyed(..)`.
        key: Option<Expr<String>>,
        /// How long to wait.
        within: Option<Expr<Duration>>,
    },
    /// `sleep` and `sleep_until`.
    Sleep(Expr<Until>),
    /// `for`: the region once per item.
    Map {
        /// The items, in order.
        items: Expr<Vec<Value>>,
        /// The body. Its first import is the item.
        region: u16,
        /// How many at a time; all when `None`.
        limit: Option<u32>,
        /// Makes the `Vec` of the results.
        collect: fn(Vec<Value>) -> Value,
    },
    /// `while`: the region turn after turn.
    Loop {
        /// The loop variables' first values.
        initial: Expr<Vec<Value>>,
        /// Whether there is one more turn; reads slots of the *body*'s frame.
        test: Expr<bool>,
        /// The body. Its first imports are the loop variables.
        region: u16,
        /// The turns allowed.
        limit: u32,
    },
    /// `if` and `match`: one of several regions.
    Branch {
        /// Which arm, from 0.
        choose: Expr<usize>,
        /// The arms' regions.
        arms: &'static [u16],
    },
    /// `select!`: the first step of `race` to end decides.
    Select {
        /// A region with one step per arm.
        race: u16,
        /// The arms' regions. The first import of each is the value of its
        /// step in the race.
        arms: &'static [u16],
    },
    /// A pure expression that has to be stored, such as a loop variable's
    /// next value.
    Compute(Expr<Value>),
    /// `?` on an expression, and `fail!`: what may fail, once and at once.
    Check(Expr<Checked>),
}

/// What a check comes to: a value nobody looks at, or why the run fails.
pub type Checked = Result<Value, Failure>;

/// When a `sleep` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Until {
    /// So long after it began.
    After(Duration),
    /// At this time.
    At(std::time::SystemTime),
}

/// One use of a task.
#[derive(Clone, Copy)]
pub struct TaskStep {
    /// The task's contract.
    pub task: &'static TaskDef,
    /// The task's policy with this step's overrides.
    pub policy: &'static Policy,
    /// The slots whose values the step shares.
    pub reads: Numbers,
    /// The slots whose values this step alone uses, and may consume.
    pub moves: Numbers,
    /// Evaluates the arguments as written and starts the task.
    pub start: Start,
    /// Which arm of `start` is this step's: steps share a function, since
    /// rustc takes longer over many small ones.
    pub arm: u16,
    /// Whether the arguments are kept, since another evaluation may give
    /// others.
    pub keeps: bool,
}

/// The function that `workflow!` writes for some uses of tasks: its arm for a
/// step evaluates the arguments, rustc's coercions included, and hands them to
/// the task.
pub type Start = for<'a, 'b> fn(&'a Env, &'b mut Moved) -> Running<'a>;

/// A task's contract, as its attribute states it.
#[derive(Debug)]
pub struct TaskDef {
    /// The task's name.
    pub name: &'static str,
    /// Changes when its meaning does.
    pub version: u32,
    /// Whether it returns a `Result`.
    pub fallible: bool,
    /// Whether it runs on a thread of its own, away from async code.
    pub blocking: bool,
    /// Whether an attempt lost to a crash must not be repeated.
    pub at_most_once: bool,
    /// Whether it runs within a transaction of the engine's own store.
    pub transaction: bool,
    /// Retries and time limits.
    pub policy: Policy,
    /// Steps of this task that run at a time, over the whole engine.
    pub concurrency: Option<u32>,
    /// Attempts started over time, over the whole engine.
    pub rate: Option<Rate>,
    /// How long results are reused across runs.
    pub cache: Option<Duration>,
    /// The task that undoes it.
    pub undo: Option<UndoDef>,
    /// The task that finds out what became of a lost attempt.
    pub reconcile: Option<ReconcileDef>,
    /// For a workflow that is used as a step: its graph.
    pub child: Option<&'static Graph>,
    /// How its output is saved.
    pub output: Codec,
    /// Begins it with arguments that were written down.
    #[doc(hidden)]
    pub begin_kept: for<'a> fn(&'a Env) -> Running<'a>,
}

impl TaskDef {
    /// Whether doing it a second time, where the first stands, is more than
    /// the same once more.
    pub(crate) fn is_done_once(&self) -> bool {
        self.at_most_once || self.transaction || self.undo.is_some()
    }
}

/// How a finished step is undone.
#[derive(Clone, Copy, Debug)]
pub struct UndoDef {
    /// The contract of the task that does it: its name, retries and limits.
    pub task: &'static TaskDef,
}

/// How it is found out what became of a lost attempt.
#[derive(Clone, Copy, Debug)]
pub struct ReconcileDef {
    /// The contract of the task that does it: its name, retries and limits.
    pub task: &'static TaskDef,
}

/// When a workflow starts by itself.
#[derive(Clone, Copy)]
pub struct Schedule {
    /// When.
    pub when: When,
    /// The name of the time zone that the ticks are told in.
    pub timezone: &'static str,
    /// What becomes of the ticks that no engine saw to.
    pub missed: Missed,
    /// What a tick does while an earlier run has not ended.
    pub overlap: Overlap,
    /// The parameters' values for a tick.
    pub fill: fn(&jiff::Zoned) -> Vec<Value>,
}

/// The times at which a schedule is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum When {
    /// As a cron expression says.
    Cron(&'static str),
    /// Again and again after so long, counted from 1970.
    Every(Duration),
}

/// What becomes of the ticks that came while no engine ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missed {
    /// The latest of them starts a run.
    #[default]
    Latest,
    /// They are passed over. One that waited for an earlier run when its
    /// engine ended was not missed.
    None,
    /// Each of them starts a run, but no more than so many: the latest ones.
    All(u32),
}

/// What a tick does while an earlier run of its schedule has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overlap {
    /// It is passed over.
    Skip,
    /// Its run starts when the earlier one has ended; of several such ticks,
    /// only the latest, or under [`Missed::All`] so many of them, one after
    /// the other.
    #[default]
    Queue,
    /// The earlier run is cancelled, and its run starts.
    CancelOld,
    /// Its run starts beside the earlier one.
    Allow,
}

// Function pointers have no useful `Debug`; what is static data is shown.
impl<T> fmt::Debug for Expr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expr").field(&self.reads).finish()
    }
}

impl fmt::Debug for Yield {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Yield::Nothing => f.write_str("Nothing"),
            Yield::Slot(slot) => f.debug_tuple("Slot").field(slot).finish(),
            Yield::Compute(expr) => f.debug_tuple("Compute").field(expr).finish(),
        }
    }
}

impl fmt::Debug for OnFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OnFailure::FailRun => "FailRun",
            OnFailure::Value(_) => "Value",
        })
    }
}

impl fmt::Debug for TaskStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskStep")
            .field("task", &self.task.name)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schedule")
            .field("when", &self.when)
            .field("timezone", &self.timezone)
            .field("missed", &self.missed)
            .field("overlap", &self.overlap)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Task(task) => task.fmt(f),
            Kind::Signal { name, within, .. } => {
                f.debug_struct("Signal").field("name", name).field("limited", &within.is_some()).finish()
            }
            Kind::Sleep(_) => f.write_str("Sleep"),
            Kind::Map { region, limit, .. } => {
                f.debug_struct("Map").field("region", region).field("limit", limit).finish_non_exhaustive()
            }
            Kind::Loop { region, limit, .. } => {
                f.debug_struct("Loop").field("region", region).field("limit", limit).finish_non_exhaustive()
            }
            Kind::Branch { arms, .. } => f.debug_struct("Branch").field("arms", arms).finish_non_exhaustive(),
            Kind::Select { race, arms } => {
                f.debug_struct("Select").field("race", race).field("arms", arms).finish()
            }
            Kind::Compute(_) => f.write_str("Compute"),
            Kind::Check(_) => f.write_str("Check"),
        }
    }
}

impl Step {
    /// How many slots the step fills.
    #[must_use]
    pub fn outputs(&self, graph: &Graph) -> usize {
        match self.kind {
            Kind::Loop { region, .. } => graph.regions[region as usize].carried.len(),
            _ => 1,
        }
    }
}
