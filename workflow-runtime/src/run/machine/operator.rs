//! What an operator decides about a single step.

use super::frame::{Activity, NEVER};
use super::transition::Transition;
use crate::definition::Kind;
use crate::run::effect::Action;
use crate::run::event::Refused;
use crate::run::state::{Key, StepState, Wait};

impl Transition<'_> {
    /// An operator has settled a step: what it waits for is given up.
    pub fn set_by_hand(&mut self, key: Key) -> Result<(), Refused> {
        let node = self.expect(key)?;
        let (state, unresolved, epoch) = (node.state, node.unresolved, node.epoch);
        let has_own_value = match &self.step(key).kind {
            Kind::Task(task) => task.task.child.is_none(),
            Kind::Signal { .. } | Kind::Sleep(_) => true,
            _ => false,
        };
        match state {
            _ if !has_own_value => return Err(Refused::Unexpected),
            // It may never begin, and nothing asks for its value yet.
            StepState::Waiting(Wait::Dependencies) => return Err(Refused::Unexpected),
            StepState::Waiting(Wait::Slot) => self.act(Action::Release { key, epoch }),
            StepState::Waiting(_) => {}
            StepState::OutcomeUnknown if unresolved => self.reopen(key),
            _ => return Err(Refused::Unexpected),
        }
        self.next_epoch(key);
        self.succeed(key);
        Ok(())
    }

    /// An operator wants the next attempt now.
    pub fn retry_requested(&mut self, key: Key) -> Result<(), Refused> {
        let node = self.expect(key)?;
        match (node.state, &self.step(key).kind) {
            (StepState::Waiting(Wait::Backoff { .. }), Kind::Task(task)) => self.attempt_again(key, task),
            // A failed run may still wait for what a reconciliation says.
            (StepState::OutcomeUnknown, Kind::Task(task)) if node.unresolved && !self.is_halted(key) => {
                self.reopen(key);
                let node = self.node_mut(key);
                // The lost one does not count, and the operator is asked only
                // once for a row of losses.
                node.attempt -= 1;
                node.losses = 0;
                self.attempt_again(key, task);
            }
            (StepState::Undoing, _) if node.activity == Activity::Idle => self.start_undo(key),
            _ => return Err(Refused::Unexpected),
        }
        Ok(())
    }

    /// A step whose outcome was unknown goes on after all.
    pub fn reopen(&mut self, key: Key) {
        self.stop_reconciling(key);
        let node = self.node_mut(key);
        node.unresolved = false;
        node.ended = NEVER;
    }
}
