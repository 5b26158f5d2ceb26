//! Taking back: the finished steps of a failed workflow are undone, one at a
//! time, the last one first.

use super::Machine;
use super::attempt::next_attempt;
use super::frame::{Activity, NEVER};
use super::loss::{AfterLoss, interrupted, lost};
use super::transition::{Pending, Transition};
use crate::failure::{Cause, Failure};
use crate::run::effect::Action;
use crate::run::event::AttemptEnd;
use crate::run::state::{StepState, Timestamp};
use crate::task::Retryability;
use crate::task::definition::{Kind, TaskStep};
use crate::task::place::{FrameId, Key};

impl Transition<'_> {
    /// Notes a finished step that can be undone. What `#[always]` steps did
    /// stays done: they are the cleaning up.
    pub fn remember_undo(&mut self, key: Key) {
        let frame = self.machine.frames.at(key.frame.index);
        if frame.exempt || self.step(key).always {
            return;
        }
        let scope = frame.scope;
        let order = self.machine.finished;
        self.machine.finished += 1;
        self.machine.frames.at_mut(key.frame.index).keeps += 1;
        if let Some(body) = &mut self.machine.frames.at_mut(scope).body {
            body.undoable.push((order, key));
        }
    }

    /// A child workflow has ended well: from now on its steps are undone with
    /// the workflow around it.
    pub fn hand_over_undos(&mut self, index: u32) {
        let frame = self.machine.frames.at_mut(index);
        let (Some(body), Some(parent)) = (&mut frame.body, frame.parent) else { return };
        let mut undoable = std::mem::take(&mut body.undoable);
        if undoable.is_empty() {
            return;
        }
        let around = self.machine.frames.at(parent.frame.index);
        if around.exempt || self.step(parent).always {
            for (_, key) in undoable {
                self.unkeep(key);
            }
            return;
        }
        let scope = around.scope;
        if let Some(body) = &mut self.machine.frames.at_mut(scope).body {
            body.undoable.append(&mut undoable);
            body.unsorted = true;
        }
    }

    /// Nothing needs the values around the step any more on its account.
    pub fn unkeep(&mut self, key: Key) {
        self.machine.frames.at_mut(key.frame.index).keeps -= 1;
        self.try_close(key.frame.index);
    }

    /// Undoes the next step of a failed workflow. False when there is none.
    pub fn undo_next(&mut self, scope: FrameId) -> bool {
        if self.asks_for_held(scope) {
            return true;
        }
        let now = self.now;
        let Some(body) = &mut self.machine.frames.at_mut(scope.index).body else { return false };
        if body.undoing.is_some() {
            return true;
        }
        if std::mem::take(&mut body.unsorted) {
            body.undoable.sort_unstable();
        }
        let Some((_, key)) = body.undoable.pop() else { return false };
        body.undoing = Some(key);
        (body.undo_since, body.undo_due) = (now, NEVER);
        self.node_mut(key).attempt = 0;
        self.forget_losses(key);
        self.set(key, StepState::Undoing);
        self.start_undo(key);
        true
    }

    /// The next attempt of an undo: at once, or when its turn comes.
    pub fn start_undo(&mut self, key: Key) {
        let epoch = self.next_epoch(key);
        let undo = match &self.step(key).kind {
            Kind::Task(task) => task.task.undo,
            _ => None,
        };
        let losses = undo.map_or(0, |undo| self.losses_to_tell(key, &undo.task.policy));
        if losses > 0 {
            self.node_mut(key).asks = true;
            self.act(Action::Acquire { key, epoch, limited: false, losses });
        } else {
            self.undo_now(key);
        }
    }

    /// Starts the attempt under the current epoch.
    pub fn undo_now(&mut self, key: Key) {
        let node = self.node_mut(key);
        node.asks = false;
        node.attempt += 1;
        let (attempt, epoch) = (node.attempt, node.epoch);
        self.set_activity(key, Activity::Attempt);
        self.act(Action::Undo { key, epoch, attempt });
    }

    /// An attempt of an undo has ended.
    pub fn undo_ended(&mut self, key: Key, task: &TaskStep, end: AttemptEnd, roll: f64) {
        let (failure, retryability) = match end {
            // Those that are of no undo were refused.
            AttemptEnd::Ok | AttemptEnd::Reused | AttemptEnd::NotDone => {
                self.set(key, StepState::Undone);
                return self.undo_concluded(key);
            }
            AttemptEnd::Failed(failure, retryability) => {
                self.forget_losses(key);
                (failure, retryability)
            }
            AttemptEnd::NotBegun => {
                self.node_mut(key).attempt -= 1;
                return self.start_undo(key);
            }
            AttemptEnd::Lost | AttemptEnd::Interrupted => {
                return self.undo_lost(key, task, end == AttemptEnd::Lost, roll);
            }
            AttemptEnd::Legacy { lost: was_lost } => {
                if self.legacy_undo(key, task, was_lost) {
                    return;
                }
                (lost("undo"), Retryability::Fatal)
            }
            // An undo is never cancelled; if one ends so, it has failed.
            AttemptEnd::Cancelled => {
                (Failure::new(Cause::Cancelled, "the undo was cancelled"), Retryability::Fatal)
            }
        };
        let since = self.undoing_scope(key).map_or(self.now, |(_, since)| since);
        let attempt = self.node(key).attempt;
        // Only tasks with an undo are undone.
        let next = task
            .task
            .undo
            .and_then(|undo| next_attempt(&undo.task.policy, attempt, since, self.now, retryability, roll));
        self.node_mut(key).failure = Some(Box::new(failure));
        if let Some(at) = next {
            self.await_undo(key, at);
        } else {
            self.set(key, StepState::Failed);
            self.undo_concluded(key);
        }
    }

    /// Waits for the next attempt of an undo.
    fn await_undo(&mut self, key: Key, at: Timestamp) {
        let epoch = self.next_epoch(key);
        if let Some((scope, _)) = self.undoing_scope(key)
            && let Some(body) = &mut self.machine.frames.at_mut(scope).body
        {
            body.undo_due = at;
        }
        self.act(Action::Timer { key, epoch, at });
    }

    /// The process ended while the undo ran: as for attempts.
    fn undo_lost(&mut self, key: Key, task: &TaskStep, was_lost: bool, roll: f64) {
        let Some(undo) = task.task.undo else { return };
        if was_lost {
            self.count_loss(key);
        }
        let now = self.now;
        let node = self.node_mut(key);
        node.attempt -= 1;
        node.failure = Some(Box::new(if was_lost { lost("undo") } else { interrupted("undo") }));
        let next = match was_lost {
            // It is unknown what it has done, and it must not be repeated.
            _ if undo.task.at_most_once => AfterLoss::Suspected,
            true => AfterLoss::after(node.losses, &undo.task.policy, now, roll),
            false => AfterLoss::At(now),
        };
        match next {
            AfterLoss::Suspected => self.suspect(key),
            AfterLoss::At(at) if at <= now => self.start_undo(key),
            AfterLoss::At(at) => self.await_undo(key, at),
        }
    }

    /// The undo is over, one way or the other: on to the next.
    pub fn undo_concluded(&mut self, key: Key) {
        if let Some((scope, _)) = self.undoing_scope(key) {
            if let Some(body) = &mut self.machine.frames.at_mut(scope).body {
                body.undoing = None;
            }
            let scope = self.machine.frames.id(scope);
            self.machine.work.push(Pending::Advance(scope));
        }
        self.unkeep(key);
    }

    /// The workflow frame that undoes the step, and since when.
    fn undoing_scope(&self, key: Key) -> Option<(u32, Timestamp)> {
        let scope = self.machine.undoing_scope(key)?;
        let body = self.machine.frames.at(scope).body.as_ref()?;
        Some((scope, body.undo_since))
    }
}

impl Machine {
    /// The workflow frame that undoes the step: its own, or one further out
    /// when its own has ended well.
    pub(super) fn undoing_scope(&self, key: Key) -> Option<u32> {
        let mut frame = self.frames.get(key.frame)?;
        loop {
            let scope = frame.scope;
            frame = self.frames.at(scope);
            match &frame.body {
                Some(body) if body.undoing == Some(key) => return Some(scope),
                _ => frame = self.frames.at(frame.parent?.frame.index),
            }
        }
    }

    /// Whether what a step does, or waits for, is its undo.
    #[must_use]
    pub fn is_undo(&self, key: Key) -> bool {
        self.undoing_scope(key).is_some()
    }

    /// The steps of failed or stopped workflows that are being undone, or will be
    /// when what still runs in these has ended.
    #[must_use]
    pub fn to_be_undone(&self) -> Vec<Key> {
        let halted = self.frames.iter().filter(|(_, frame)| frame.halted);
        let bodies = halted.filter_map(|(_, frame)| frame.body.as_ref());
        bodies.flat_map(|body| body.undoable.iter().map(|(_, key)| *key).chain(body.undoing)).collect()
    }

    /// When the next attempt to undo a step is due, where it waits for that.
    #[must_use]
    pub fn undo_due(&self, key: Key) -> Option<Timestamp> {
        let node = self.frames.node(key)?;
        let waits = node.state == StepState::Undoing && node.activity == Activity::Idle && !node.asks;
        let body = self.frames.at(self.undoing_scope(key).filter(|_| waits)?).body.as_ref()?;
        (body.undo_due != NEVER).then_some(body.undo_due)
    }
}
