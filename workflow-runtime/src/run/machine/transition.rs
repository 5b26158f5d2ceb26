//! One event being worked through: the machine, the time, and what follows.
//!
//! Every write of a step's or the run's state is here, so that no change goes
//! untold. What one change makes possible is queued and done one after the
//! other; nothing recurses, however long a chain of steps is.

use super::Machine;
use super::frame::{Activity, BodyOutcome, NEVER, Node, Phase};
use crate::failure::Failure;
use crate::run::effect::{Action, Change, Effects};
use crate::run::event::Refused;
use crate::run::state::{RunState, StepState, Timestamp, Wait};
use crate::task::definition::{Kind, Step};
use crate::task::place::{FrameId, Key};

/// Something that may have become possible. Checked when its turn comes, as
/// what was queued before it may have changed the matter.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pending {
    /// A step's needs have ended.
    Begin(Key),
    /// A step is not held by a pause any more.
    Release(Key),
    /// The steps of a frame may all have ended.
    Advance(FrameId),
}

/// One event being worked through.
pub(super) struct Transition<'a> {
    pub machine: &'a mut Machine,
    pub now: Timestamp,
    pub effects: &'a mut Effects,
}

impl Transition<'_> {
    /// Does all that has become possible, then tells the run's state.
    #[inline]
    pub fn settle_down(&mut self) {
        let mut next = 0;
        loop {
            while let Some(&work) = self.machine.work.get(next) {
                next += 1;
                match work {
                    Pending::Begin(key) => self.begin(key),
                    Pending::Release(key) => self.begin_held(key),
                    Pending::Advance(frame) => self.advance(frame),
                }
                if self.machine.state.is_ended() {
                    break;
                }
            }
            if self.machine.lost.is_empty() || self.machine.state.is_ended() || !self.begin_lost() {
                break;
            }
        }
        self.machine.work.clear();
        let state = self.run_state();
        self.set_run(state);
    }

    #[inline]
    fn run_state(&self) -> RunState {
        let machine = &*self.machine;
        if machine.state.is_ended() {
            return machine.state;
        }
        let body = machine.frames.get(FrameId::ROOT).and_then(|frame| frame.body.as_deref());
        if body.is_some_and(|body| body.undoing.is_some()) {
            RunState::Undoing
        } else if machine.cancelling {
            RunState::Cancelling
        // A run that has failed ends by itself, paused or not.
        } else if machine.paused && body.is_some_and(|body| body.outcome == BodyOutcome::Well) {
            RunState::Paused
        } else if machine.busy > 0 {
            RunState::Running
        } else {
            RunState::Waiting
        }
    }

    #[inline]
    pub fn set_run(&mut self, state: RunState) {
        if self.machine.state != state {
            self.machine.state = state;
            if self.effects.observed {
                self.effects.changes.push(Change::Run(state));
            }
        }
    }

    /// The step an event is about.
    #[inline]
    pub fn expect(&self, key: Key) -> Result<&Node, Refused> {
        let frame = self.machine.frames.get(key.frame).ok_or(Refused::Closed)?;
        frame.nodes.get(key.step as usize).ok_or(Refused::Unexpected)
    }

    #[inline]
    pub fn node(&self, key: Key) -> &Node {
        &self.machine.frames.at(key.frame.index).nodes[key.step as usize]
    }

    #[inline]
    pub fn node_mut(&mut self, key: Key) -> &mut Node {
        &mut self.machine.frames.at_mut(key.frame.index).nodes[key.step as usize]
    }

    #[inline]
    pub fn step(&self, key: Key) -> &'static Step {
        &self.machine.frames.at(key.frame.index).region.steps[key.step as usize]
    }

    /// Whether the step may start nothing more: its part of the run has
    /// failed or was cancelled. `#[always]` steps go on.
    #[inline]
    pub fn is_halted(&self, key: Key) -> bool {
        self.machine.frames.at(key.frame.index).halted && !self.step(key).always
    }

    #[inline]
    pub fn act(&mut self, action: Action) {
        self.effects.actions.push(action);
    }

    /// The one place where a step's state changes. Inlined, so that a state
    /// known here is written as it is and not copied around.
    #[inline]
    pub fn set(&mut self, key: Key, state: StepState) {
        let now = self.now;
        let node = &mut self.machine.frames.at_mut(key.frame.index).nodes[key.step as usize];
        let before = std::mem::replace(&mut node.state, state);
        if state == StepState::Running {
            (node.since, node.begun) = (now, false);
        }
        if node.ended == NEVER && state.is_ended() {
            node.ended = now;
        }
        self.machine.suspected += u32::from(state == StepState::Suspected);
        self.machine.suspected -= u32::from(before == StepState::Suspected);
        if self.effects.observed {
            let is_failure = matches!(
                state,
                StepState::Failed | StepState::Waiting(Wait::Backoff { .. }) | StepState::Suspected
            );
            let failure = if is_failure { node.failure.clone() } else { None };
            self.effects.changes.push(Change::Step { key, state, attempt: node.attempt, failure });
        }
    }

    /// Keeps count of the answers that the driver owes.
    #[inline]
    pub fn set_activity(&mut self, key: Key, activity: Activity) {
        let before = std::mem::replace(&mut self.node_mut(key).activity, activity);
        self.machine.busy += usize::from(activity != Activity::Idle);
        self.machine.busy -= usize::from(before != Activity::Idle);
    }

    /// Gives up whatever the step waits for: a late answer will not match.
    #[inline]
    pub fn next_epoch(&mut self, key: Key) -> u32 {
        let node = self.node_mut(key);
        node.asks = false;
        node.epoch = node.epoch.wrapping_add(1);
        node.epoch
    }

    /// Notes when the step first did something.
    #[inline]
    pub fn start_clock(&mut self, key: Key) {
        let now = self.now;
        let node = self.node_mut(key);
        if node.started == NEVER {
            node.started = now;
        }
    }

    /// The step has its value.
    #[inline]
    pub fn succeed(&mut self, key: Key) {
        self.succeed_with(key, false);
    }

    /// The step has its value, by its own work or from an earlier run.
    #[inline]
    pub fn succeed_with(&mut self, key: Key, cached: bool) {
        self.node_mut(key).valued = true;
        self.set(key, StepState::Succeeded { cached });
        if let Kind::Task(task) = &self.step(key).kind
            && task.task.undo.is_some()
        {
            self.remember_undo(key);
        }
        self.settle(key);
    }

    /// A failure that is final. Where frames of the step still run, its state
    /// follows when they have ended.
    ///
    /// `origin` is where the failure came from: the step itself, or the step
    /// of a child workflow that failed.
    pub fn fail(&mut self, key: Key, failure: Failure, origin: Option<(Key, u32)>) {
        let (first, attempts) = origin.unwrap_or((key, self.node(key).attempt));
        let fails_run = matches!(self.step(key).on_failure, crate::task::definition::OnFailure::FailRun);
        self.node_mut(key).failure = Some(Box::new(failure.clone()));
        if self.node(key).live > 0 {
            self.node_mut(key).doomed = true;
            self.halt_children(key);
        } else {
            self.conclude_failure(key);
        }
        if fails_run {
            self.fail_scope(key, first, attempts, failure);
        }
    }

    /// The step has ended, with or without a value.
    #[inline]
    pub fn settle(&mut self, key: Key) {
        let id = key.frame;
        let step = self.step(key);
        let frame = self.machine.frames.at_mut(id.index);
        for &dependent in step.dependents {
            let node = &mut frame.nodes[dependent as usize];
            node.pending -= 1;
            if node.pending == 0 {
                self.machine.work.push(Pending::Begin(Key { frame: id, step: dependent }));
            }
        }
        let open = if step.always { &mut frame.open_always } else { &mut frame.open };
        *open -= 1;
        if *open == 0 {
            self.machine.work.push(Pending::Advance(id));
        }
        if frame.race && !frame.halted && frame.phase != Phase::Ended && frame.nodes[key.step as usize].valued
        {
            self.win(key);
        }
    }

    /// How the workflow frame `index` is going.
    pub fn outcome(&self, index: u32) -> &BodyOutcome {
        match &self.machine.frames.at(index).body {
            Some(body) => &body.outcome,
            // Only asked of workflow frames, and each of them has a body.
            None => &BodyOutcome::Well,
        }
    }
}
