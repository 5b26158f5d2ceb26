//! The budget of retries: once so long has passed since the first attempt began,
//! no failure is followed by another one, whatever the next one waited for
//! meanwhile.
//!
//! A loss uses none of it: what follows one is the same attempt once more.

use std::time::Duration;

use super::Machine;
use super::attempt::is_loss;
use super::frame::{Activity, NEVER, Node};
use super::transition::Transition;
use crate::policy::Policy;
use crate::run::effect::Action;
use crate::run::event::Refused;
use crate::run::state::{StepState, Timestamp, Wait};
use crate::task::definition::{Kind, TaskStep};
use crate::task::place::Key;

/// How much later than decided an attempt begins that nothing held up.
const SLACK: Duration = Duration::from_millis(100);

impl Machine {
    /// Whether the next attempt of a step, of its undo or of its
    /// reconciliation would follow a failure, and its budget is over by now. A
    /// driver asks when it is about to let one begin that has waited, and says
    /// so by [`Event::BudgetOver`](crate::run::Event::BudgetOver).
    #[must_use]
    pub fn is_over_budget(&self, key: Key, now: Timestamp) -> bool {
        let Some((node, Kind::Task(task))) = self.frames.node(key).zip(self.step(key).map(|step| &step.kind))
        else {
            return false;
        };
        let retried = match node.state {
            StepState::Undoing => self.retried_undo(key, node, task),
            StepState::OutcomeUnknown => retried_reconciliation(node, task),
            StepState::Waiting(_) => retried(node, task),
            _ => None,
        };
        let Some((policy, first)) = retried else { return false };
        policy.retry.budget.is_some_and(|budget| now > first.after(budget).after(SLACK))
    }

    /// The steps that a pause holds, and whose budget is over by now.
    #[must_use]
    pub fn held_over_budget(&self, now: Timestamp) -> Vec<Key> {
        self.held.iter().copied().filter(|key| self.is_over_budget(*key, now)).collect()
    }

    fn retried_undo(&self, key: Key, node: &Node, task: &TaskStep) -> Option<(&'static Policy, Timestamp)> {
        let is_retry = node.activity == Activity::Idle && node.attempt > 0 && has_failed(node);
        let body = self.frames.at(self.undoing_scope(key).filter(|_| is_retry)?).body.as_ref()?;
        Some((&task.task.undo?.task.policy, body.undo_since))
    }
}

fn retried(node: &Node, task: &TaskStep) -> Option<(&'static Policy, Timestamp)> {
    (node.attempt > 0 && node.started != NEVER && has_failed(node)).then_some((task.policy, node.started))
}

fn retried_reconciliation(node: &Node, task: &TaskStep) -> Option<(&'static Policy, Timestamp)> {
    let waits = node.unresolved && node.activity == Activity::Idle;
    // What is unknown has ended, so that is when this began.
    let is_retry = waits && node.next > 0 && node.total == 0;
    Some((&task.task.reconcile.filter(|_| is_retry)?.task.policy, node.ended))
}

/// Whether the latest attempt failed by itself.
fn has_failed(node: &Node) -> bool {
    node.failure.as_deref().is_some_and(|failure| !is_loss(failure))
}

impl Transition<'_> {
    /// What an attempt has waited for is there, and its budget is over: the
    /// failure before it is final.
    pub fn budget_over(&mut self, key: Key, epoch: u32) -> Result<(), Refused> {
        let node = self.expect(key)?;
        if node.epoch != epoch {
            return Err(Refused::Stale);
        }
        if node.activity != Activity::Idle || !self.end_retries(key) {
            return Err(Refused::Unexpected);
        }
        Ok(())
    }

    /// The step, its undo or its reconciliation is not tried again. False where
    /// it waits for no attempt.
    pub fn end_retries(&mut self, key: Key) -> bool {
        let Some(node) = self.machine.frames.node(key) else { return false };
        let (state, epoch, asks) = (node.state, node.epoch, node.asks);
        match (state, node.failure.as_deref().cloned()) {
            (StepState::Waiting(wait), Some(failure)) if is_for_an_attempt(wait) => {
                if matches!(wait, Wait::Slot | Wait::Turn) {
                    self.act(Action::Release { key, epoch });
                }
                self.next_epoch(key);
                self.fail(key, failure, None);
            }
            (StepState::Undoing, _) => self.end_undo(key, StepState::Failed),
            // An operator decides.
            (StepState::OutcomeUnknown, _) => {
                if asks {
                    self.act(Action::Release { key, epoch });
                }
                self.next_epoch(key);
            }
            _ => return false,
        }
        true
    }
}

fn is_for_an_attempt(wait: Wait) -> bool {
    matches!(wait, Wait::Slot | Wait::Turn | Wait::Backoff { .. } | Wait::Paused)
}
