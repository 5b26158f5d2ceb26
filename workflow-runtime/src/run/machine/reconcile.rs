//! Finding out what became of an `at_most_once` attempt that was lost: by the
//! task's `reconcile`, or else by an operator.

use super::attempt::next_attempt;
use super::frame::Activity;
use super::legacy::LOSSES;
use super::loss::{AfterLoss, lost};
use super::transition::Transition;
use crate::policy::Policy;
use crate::run::effect::Action;
use crate::run::event::AttemptEnd;
use crate::run::state::{StepState, Timestamp};
use crate::task::Retryability;
use crate::task::definition::TaskStep;
use crate::task::place::Key;

impl Transition<'_> {
    /// It is unknown how an attempt of the step has ended. The random number is
    /// that of its loss, where another one comes the later for it.
    pub fn lose_track(&mut self, key: Key, task: &TaskStep, roll: Option<f64>) {
        let node = self.node_mut(key);
        node.unresolved = true;
        (node.next, node.total) = (0, 0);
        let losses = node.losses;
        self.set(key, StepState::OutcomeUnknown);
        // A run that has failed or was cancelled ends nevertheless.
        if self.gives_up(key) || self.is_halted(key) {
            self.resolve(key);
        } else if task.task.reconcile.is_some() {
            // Once it is known the next attempt follows at once, so this waits.
            let delay = roll.map(|roll| Policy::after_losses(losses, roll)).unwrap_or_default();
            self.reconcile_at(key, self.now.after(delay));
        }
    }

    fn reconcile_at(&mut self, key: Key, at: Timestamp) {
        if at <= self.now {
            return self.reconcile(key);
        }
        let epoch = self.next_epoch(key);
        self.act(Action::Timer { key, epoch, at });
    }

    /// The next reconciliation, unless the run is paused: at once, or when its
    /// turn comes.
    pub fn reconcile(&mut self, key: Key) {
        let epoch = self.next_epoch(key);
        if self.holds(key) {
            self.machine.held.push(key);
            return;
        }
        if self.node(key).guarded {
            let node = self.node_mut(key);
            node.asks = true;
            let losses = u16::try_from(node.total).unwrap_or(u16::MAX).max(1);
            self.act(Action::Acquire { key, epoch, limited: false, losses });
        } else {
            self.reconcile_now(key);
        }
    }

    /// Starts the reconciliation under the current epoch.
    pub fn reconcile_now(&mut self, key: Key) {
        let node = self.node_mut(key);
        node.asks = false;
        node.next += 1;
        let (attempt, epoch) = (node.next, node.epoch);
        self.set_activity(key, Activity::Attempt);
        self.act(Action::Reconcile { key, epoch, attempt });
    }

    /// Gives up a reconciliation, or the wait for the next one.
    pub fn stop_reconciling(&mut self, key: Key) {
        let node = self.node(key);
        let (epoch, asks) = (node.epoch, node.asks);
        if node.activity == Activity::Attempt {
            self.set_activity(key, Activity::Idle);
            self.act(Action::Abort { key, epoch, graceful: true });
        } else if asks {
            self.act(Action::Release { key, epoch });
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
                self.forget_losses(key);
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
            AttemptEnd::Lost => {
                let policy =
                    task.task.reconcile.map_or(&task.task.policy, |reconcile| &reconcile.task.policy);
                let now = self.now;
                let node = self.node_mut(key);
                node.total += 1;
                node.guarded = true;
                // As for attempts, the next one has its number.
                match AfterLoss::after(u16::try_from(node.total).unwrap_or(u16::MAX), policy, now, roll) {
                    AfterLoss::At(at) if !once => {
                        node.next -= 1;
                        Some(at)
                    }
                    _ => None,
                }
            }
            AttemptEnd::Interrupted => {
                self.node_mut(key).next -= u32::from(!once);
                (!once).then_some(self.now)
            }
            AttemptEnd::Legacy { lost } => {
                let node = self.node_mut(key);
                node.total += u32::from(lost);
                let again = node.total < u32::from(LOSSES) && !once;
                node.next -= u32::from(again);
                again.then_some(self.now)
            }
            AttemptEnd::Cancelled => None,
        };
        if self.gives_up(key) || self.is_halted(key) {
            return self.resolve(key);
        }
        match next {
            Some(at) => self.reconcile_at(key, at),
            // An operator decides.
            None => {
                self.next_epoch(key);
            }
        }
    }

    /// The lost attempt has done nothing.
    fn not_done(&mut self, key: Key, task: &TaskStep) {
        self.reopen(key);
        let node = self.node(key);
        let (losses, limit) = (node.losses, task.policy.losses);
        if !node.guarded && losses >= LOSSES {
            return self.fail(key, lost("attempt"), None);
        }
        if self.is_halted(key) {
            return self.cancel_step(key);
        }
        let node = self.node_mut(key);
        node.attempt -= 1;
        if node.guarded && limit != 0 && losses >= limit {
            node.failure = Some(Box::new(lost("attempt")));
            self.suspect(key);
        } else {
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
