//! A paused run: what would begin is held, in order, until the run goes on.
//!
//! What runs ends, and frames whose steps have all ended still get their
//! values. What has to be done in any case is not held: the undo and the
//! `#[always]` steps of what has failed or was cancelled.

use super::frame::Activity;
use super::transition::{Pending, Transition};
use crate::run::effect::Action;
use crate::run::event::Refused;
use crate::run::state::{StepState, Wait};
use crate::task::place::Key;

impl Transition<'_> {
    /// An operator paused the run.
    pub fn pause(&mut self) -> Result<(), Refused> {
        if std::mem::replace(&mut self.machine.paused, true) {
            return Err(Refused::Unexpected);
        }
        // No other run should wait for a place that a paused run has asked for.
        let asks = |key| {
            let node = self.node(key);
            matches!(node.state, StepState::Waiting(Wait::Slot | Wait::Turn)) || node.asks
        };
        let asked = self.machine.steps().map(|view| view.key).filter(|key| asks(*key));
        for key in asked.collect::<Vec<_>>() {
            if !self.holds(key) {
                continue;
            }
            let node = self.node(key);
            let (state, epoch) = (node.state, node.epoch);
            match state {
                StepState::Waiting(_) => {
                    self.act(Action::Release { key, epoch });
                    self.hold(key);
                }
                StepState::OutcomeUnknown => {
                    self.act(Action::Release { key, epoch });
                    self.next_epoch(key);
                    self.machine.held.push(key);
                }
                // What has to be undone is undone in a pause too.
                _ => {}
            }
        }
        Ok(())
    }

    /// An operator let the run go on.
    pub fn resume(&mut self, over_budget: &[Key]) -> Result<(), Refused> {
        if !std::mem::take(&mut self.machine.paused) {
            return Err(Refused::Unexpected);
        }
        for key in over_budget {
            self.machine.held.retain(|held| held != key);
            self.end_retries(*key);
        }
        self.release_held();
        Ok(())
    }

    /// Whether the pause of the run holds a step that could go on.
    #[inline]
    pub fn holds(&self, key: Key) -> bool {
        self.machine.paused && !self.is_ending(key)
    }

    /// Whether the step belongs to something that has failed or was stopped,
    /// and only does what it must.
    fn is_ending(&self, key: Key) -> bool {
        let mut frame = self.machine.frames.at(key.frame.index);
        while !frame.halted {
            let Some(parent) = frame.parent else { return false };
            frame = self.machine.frames.at(parent.frame.index);
        }
        true
    }

    /// Keeps a step from going on.
    pub fn hold(&mut self, key: Key) {
        self.next_epoch(key);
        self.set(key, StepState::Waiting(Wait::Paused));
        self.machine.held.push(key);
    }

    /// Lets those held steps go on that the pause does not hold any more.
    pub fn release_held(&mut self) {
        for key in std::mem::take(&mut self.machine.held) {
            if self.machine.frames.node(key).is_none() {
                continue;
            }
            if self.holds(key) {
                self.machine.held.push(key);
            } else {
                self.machine.work.push(Pending::Release(key));
            }
        }
    }

    /// Does what a step was held from, unless it was settled meanwhile.
    pub fn begin_held(&mut self, key: Key) {
        let Some(node) = self.machine.frames.node(key) else { return };
        match node.state {
            StepState::Waiting(Wait::Paused) => self.begin_step(key),
            StepState::OutcomeUnknown if node.unresolved && node.activity == Activity::Idle => {
                self.reconcile(key);
            }
            _ => {}
        }
    }
}
