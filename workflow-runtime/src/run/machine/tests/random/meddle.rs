//! People who meddle with a run: pauses, and what an operator does to steps.

use super::driver::Driver;
use crate::run::{Event, Key, StepState, StepView, Wait};
use crate::task::definition::Kind;

/// Who meddles.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meddlers {
    /// Someone who pauses the run now and then.
    pub pauses: bool,
    /// Someone who settles and hurries steps.
    pub settles: bool,
}

fn is_own(view: &StepView<'_>) -> bool {
    match view.step.kind {
        Kind::Task(task) => task.task.child.is_none(),
        Kind::Signal { .. } | Kind::Sleep(_) => true,
        _ => false,
    }
}

fn may_be_set(view: &StepView<'_>) -> bool {
    let waits = match view.state {
        StepState::Waiting(wait) => wait != Wait::Dependencies,
        StepState::Suspected => true,
        _ => view.unresolved,
    };
    is_own(view) && waits
}

fn may_be_retried(view: &StepView<'_>) -> bool {
    matches!(view.state, StepState::Waiting(Wait::Backoff { .. }) | StepState::Suspected) || view.unresolved
}

impl Driver {
    /// Sometimes someone does something, now.
    pub fn meddle(&mut self) {
        if self.meddlers.pauses && self.chance.once_in(12) {
            let paused = self.machine.is_paused();
            self.apply(if paused { Event::Resumed { over_budget: Vec::new() } } else { Event::Paused });
        }
        if self.meddlers.settles && !self.finished && self.chance.once_in(30) {
            self.settle_one();
        }
    }

    /// Settles or hurries a step, if there is one; whether there was.
    pub fn settle_one(&mut self) -> bool {
        let hurry = self.chance.once_in(2);
        let wanted = if hurry { may_be_retried } else { may_be_set };
        let mut keys: Vec<Key> = self.machine.steps().filter(wanted).map(|view| view.key).collect();
        if hurry && self.watch.is_ending() {
            // Where all else has ended, a reconciliation may still run.
            keys.retain(|key| !self.attempts.contains_key(key));
        }
        if keys.is_empty() {
            return false;
        }
        let key = keys[self.chance.below(keys.len() as u64) as usize];
        // A reconciliation is given up by either.
        self.attempts.remove(&key);
        self.apply(if hurry { Event::RetryRequested { key } } else { Event::Set { key } });
        true
    }
}
