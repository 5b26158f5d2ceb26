//! What the machine wants done, and what it tells observers.

use super::signal::SignalId;
use super::state::{RunState, StepState, Timestamp};
use crate::failure::Failure;
use crate::task::place::{FrameId, Key};

/// Something for the driver to do once the event is committed, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Make room for the values of a frame and fill its imports: what the
    /// opening step `parent` makes itself, then the region's captures. Always
    /// comes before anything else about the frame.
    Open {
        /// The new frame.
        frame: FrameId,
        /// The step that opens it, or `None` for the body of the run.
        parent: Option<Key>,
        /// The region, within the graph of the opening workflow, or of the
        /// child workflow when the parent is one.
        region: u16,
        /// Which item of a `for`, which turn of a `while` (from 0).
        index: u32,
    },
    /// Evaluate the expressions of a step (for a `while`, over the values of
    /// the last turn), keep what they yield, and answer with
    /// [`Event::Answered`](super::Event::Answered).
    Evaluate {
        /// The step.
        key: Key,
        /// For a `while`: the turn that the question is about, from 0.
        turn: u32,
    },
    /// All steps of the frame have ended and it has a value: put it where its
    /// parent wants it (the parent's slot, the list of a `for`, the loop
    /// variables of a `while`, the run's result), and answer with
    /// [`Event::Yielded`](super::Event::Yielded). The frame's values stay
    /// until [`Action::Close`].
    Yield {
        /// The frame.
        frame: FrameId,
    },
    /// Put the value of a finished `for`, `while`, `if`, `match` or `select!`
    /// into the step's slots: the list of a `for` is complete, a `while` has
    /// its last values. Comes right after the last `Yielded` of its region.
    Collect {
        /// The step.
        key: Key,
    },
    /// Forget the values of a frame.
    Close {
        /// The frame.
        frame: FrameId,
    },
    /// Start an attempt and report its end with
    /// [`Event::AttemptEnded`](super::Event::AttemptEnded).
    Start {
        /// The step.
        key: Key,
        /// Tells this attempt from all earlier ones of the step.
        epoch: u32,
        /// Which attempt, from 1; losses do not count.
        attempt: u32,
        /// Whether no further attempt can follow, so that values only this
        /// step uses may be consumed.
        last: bool,
        /// When the step's deadline ends the attempt.
        deadline: Option<Timestamp>,
    },
    /// Ask for what an attempt needs before it begins, and report that it has
    /// it with [`Event::Granted`](super::Event::Granted). What it has is given
    /// back when the attempt of this epoch ends or the request is withdrawn.
    ///
    /// The attempt is one of the step's task, or of its undo or reconciliation,
    /// as the step's state says.
    Acquire {
        /// The step.
        key: Key,
        /// The request's epoch.
        epoch: u32,
        /// Whether it needs room under the task's limits.
        limited: bool,
        /// How many attempts were lost in a row before this one. Above 0 it
        /// needs its turn: few such attempts begin at a time, so that the one
        /// that ends its process is found.
        losses: u16,
    },
    /// Withdraw a request for room that is not needed any more.
    Release {
        /// The step.
        key: Key,
        /// The request's epoch.
        epoch: u32,
    },
    /// Report [`Event::TimerFired`](super::Event::TimerFired) at a time.
    Timer {
        /// The step.
        key: Key,
        /// The wait's epoch.
        epoch: u32,
        /// When.
        at: Timestamp,
    },
    /// Say by [`Event::MoreWanted`](super::Event::MoreWanted) when more items
    /// of a `for` may be opened: once those that are open leave workers idle.
    OpenMore {
        /// The step.
        key: Key,
    },
    /// Put the oldest kept value of a signal into the step's slot.
    Deliver {
        /// The step.
        key: Key,
        /// Which signal.
        signal: SignalId,
    },
    /// A step that was written without `?` has failed for good: put the error
    /// into its slot.
    Fail {
        /// The step.
        key: Key,
        /// Attempts made.
        attempts: u32,
        /// Why.
        failure: Failure,
    },
    /// Tell an attempt to stop. It goes on until it ends by itself or
    /// [`Action::Abort`] comes.
    Stop {
        /// The step.
        key: Key,
        /// The attempt.
        epoch: u32,
    },
    /// Drop an attempt: at once for a run whose grace is over (its end is
    /// then awaited), after the grace for the losers of a `select!` and for a
    /// reconciliation that an operator forestalled (their end is refused as
    /// late).
    Abort {
        /// The step.
        key: Key,
        /// The attempt.
        epoch: u32,
        /// Whether it is given the grace time first.
        graceful: bool,
    },
    /// Report [`Event::GraceOver`](super::Event::GraceOver) after the grace.
    AwaitGrace,
    /// Undo a finished step and report the end with
    /// [`Event::AttemptEnded`](super::Event::AttemptEnded).
    Undo {
        /// The step.
        key: Key,
        /// Tells this attempt from all earlier ones of the step.
        epoch: u32,
        /// Which attempt of the undo, from 1.
        attempt: u32,
    },
    /// Look up what is left of a step from before the run was taken up again,
    /// and answer with [`Event::Recalled`](super::Event::Recalled). Only a
    /// machine made with [`Machine::resuming`](super::Machine::resuming) asks.
    ///
    /// The answer comes before those to questions that are asked later: a
    /// child workflow is not asked for, and one whose steps are all recalled
    /// must not win a `select!` before an arm that has won it.
    Recall {
        /// The step.
        key: Key,
        /// Whether something before it runs anew, so that what it did itself
        /// does not count any more. Only an operator can have it so.
        fresh: bool,
    },
    /// Say by [`Event::HeldRecalled`](super::Event::HeldRecalled) which
    /// finished steps of a failed or cancelled workflow are held, can be
    /// undone and were not asked for in this life, which has not come to them
    /// and never will. Only a machine that
    /// [undoes them](super::Machine::undoing_held) asks.
    RecallHeld {
        /// The body of the workflow.
        frame: FrameId,
    },
    /// Put what is left of a finished step in place, for its undo: its value,
    /// and what it was given.
    Restore {
        /// The step.
        key: Key,
    },
    /// Find out what became of a lost `at_most_once` attempt, and report the
    /// end with [`Event::AttemptEnded`](super::Event::AttemptEnded).
    Reconcile {
        /// The step.
        key: Key,
        /// Tells this attempt from all earlier ones of the step.
        epoch: u32,
        /// Which attempt of the reconciliation, from 1.
        attempt: u32,
    },
    /// The run has ended.
    Finish {
        /// How: `Succeeded`, `Failed` or `Cancelled`.
        state: RunState,
        /// For a failed run: the step that failed first, its attempts and why.
        cause: Option<(Key, u32, Failure)>,
    },
}

/// A change for observers. Every observer sees the same order.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A step has a new state.
    Step {
        /// The step.
        key: Key,
        /// Its new state.
        state: StepState,
        /// The attempt that the state is about, from 1; 0 before the first.
        attempt: u32,
        /// Why the last attempt failed, where this is about that. Boxed, as
        /// few changes are.
        failure: Option<Box<Failure>>,
    },
    /// The run has a new state.
    Run(RunState),
}

/// What the machine wants done and tells. Reused from event to event.
#[derive(Debug, Default)]
pub struct Effects {
    /// For the driver, in order.
    pub actions: Vec<Action>,
    /// For observers, in order. Left empty unless `observed`.
    pub changes: Vec<Change>,
    /// Whether the driver wants `changes`.
    pub observed: bool,
}
