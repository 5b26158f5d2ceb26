//! What a run has under way: what was decided, and has not come to its end.

use std::collections::{HashMap, HashSet};

use crate::run::{Action, Event, FrameId, Key, Timestamp};

/// Attempts, waits and questions that are open.
#[derive(Default)]
pub(super) struct UnderWay {
    /// The open attempt of a step, or of its undo, with its epoch.
    attempts: HashMap<Key, u32>,
    timers: HashMap<Key, (u32, Timestamp)>,
    rooms: HashMap<Key, u32>,
    /// What was asked about a step, and not been answered.
    questions: HashSet<Key>,
    yields: HashSet<FrameId>,
    /// Workflows that were asked what they hold.
    held: HashSet<FrameId>,
    /// The last epoch of an attempt of each step.
    epochs: HashMap<Key, u32>,
    grace: bool,
}

impl UnderWay {
    /// Takes what was decided. Says what is wrong with it.
    pub(super) fn take(&mut self, action: &Action) -> Option<String> {
        match *action {
            Action::Start { key, epoch, .. }
            | Action::Undo { key, epoch, .. }
            | Action::Reconcile { key, epoch, .. } => return self.begin(key, epoch),
            // Given up: nothing waits for its end.
            Action::Abort { key, epoch, graceful: true } => self.end(key, epoch),
            Action::Timer { key, epoch, at } => _ = self.timers.insert(key, (epoch, at)),
            Action::Acquire { key, epoch, .. } => _ = self.rooms.insert(key, epoch),
            Action::Release { key, .. } => _ = self.rooms.remove(&key),
            Action::Evaluate { key, .. } | Action::Recall { key, .. } => _ = self.questions.insert(key),
            Action::Yield { frame } => _ = self.yields.insert(frame),
            Action::RecallHeld { frame } => _ = self.held.insert(frame),
            Action::AwaitGrace => self.grace = true,
            _ => {}
        }
        None
    }

    fn begin(&mut self, key: Key, epoch: u32) -> Option<String> {
        let before = self.epochs.insert(key, epoch);
        if let Some(open) = self.attempts.insert(key, epoch) {
            return Some(format!(
                "attempt {epoch} began while attempt {open} was under way (by their epochs)"
            ));
        }
        let before = before.filter(|before| *before >= epoch)?;
        Some(format!("the epoch {epoch} of an attempt follows the epoch {before}"))
    }

    fn end(&mut self, key: Key, epoch: u32) {
        if self.attempts.get(&key) == Some(&epoch) {
            self.attempts.remove(&key);
        }
    }

    /// An event is the end of what led to it.
    pub(super) fn hear(&mut self, event: &Event) {
        match event {
            Event::AttemptEnded { key, epoch, .. } => self.end(*key, *epoch),
            Event::TimerFired { key, .. } | Event::TimerFiredLate { key, .. } => _ = self.timers.remove(key),
            Event::Granted { key, .. } => _ = self.rooms.remove(key),
            Event::BudgetOver { key, .. } => {
                self.timers.remove(key);
                self.rooms.remove(key);
            }
            Event::Answered { key, .. } | Event::Recalled { key, .. } => _ = self.questions.remove(key),
            Event::Yielded { frame, .. } => _ = self.yields.remove(frame),
            Event::HeldRecalled { frame, .. } => _ = self.held.remove(frame),
            Event::GraceOver => self.grace = false,
            _ => {}
        }
    }

    pub(super) fn has_attempt(&self, key: Key) -> bool {
        self.attempts.contains_key(&key)
    }

    pub(super) fn has_attempts(&self) -> bool {
        !self.attempts.is_empty()
    }

    pub(super) fn timer(&self, key: Key) -> Option<Timestamp> {
        self.timers.get(&key).map(|(_, at)| *at)
    }

    pub(super) fn has_request(&self, key: Key) -> bool {
        self.rooms.contains_key(&key)
    }

    /// Whether an answer about the step is owed.
    pub(super) fn is_asked(&self, key: Key) -> bool {
        self.questions.contains(&key)
    }

    /// Whether anything at all is owed to the run.
    pub(super) fn is_any(&self) -> bool {
        self.grace
            || self.has_attempts()
            || !(self.timers.is_empty()
                && self.rooms.is_empty()
                && self.questions.is_empty()
                && self.held.is_empty()
                && self.yields.is_empty())
    }

    /// Whether the value of a region is owed.
    pub(super) fn is_yielding(&self, frame: FrameId) -> bool {
        self.yields.contains(&frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::AttemptEnd;

    const KEY: Key = Key { frame: FrameId::ROOT, step: 3 };

    fn start(epoch: u32) -> Action {
        Action::Start { key: KEY, epoch, attempt: 1, last: false, deadline: None }
    }

    fn ended(epoch: u32) -> Event {
        Event::AttemptEnded { key: KEY, epoch, end: AttemptEnd::Lost, roll: 0.5 }
    }

    #[test]
    fn attempts_follow_one_another() {
        let mut under_way = UnderWay::default();
        assert_eq!(under_way.take(&start(1)), None);
        assert!(under_way.has_attempt(KEY));
        under_way.hear(&ended(1));
        assert!(!under_way.is_any());
        assert_eq!(under_way.take(&start(2)), None);
    }

    #[test]
    fn two_attempts_at_once_and_epochs_that_do_not_grow_are_noticed() {
        let mut under_way = UnderWay::default();
        under_way.take(&start(4));
        let twice = under_way.take(&start(5)).unwrap();
        assert_eq!(twice, "attempt 5 began while attempt 4 was under way (by their epochs)");
        under_way.hear(&ended(5));
        assert_eq!(under_way.take(&start(5)).unwrap(), "the epoch 5 of an attempt follows the epoch 5");
    }
}
