//! Losses and interruptions as earlier versions told them: their journals are
//! followed as they were written. The next attempt began at once, and the third
//! loss in a row was a failure.

use super::loss::{interrupted, lost};
use super::transition::Transition;
use crate::task::definition::TaskStep;
use crate::task::place::Key;

/// Attempts lost one after the other before the step failed.
pub(super) const LOSSES: u16 = 3;

impl Transition<'_> {
    /// An attempt of the task did not end by itself.
    pub fn legacy_attempt(&mut self, key: Key, task: &TaskStep, was_lost: bool) {
        self.node_mut(key).losses += u16::from(was_lost);
        if task.task.at_most_once {
            return self.lose_track(key, task, None);
        }
        let failure = if was_lost { lost("attempt") } else { interrupted("attempt") };
        if self.node(key).losses >= LOSSES {
            return self.fail(key, failure, None);
        }
        self.node_mut(key).failure = Some(Box::new(failure));
        if self.is_halted(key) {
            return self.cancel_step(key);
        }
        self.node_mut(key).attempt -= 1;
        self.attempt_again(key, task);
    }

    /// The same of an undo. Whether another one was begun.
    pub fn legacy_undo(&mut self, key: Key, task: &TaskStep, was_lost: bool) -> bool {
        let node = self.node_mut(key);
        node.losses += u16::from(was_lost);
        let once = task.task.undo.is_some_and(|undo| undo.task.at_most_once);
        let again = node.losses < LOSSES && !once;
        if again {
            node.attempt -= 1;
            self.start_undo(key);
        }
        again
    }
}
