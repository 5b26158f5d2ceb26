//! What an operator decides about a single step.

use super::frame::{Activity, NEVER};
use super::transition::Transition;
use crate::failure::{Cause, Failure};
use crate::run::effect::Action;
use crate::run::event::Refused;
use crate::run::state::{StepState, Wait};
use crate::task::definition::Kind;
use crate::task::place::Key;

impl Transition<'_> {
    /// An operator has settled a step: what it waits for is given up.
    pub fn set_by_hand(&mut self, key: Key) -> Result<(), Refused> {
        let node = self.expect(key)?;
        let (state, epoch) = (node.state, node.epoch);
        self.machine.may_set(key).map_err(|_| Refused::Unexpected)?;
        match state {
            StepState::Waiting(Wait::Slot | Wait::Turn) => self.act(Action::Release { key, epoch }),
            StepState::OutcomeUnknown => self.reopen(key),
            _ if self.machine.is_undo(key) => {
                self.end_undo(key, StepState::Undone);
                return Ok(());
            }
            _ => {}
        }
        self.next_epoch(key);
        self.forget_losses(key);
        self.succeed(key);
        Ok(())
    }

    /// An operator wants the next attempt now.
    pub fn retry_requested(&mut self, key: Key) -> Result<(), Refused> {
        let state = self.expect(key)?.state;
        self.machine.may_retry(key).map_err(|_| Refused::Unexpected)?;
        match (state, &self.step(key).kind) {
            (StepState::OutcomeUnknown, Kind::Task(task)) => {
                self.reopen(key);
                let node = self.node_mut(key);
                // The lost one does not count, and the operator is asked only
                // once for a row of losses.
                node.attempt -= 1;
                node.losses = 0;
                self.attempt_again(key, task);
            }
            (StepState::Suspected, Kind::Task(task)) => self.retry_suspected(key, task),
            (StepState::Undoing, _) => {
                self.withdraw(key);
                self.node_mut(key).losses = 0;
                self.start_undo(key);
            }
            (_, Kind::Task(task)) => {
                self.node_mut(key).losses = 0;
                self.attempt_again(key, task);
            }
            _ => return Err(Refused::Unexpected),
        }
        Ok(())
    }

    /// An operator gives up the undo of a step: what it did stands.
    pub fn give_up_undo(&mut self, key: Key) -> Result<(), Refused> {
        self.expect(key)?;
        self.machine.may_give_up(key).map_err(|_| Refused::Unexpected)?;
        let given_up = || Box::new(Failure::new(Cause::Cancelled, "the undo was given up by an operator"));
        self.node_mut(key).failure.get_or_insert_with(given_up);
        self.end_undo(key, StepState::Failed);
        Ok(())
    }

    /// An operator ends the undo of a step. An attempt of it that is under way
    /// is given up.
    pub(super) fn end_undo(&mut self, key: Key, state: StepState) {
        if self.node(key).activity == Activity::Attempt {
            let epoch = self.node(key).epoch;
            self.set_activity(key, Activity::Idle);
            self.act(Action::Abort { key, epoch, graceful: true });
        }
        self.withdraw(key);
        self.next_epoch(key);
        self.set(key, state);
        self.undo_concluded(key);
    }

    /// An undo asks for its turn no more.
    fn withdraw(&mut self, key: Key) {
        let node = self.node(key);
        if node.asks {
            let epoch = node.epoch;
            self.act(Action::Release { key, epoch });
        }
    }

    /// A step whose outcome was unknown goes on after all.
    pub fn reopen(&mut self, key: Key) {
        self.stop_reconciling(key);
        let node = self.node_mut(key);
        node.unresolved = false;
        node.ended = NEVER;
    }
}
