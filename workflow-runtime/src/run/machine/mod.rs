//! The machine itself: what a run is at a moment, and the door for events.
//!
//! The rules live in the modules below, one noun each: [`begin`] starts
//! steps, [`attempt`] hears how they went, [`budget`] ends their retries, [`region`] opens and ends frames,
//! [`halt`] stops what has failed or was cancelled, [`undo`] takes back what
//! was finished, [`signal`] brings waiting steps and signals together,
//! [`recall`] keeps what earlier lives of the run have left ([`held`], for the
//! undo of what this one has not come to), [`loss`] says
//! what follows where a process ended ([`legacy`], what followed in earlier
//! versions), [`reconcile`] finds out what became of a lost attempt, [`pause`]
//! and [`operator`] do what people want, as far as it is [`allowed`]. All of
//! them work on a [`Transition`].

mod allowed;
mod anew;
mod attempt;
mod begin;
mod budget;
mod frame;
mod halt;
mod held;
mod legacy;
mod loss;
mod operator;
mod pause;
mod recall;
mod reconcile;
mod region;
mod signal;
#[cfg(test)]
mod tests;
mod transition;
mod undo;
mod view;

pub use view::{ClosedSteps, StepView};

use frame::Frames;
use signal::Mailboxes;
use transition::{Pending, Transition};

use super::effect::Effects;
use super::event::{Event, Refused};
use super::state::{RunState, Timestamp};
use crate::task::definition::Graph;
use crate::task::place::Key;

/// The state of one run.
#[derive(Debug)]
pub struct Machine {
    graph: &'static Graph,
    frames: Frames,
    mailboxes: Mailboxes,
    state: RunState,
    /// How many answers the driver owes: attempts, expressions, values.
    busy: usize,
    /// Whether the run was asked to stop.
    cancelling: bool,
    /// Whether the end of the grace time is awaited.
    in_grace: bool,
    /// Whether the run was taken up again, and asks what is left of it.
    resuming: bool,
    /// Whether results are kept even where something before them runs anew.
    holding: bool,
    /// Whether what it has not come to is undone, too.
    undoes_held: bool,
    /// Whether all items of a `for` are opened at once, whatever its limit.
    opens_all: bool,
    /// Whether an operator has paused the run.
    paused: bool,
    /// Steps that would go on but for the pause, in order.
    held: Vec<Key>,
    /// Steps that lost a `select!` in an earlier life, whose winner has not
    /// been recalled yet.
    lost: Vec<Key>,
    /// How many steps are suspected.
    suspected: u32,
    /// The number of the next undoable step to finish.
    finished: u64,
    /// What follows from the current event and is not done yet. Empty between
    /// events; kept for its memory, like `walk`.
    work: Vec<Pending>,
    /// Frames or steps still to visit.
    walk: Vec<u32>,
}

impl Machine {
    /// A run that has not begun.
    #[must_use]
    pub fn new(graph: &'static Graph) -> Self {
        Self {
            graph,
            frames: Frames::default(),
            mailboxes: Mailboxes::default(),
            state: RunState::Queued,
            busy: 0,
            cancelling: false,
            in_grace: false,
            resuming: false,
            holding: false,
            undoes_held: false,
            opens_all: false,
            paused: false,
            held: Vec::new(),
            lost: Vec::new(),
            suspected: 0,
            finished: 0,
            work: Vec::new(),
            walk: Vec::new(),
        }
    }

    /// A run that is taken up again: before a task, a signal or a sleep
    /// begins, it asks by [`Action::Recall`](super::Action::Recall) what is
    /// left of it. It does not ask about what comes after a step that runs
    /// anew: an earlier result of that was made from values that are no more.
    ///
    /// [`Event::Begun`] starts nothing here, it only asks. So a run that was
    /// paused hears [`Event::Paused`] next, before any answer.
    #[must_use]
    pub fn resuming(graph: &'static Graph) -> Self {
        Self { resuming: true, ..Self::new(graph) }
    }

    /// The same, of a life that keeps results even where something before them
    /// runs anew. What it fails or is cancelled before has come to such a step
    /// it asks for, too: that may have to be undone.
    #[must_use]
    pub fn holding(self) -> Self {
        Self { holding: true, ..self }
    }

    /// The same, of a life that undoes what it holds also where it has not come
    /// to that and never will: it is in a region that was not opened, in an arm
    /// that is not chosen any more, or an item that is no more. A workflow that
    /// fails or is cancelled asks for it by
    /// [`Action::RecallHeld`](super::Action::RecallHeld).
    #[must_use]
    pub fn undoing_held(self) -> Self {
        Self { undoes_held: true, ..self }
    }

    /// The same for a caller that only looks at what a run would do: all items
    /// of a `for` may be open at once, since none of them will end.
    #[must_use]
    pub fn opening_all(self) -> Self {
        Self { opens_all: true, ..self }
    }

    /// Becomes a run that has not begun, in the memory of this one.
    pub fn reset(&mut self, graph: &'static Graph) {
        let Self { mut frames, mut work, mut walk, .. } = std::mem::replace(self, Self::new(graph));
        frames.clear();
        work.clear();
        walk.clear();
        (self.frames, self.work, self.walk) = (frames, work, walk);
    }

    /// How many places it has, for frames or for what is to be done.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.frames.capacity().max(self.work.capacity()).max(self.walk.capacity())
    }

    /// Hears no event from now on, wherever the run is.
    pub fn abandon(&mut self) {
        if !self.state.is_ended() {
            self.state = RunState::Cancelled;
        }
    }

    /// Takes an event: changes the state and says what follows. Appends to
    /// the effects; emptying them is the caller's part. Frames that the event
    /// closes can be looked at until the next one.
    ///
    /// # Errors
    /// When the event does not fit; the state is then unchanged.
    pub fn apply(&mut self, now: Timestamp, event: Event, effects: &mut Effects) -> Result<(), Refused> {
        if self.state.is_ended() {
            return Err(Refused::Ended);
        }
        if (self.state == RunState::Queued) != matches!(event, Event::Begun) {
            return Err(Refused::Unexpected);
        }
        self.frames.sweep();
        let mut transition = Transition { machine: self, now, effects };
        match event {
            Event::Begun => transition.begin_run(),
            Event::Answered { key, answer } => transition.answered(key, answer)?,
            Event::Yielded { frame, result } => transition.yielded(frame, result)?,
            Event::Granted { key, epoch } => transition.granted(key, epoch)?,
            Event::BudgetOver { key, epoch } => transition.budget_over(key, epoch)?,
            Event::AttemptEnded { key, epoch, end, roll } => {
                transition.attempt_ended(key, epoch, end, roll)?;
            }
            Event::TimerFired { key, epoch } => transition.timer_fired(key, epoch)?,
            Event::TimerFiredLate { key, epoch } => transition.timer_fired_late(key, epoch)?,
            Event::Signalled { signal, step } => transition.signalled(signal, step)?,
            Event::Recalled { key, recalled } => transition.recalled(key, recalled)?,
            Event::HeldRecalled { frame, steps } => transition.held_recalled(frame, &steps)?,
            Event::MoreWanted { key } => transition.more_wanted(key)?,
            Event::Set { key } => transition.set_by_hand(key)?,
            Event::RetryRequested { key } => transition.retry_requested(key)?,
            Event::UndoGivenUp { key } => transition.give_up_undo(key)?,
            Event::Paused => transition.pause()?,
            Event::Resumed { over_budget } => transition.resume(&over_budget)?,
            Event::CancelRequested => transition.cancel_requested(),
            Event::GraceOver => transition.grace_over()?,
        }
        transition.settle_down();
        Ok(())
    }
}
