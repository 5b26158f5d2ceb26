//! Finding out what became of an `at_most_once` attempt that was lost: by the
//! task's `reconcile`, or else by an operator.

use super::attempt::{LOSSES, LOST, next_attempt};
use super::frame::Activity;
use super::transition::Transition;
use crate::definition::TaskStep;
use crate::error::{Cause, Failure};
use crate::run::effect::Action;
use crate::run::event::AttemptEnd;
use crate::run::state::{Key, StepState, Timestamp};
use crate::task::Retryability;

impl Transition<'_> {
    /// Nobody knows how an attempt of the step has ended.
    pub fn lose_track(&mut self, key: Key, task: &TaskStep) {
        let node = self.node_mut(key);
        node.unresolved = true;
        (node.next, node.total) = (0, 0);
        self.set(key, StepState::OutcomeUnknown);
        // A run that has failed or was cancelled ends nevertheless.
        if self.gives_up(key) || self.is_halted(key) {
            self.resolve(key);
        } else if task.task.reconcile.is_some() {
            self.reconcile(key);
        }
    }

    /// Starts the next reconciliation, unless the run is paused.
    pub fn reconcile(&mut self, key: Key) {
        let epoch = self.next_epoch(key);
        if self.holds(key) {
            self.machine.held.push(key);
            return;
        }
        let node = self.node_mut(key);
        node.next += 1;
        let attempt = node.next;
        self.set_activity(key, Activity::Attempt);
        self.act(Action::Reconcile { key, epoch, attempt });
    }

    /// Gives up a reconciliation, or the wait for the next one.
    pub fn stop_reconciling(&mut self, key: Key) {
        if self.node(key).activity == Activity::Attempt {
            let epoch = self.node(key).epoch;
            self.set_activity(key, Activity::Idle);
            self.act(Action::Abort { key, epoch, graceful: true });
        }
        self.next_epoch(key);
    }

    /// A reconciliation has ended.
    pub fn reconcile_ended(&mut self, key: Key, task: &TaskStep, end: AttemptEnd, roll: f64) {
        let once = task.task.reconcile.is_some_and(|reconcile| reconcile.task.at_most_once);
        let next = match end {
            // The other end that is of no reconciliation was refused.
            AttemptEnd::Ok | AttemptEnd::Reused => {
                self.reopen(key);
                self.node_mut(key).losses = 0;
                return self.succeed(key);
            }
            AttemptEnd::NotDone => return self.not_done(key, task),
            AttemptEnd::Failed(failure, retryability) => {
                let next = self.next_reconciliation(key, task, retryability, roll);
                let node = self.node_mut(key);
                node.total = 0;
                node.failure = Some(Box::new(failure));
                next
            }
            AttemptEnd::NotBegun => {
                self.node_mut(key).next -= 1;
                Some(self.now)
            }
            AttemptEnd::Lost | AttemptEnd::Interrupted => {
                let node = self.node_mut(key);
                node.total += u32::from(end == AttemptEnd::Lost);
                let again = node.total < u32::from(LOSSES) && !once;
                // As for attempts, the next one has its number.
                node.next -= u32::from(again);
                again.then_some(self.now)
            }
            AttemptEnd::Cancelled => None,
        };
        if self.gives_up(key) || self.is_halted(key) {
            return self.resolve(key);
        }
        match next {
            Some(at) if at <= self.now => self.reconcile(key),
            Some(at) => {
                let epoch = self.next_epoch(key);
                self.act(Action::Timer { key, epoch, at });
            }
            // An operator decides.
            None => {
                self.next_epoch(key);
            }
        }
    }

    /// The lost attempt has done nothing.
    fn not_done(&mut self, key: Key, task: &TaskStep) {
        self.reopen(key);
        if self.node(key).losses >= LOSSES {
            self.fail(key, Failure::new(Cause::Lost, LOST), None);
        } else if self.is_halted(key) {
            self.cancel_step(key);
        } else {
            self.node_mut(key).attempt -= 1;
            self.attempt_again(key, task);
        }
    }

    fn next_reconciliation(
        &self,
        key: Key,
        task: &TaskStep,
        retryability: Retryability,
        roll: f64,
    ) -> Option<Timestamp> {
        let policy = &task.task.reconcile?.task.policy;
        let node = self.node(key);
        // What is unknown has ended, so that is when this began.
        next_attempt(policy, node.next, node.ended, self.now, retryability, roll)
    }
}
