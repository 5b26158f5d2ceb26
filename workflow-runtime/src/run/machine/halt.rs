//! Stopping: a failed workflow starts nothing more, a cancelled run also
//! stops what runs, and the losers of a `select!` are given up at once.
//!
//! Halting marks frames. Each of them then ends by itself, once what still
//! runs in it has ended and its `#[always]` steps are done.

use super::frame::{Activity, BodyOutcome, Phase};
use super::transition::{Pending, Transition};
use crate::failure::{Cause, Failure};
use crate::run::effect::Action;
use crate::run::event::Refused;
use crate::run::state::{StepState, Wait};
use crate::task::place::{FrameId, Key};

/// What becomes of attempts under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempts {
    /// They go on and keep their results.
    Finish,
    /// They are given up; whatever they still say is refused as late.
    Abandon,
}

impl Transition<'_> {
    /// The workflow around a failed step fails, and with it every region on
    /// the way, so that the path of the failure shows.
    pub fn fail_scope(&mut self, failed: Key, first: Key, attempts: u32, failure: Failure) {
        let mut key = failed;
        loop {
            self.fail_upstream(key);
            let frame = self.machine.frames.at(key.frame.index);
            if frame.body.is_some() {
                self.blame(key.frame.index, first, attempts, failure);
                self.halt(key.frame.index, Attempts::Finish);
                return;
            }
            let parent = frame.parent;
            self.halt(key.frame.index, Attempts::Finish);
            // Only the body of the run has no parent.
            let Some(parent) = parent else { return };
            if !self.node(parent).state.is_ended() {
                self.node_mut(parent).doomed = true;
                self.halt_children(parent);
            }
            key = parent;
        }
    }

    /// All steps that need this one can never start. `#[always]` steps see to
    /// that themselves, when their time comes.
    fn fail_upstream(&mut self, key: Key) {
        let mut walk = std::mem::take(&mut self.machine.walk);
        walk.clear();
        walk.push(u32::from(key.step));
        while let Some(number) = walk.pop() {
            let step = &self.machine.frames.at(key.frame.index).region.steps[number as usize];
            for &dependent in step.dependents {
                let dependent = Key { frame: key.frame, step: dependent };
                let waits = self.node(dependent).state == StepState::Waiting(Wait::Dependencies);
                if waits && !self.step(dependent).always {
                    if !self.recall_for_undo(dependent) {
                        self.set(dependent, StepState::UpstreamFailed);
                        self.settle(dependent);
                    }
                    walk.push(u32::from(dependent.step));
                }
            }
        }
        self.machine.walk = walk;
    }

    /// Halts the frames that a step has opened.
    pub fn halt_children(&mut self, key: Key) {
        let children: Vec<u32> = self.machine.frames.children(key.frame.index).collect();
        for child in children {
            if self.machine.frames.at(child).parent == Some(key) {
                self.halt(child, Attempts::Finish);
            }
        }
    }

    /// Nothing more starts in the frame and below it, but for what its
    /// `#[always]` steps do and what has to be undone.
    fn halt(&mut self, index: u32, attempts: Attempts) {
        let mut walk = std::mem::take(&mut self.machine.walk);
        walk.clear();
        walk.push(index);
        while let Some(index) = walk.pop() {
            let id = self.machine.frames.id(index);
            let frame = self.machine.frames.at_mut(index);
            if frame.phase == Phase::Ended || (frame.halted && attempts == Attempts::Finish) {
                continue;
            }
            frame.halted = true;
            if let Some(body) = &mut frame.body
                && body.outcome == BodyOutcome::Well
            {
                body.outcome = BodyOutcome::Cancelled;
            }
            if frame.phase == Phase::Yielding {
                // Its value is not wanted any more.
                frame.phase = Phase::Always;
                self.machine.busy -= 1;
            }
            for (number, step) in (0..).zip(frame.region.steps) {
                if !step.always {
                    self.stop_step(Key { frame: id, step: number }, attempts);
                }
            }
            self.machine.work.push(Pending::Advance(id));
            let steps = self.machine.frames.at(index).region.steps;
            let from = walk.len();
            walk.extend(self.machine.frames.children(index).filter(|&child| {
                let parent = self.machine.frames.at(child).parent;
                parent.is_none_or(|parent| !steps[parent.step as usize].always)
            }));
            // The stack gives the last one first; they are stopped in order.
            walk[from..].reverse();
        }
        self.machine.walk = walk;
        if self.machine.paused {
            // A pause does not hold what is left to do in halted frames.
            self.release_held();
        }
    }

    /// Ends a step that has not: unless an attempt may finish, or its frames
    /// have to end first.
    fn stop_step(&mut self, key: Key, attempts: Attempts) {
        if self.recall_for_undo(key) {
            return;
        }
        let node = self.node(key);
        let epoch = node.epoch;
        match (node.state, node.activity) {
            (StepState::Waiting(Wait::Slot | Wait::Turn), _) => self.act(Action::Release { key, epoch }),
            (StepState::Waiting(_), Activity::Recall) => self.set_activity(key, Activity::Idle),
            (StepState::Waiting(_), _) => {}
            (StepState::Suspected, _) if self.machine.is_undo(key) => return,
            (StepState::Suspected, _) => {}
            (StepState::Running, Activity::Asked) => self.set_activity(key, Activity::Idle),
            (StepState::Running, Activity::Attempt) if attempts == Attempts::Abandon => {
                self.set_activity(key, Activity::Idle);
                self.act(Action::Abort { key, epoch, graceful: true });
            }
            // What a reconciliation says still matters: to the undo.
            (StepState::OutcomeUnknown, Activity::Attempt) if attempts == Attempts::Finish => return,
            (StepState::OutcomeUnknown, _) => return self.resolve(key),
            _ => return,
        }
        self.next_epoch(key);
        self.cancel_step(key);
    }

    /// A race is decided: its other steps are cancelled at once. Regions and
    /// child workflows among them clean up by themselves while the run goes
    /// on; the workflow does not end before they have.
    pub fn abandon_losers(&mut self, race: FrameId) {
        let frame = self.machine.frames.at_mut(race.index);
        frame.halted = true;
        let (steps, scope) = (frame.region.steps, frame.scope);
        for (number, _) in (0..).zip(steps) {
            self.stop_step(Key { frame: race, step: number }, Attempts::Abandon);
        }
        let children: Vec<u32> = self.machine.frames.children(race.index).collect();
        for child in children {
            let frame = self.machine.frames.at_mut(child);
            let Some(loser) = frame.parent else { continue };
            if frame.phase == Phase::Ended {
                continue;
            }
            frame.ghost = true;
            if let Some(body) = &mut self.machine.frames.at_mut(scope).body {
                body.ghosts += 1;
            }
            self.halt(child, Attempts::Abandon);
            if self.node(loser).state == StepState::Running {
                self.cancel_step(loser);
            }
        }
    }

    /// Whether the step's workflow, or the whole run, has failed or is being
    /// cancelled.
    pub fn gives_up(&self, key: Key) -> bool {
        let scope = self.machine.frames.at(key.frame.index).scope;
        self.machine.cancelling || *self.outcome(scope) != BodyOutcome::Well
    }

    /// A step whose outcome is unknown no longer holds its frame up.
    pub fn resolve(&mut self, key: Key) {
        if !std::mem::take(&mut self.node_mut(key).unresolved) {
            return;
        }
        self.stop_reconciling(key);
        self.settle(key);
        if !self.is_halted(key) && !self.step(key).always {
            // It belongs to an `#[always]` step, whose regions go on while
            // all else stops. Without its value they cannot.
            let failure = Failure::new(Cause::Lost, "nobody knows how the attempt ended");
            let attempts = self.node(key).attempt;
            self.fail_scope(key, key, attempts, failure);
        }
    }

    /// The run was asked to stop. Asked once more, only what is suspected is
    /// given up. A run that has failed already still stops what runs, but stays
    /// failed.
    pub fn cancel_requested(&mut self) {
        if std::mem::replace(&mut self.machine.cancelling, true) {
            return self.give_up_suspected();
        }
        self.halt(FrameId::ROOT.index, Attempts::Finish);
        let unresolved = self.machine.steps().filter(|view| view.unresolved);
        for key in unresolved.map(|view| view.key).collect::<Vec<_>>() {
            if self.node(key).activity == Activity::Idle {
                self.resolve(key);
            }
        }
        self.give_up_suspected();
        let stopped = self.each_cancelled_attempt(|key, epoch| Action::Stop { key, epoch });
        if stopped {
            self.machine.in_grace = true;
            self.act(Action::AwaitGrace);
        }
    }

    /// What was told to stop has had its time.
    pub fn grace_over(&mut self) -> Result<(), Refused> {
        if !std::mem::take(&mut self.machine.in_grace) {
            return Err(Refused::Unexpected);
        }
        self.each_cancelled_attempt(|key, epoch| Action::Abort { key, epoch, graceful: false });
        Ok(())
    }

    /// An action for each attempt or reconciliation that the cancelled run
    /// does not need: neither those of `#[always]` steps nor undos.
    fn each_cancelled_attempt(&mut self, action: impl Fn(Key, u32) -> Action) -> bool {
        let before = self.effects.actions.len();
        for (frame, state) in self.machine.frames.iter().filter(|(_, frame)| frame.halted) {
            for ((number, step), node) in (0..).zip(state.region.steps).zip(&state.nodes) {
                let runs = matches!(node.state, StepState::Running | StepState::OutcomeUnknown)
                    && node.activity == Activity::Attempt;
                if runs && !step.always {
                    self.effects.actions.push(action(Key { frame, step: number }, node.epoch));
                }
            }
        }
        self.effects.actions.len() > before
    }
}
