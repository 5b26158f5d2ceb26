//! Attempts that did not end by themselves, because their process did: the
//! next one has their number, and comes later after each loss. What was lost
//! too often in a row is suspected to be what ends the process.

use super::frame::NEVER;
use super::transition::Transition;
use crate::failure::{Cause, Failure};
use crate::policy::Policy;
use crate::run::state::{StepState, Timestamp, Wait};
use crate::task::definition::TaskStep;
use crate::task::place::Key;

/// What follows a loss.
pub(super) enum AfterLoss {
    /// Another attempt, at this time or at once.
    At(Timestamp),
    /// What an operator decides.
    Suspected,
}

impl AfterLoss {
    /// After so many losses in a row.
    pub fn after(losses: u16, policy: &Policy, now: Timestamp, roll: f64) -> Self {
        if policy.losses != 0 && losses >= policy.losses {
            Self::Suspected
        } else {
            Self::At(now.after(Policy::after_losses(losses, roll)))
        }
    }
}

/// Why an attempt did not end well that was lost.
pub(super) fn lost(what: &str) -> Failure {
    Failure::new(Cause::Lost, format!("the process ended while the {what} ran"))
}

/// The same where the engine was shut down.
pub(super) fn interrupted(what: &str) -> Failure {
    Failure::new(Cause::Interrupted, format!("the engine shut down while the {what} ran"))
}

impl Transition<'_> {
    /// The process ended while an attempt of the task ran.
    pub fn attempt_lost(&mut self, key: Key, task: &TaskStep, roll: f64) {
        self.count_loss(key);
        if task.task.at_most_once {
            return self.lose_track(key, task, Some(roll));
        }
        self.node_mut(key).failure = Some(Box::new(lost("attempt")));
        if self.is_halted(key) {
            return self.cancel_step(key);
        }
        let node = self.node_mut(key);
        node.attempt -= 1;
        let (losses, started) = (node.losses, node.started);
        match AfterLoss::after(losses, task.policy, self.now, roll) {
            AfterLoss::Suspected => self.suspect(key),
            AfterLoss::At(until) => {
                // The deadline passes at its own time, also in a wait.
                let deadline = task.policy.deadline.map_or(NEVER, |deadline| started.after(deadline));
                let until = until.min(deadline);
                if until <= self.now {
                    self.attempt_again(key, task);
                } else {
                    self.await_time(key, Wait::Backoff { until }, until);
                }
            }
        }
    }

    /// The engine shut down while an attempt of the task ran, which says
    /// nothing about the task.
    pub fn attempt_interrupted(&mut self, key: Key, task: &TaskStep) {
        if task.task.at_most_once {
            return self.lose_track(key, task, None);
        }
        self.node_mut(key).failure = Some(Box::new(interrupted("attempt")));
        if self.is_halted(key) {
            return self.cancel_step(key);
        }
        self.node_mut(key).attempt -= 1;
        self.attempt_again(key, task);
    }

    /// Another attempt of the step, or of its undo, was lost.
    pub fn count_loss(&mut self, key: Key) {
        let node = self.node_mut(key);
        node.losses = node.losses.saturating_add(1);
        node.guarded = true;
    }

    /// An attempt came to an end, so those that were lost were so by chance.
    #[inline]
    pub fn forget_losses(&mut self, key: Key) {
        let node = self.node_mut(key);
        (node.losses, node.guarded) = (0, false);
    }

    /// How many losses the next attempt of the step has to tell when it asks
    /// for its turn; 0 where it begins without.
    #[inline]
    pub fn losses_to_tell(&self, key: Key, policy: &Policy) -> u16 {
        let node = self.node(key);
        // Where the first loss is one too many, it has to be known for sure.
        if node.guarded || policy.losses == 1 { node.losses.max(1) } else { 0 }
    }

    /// From here on only an operator has the step attempted again.
    pub fn suspect(&mut self, key: Key) {
        self.next_epoch(key);
        self.set(key, StepState::Suspected);
    }

    /// An operator has a suspected step attempted again, as if for the first
    /// time: its time limits begin anew too.
    pub fn retry_suspected(&mut self, key: Key, task: &TaskStep) {
        if self.machine.is_undo(key) {
            self.node_mut(key).losses = 0;
            self.set(key, StepState::Undoing);
            self.start_undo(key);
        } else {
            let node = self.node_mut(key);
            (node.losses, node.started) = (0, NEVER);
            self.attempt_again(key, task);
        }
    }

    /// An operator has the run stop, and what is suspected would hold it up:
    /// the cleaning up of `#[always]` steps, and undos.
    pub fn give_up_suspected(&mut self) {
        let suspected = self.machine.steps().filter(|view| view.state == StepState::Suspected);
        for key in suspected.map(|view| view.key).collect::<Vec<_>>() {
            if self.machine.is_undo(key) {
                self.set(key, StepState::Failed);
                self.undo_concluded(key);
            } else if let Some(failure) = self.node(key).failure.as_deref().cloned() {
                self.fail(key, failure, None);
            }
        }
    }
}
