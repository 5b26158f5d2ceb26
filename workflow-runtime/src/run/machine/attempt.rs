//! How attempts went: another one, a value, or a failure that is final.

use super::frame::Activity;
use super::transition::Transition;
use crate::failure::{Cause, Failure};
use crate::policy::Policy;
use crate::run::effect::Action;
use crate::run::event::{AttemptEnd, Refused};
use crate::run::state::{StepState, Timestamp, Wait};
use crate::task::Retryability;
use crate::task::definition::{Kind, OnFailure, TaskStep};
use crate::task::place::Key;

impl Transition<'_> {
    /// An attempt of a task, of its undo or of its reconciliation has ended.
    #[inline]
    pub fn attempt_ended(&mut self, key: Key, epoch: u32, end: AttemptEnd, roll: f64) -> Result<(), Refused> {
        let node = self.expect(key)?;
        if node.epoch != epoch {
            return Err(Refused::Stale);
        }
        if node.activity != Activity::Attempt {
            return Err(Refused::Unexpected);
        }
        let state = node.state;
        let fits = match end {
            AttemptEnd::Reused => state == StepState::Running,
            AttemptEnd::NotDone => state == StepState::OutcomeUnknown,
            _ => true,
        };
        // Only tasks have attempts.
        let (Kind::Task(task), true) = (&self.step(key).kind, fits) else { return Err(Refused::Unexpected) };
        self.set_activity(key, Activity::Idle);
        match state {
            StepState::Undoing => {
                self.undo_ended(key, task, end, roll);
                return Ok(());
            }
            StepState::OutcomeUnknown => {
                self.reconcile_ended(key, task, end, roll);
                return Ok(());
            }
            _ => {}
        }
        match end {
            AttemptEnd::Ok => {
                self.forget_losses(key);
                self.succeed(key);
            }
            // The other end that is not of an attempt was refused above.
            AttemptEnd::Reused | AttemptEnd::NotDone => self.succeed_with(key, true),
            AttemptEnd::Failed(failure, retryability) => {
                self.forget_losses(key);
                self.attempt_failed(key, task, failure, retryability, roll);
            }
            AttemptEnd::Lost => self.attempt_lost(key, task, roll),
            AttemptEnd::Interrupted => self.attempt_interrupted(key, task),
            AttemptEnd::Legacy { lost } => self.legacy_attempt(key, task, lost),
            AttemptEnd::NotBegun | AttemptEnd::Cancelled if self.is_halted(key) => self.cancel_step(key),
            AttemptEnd::NotBegun => {
                self.node_mut(key).attempt -= 1;
                self.attempt_again(key, task);
            }
            // The run did not cancel this one. It must not leave its dependants
            // waiting for ever, so it counts as failed.
            AttemptEnd::Cancelled => {
                let failure = Failure::new(Cause::Cancelled, "the attempt was cancelled");
                self.fail(key, failure, None);
            }
        }
        Ok(())
    }

    fn attempt_failed(
        &mut self,
        key: Key,
        task: &TaskStep,
        failure: Failure,
        retryability: Retryability,
        roll: f64,
    ) {
        let next = if self.is_halted(key) {
            None
        } else {
            let (attempt, first) = (self.node(key).attempt, self.first_start(key));
            next_attempt(task.policy, attempt, first, self.now, retryability, roll)
        };
        match next {
            Some(until) => {
                self.node_mut(key).failure = Some(Box::new(failure));
                self.await_time(key, Wait::Backoff { until }, until);
            }
            None => self.fail(key, failure, None),
        }
    }

    /// Ends the step without a value and without a failure.
    pub fn cancel_step(&mut self, key: Key) {
        self.set(key, StepState::Cancelled);
        self.settle(key);
    }

    /// Ends the step with the failure that it has.
    pub fn conclude_failure(&mut self, key: Key) {
        if let OnFailure::Value(_) = self.step(key).on_failure {
            let node = self.node_mut(key);
            node.valued = true;
            let attempts = node.attempt;
            if let Some(failure) = node.failure.as_deref().cloned() {
                self.act(Action::Fail { key, attempts, failure });
            }
        }
        self.set(key, StepState::Failed);
        self.settle(key);
    }

    /// A time came a while ago. What was to be tried again then may have no
    /// time left by now.
    pub fn timer_fired_late(&mut self, key: Key, epoch: u32) -> Result<(), Refused> {
        let node = self.expect(key)?;
        if node.epoch != epoch {
            return Err(Refused::Stale);
        }
        let backs_off = matches!(node.state, StepState::Waiting(Wait::Backoff { .. }));
        let Kind::Task(task) = &self.step(key).kind else { return self.timer_fired(key, epoch) };
        let budget = task.policy.retry.budget.filter(|_| backs_off);
        let is_over = budget.is_some_and(|budget| self.now > self.first_start(key).after(budget));
        // A loss by itself fails no step.
        let failure = self.node(key).failure.as_deref().filter(|failure| !is_loss(failure)).cloned();
        match failure {
            Some(failure) if is_over => {
                self.next_epoch(key);
                self.fail(key, failure, None);
                Ok(())
            }
            _ => self.timer_fired(key, epoch),
        }
    }

    /// A time has come.
    pub fn timer_fired(&mut self, key: Key, epoch: u32) -> Result<(), Refused> {
        let node = self.expect(key)?;
        if node.epoch != epoch {
            return Err(Refused::Stale);
        }
        match (node.state, &self.step(key).kind) {
            (StepState::Waiting(Wait::Timer { .. }), _) => self.succeed(key),
            (StepState::Waiting(Wait::Signal { until: Some(_) }), Kind::Signal { name, .. }) => {
                self.next_epoch(key);
                let words = format!("signal `{name}` did not come within its time");
                self.fail(key, Failure::new(Cause::Timeout, words), None);
            }
            (StepState::Waiting(Wait::Backoff { .. }), Kind::Task(task)) => self.attempt_again(key, task),
            (StepState::Undoing, _) if node.activity == Activity::Idle => self.start_undo(key),
            (StepState::OutcomeUnknown, _) if node.unresolved && node.activity == Activity::Idle => {
                self.reconcile(key);
            }
            _ => return Err(Refused::Unexpected),
        }
        Ok(())
    }
}

pub(super) fn is_loss(failure: &Failure) -> bool {
    matches!(failure.cause, Cause::Lost | Cause::Interrupted)
}

/// When the next attempt starts, or `None` when this failure is final.
pub(super) fn next_attempt(
    policy: &Policy,
    attempt: u32,
    first: Timestamp,
    now: Timestamp,
    retryability: Retryability,
    roll: f64,
) -> Option<Timestamp> {
    if attempt >= policy.retry.attempts {
        return None;
    }
    let delay = match retryability {
        Retryability::Fatal => return None,
        Retryability::Retry => policy.retry.delay(attempt, roll),
        Retryability::RetryAfter(delay) => delay,
    };
    let until = now.after(delay);
    // An attempt that starts at the deadline has no time left.
    let too_late = policy.deadline.is_some_and(|deadline| until >= first.after(deadline))
        || policy.retry.budget.is_some_and(|budget| until > first.after(budget));
    (!too_late).then_some(until)
}
