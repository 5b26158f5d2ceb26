//! What the journal of a run leaves under way when its process ends: actions
//! whose end is not in it.

use std::collections::{BTreeMap, HashMap};

use crate::run::{Action, AttemptEnd, Event, Key, Timestamp};

/// What a journal leaves under way: actions whose end is not in it.
#[derive(Default)]
pub(crate) struct Open {
    /// In order.
    pub(crate) actions: BTreeMap<u64, Action>,
    places: HashMap<(About, Key, u32), u64>,
    /// When the waits for times began.
    pub(crate) since: HashMap<(Key, u32), Timestamp>,
    taken: u64,
    /// Whether the end of the grace time is awaited.
    pub(crate) grace: bool,
    /// The run's end.
    pub(crate) finish: Option<Action>,
    /// Whether the process before ended in good order.
    pub(crate) interrupted: bool,
    /// Whether none of the attempts has begun.
    pub(crate) not_begun: bool,
}

/// What an action is about, beside its step.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum About {
    Attempt,
    Timer,
    Room,
    Items,
}

impl Open {
    pub(crate) fn take(&mut self, action: Action, now: Timestamp) {
        let place = match &action {
            Action::Start { key, epoch, .. }
            | Action::Undo { key, epoch, .. }
            | Action::Reconcile { key, epoch, .. } => (About::Attempt, *key, *epoch),
            Action::Timer { key, epoch, .. } => {
                self.since.insert((*key, *epoch), now);
                (About::Timer, *key, *epoch)
            }
            Action::Acquire { key, epoch, .. } => (About::Room, *key, *epoch),
            Action::OpenMore { key } => (About::Items, *key, 0),
            Action::Release { key, epoch } => return self.close(About::Room, *key, *epoch),
            // Given up: the run does not wait for its end.
            Action::Abort { key, epoch, graceful: true } => return self.close(About::Attempt, *key, *epoch),
            Action::AwaitGrace => {
                self.grace = true;
                return;
            }
            Action::Finish { .. } => {
                self.finish = Some(action);
                return;
            }
            _ => return,
        };
        self.places.insert(place, self.taken);
        self.actions.insert(self.taken, action);
        self.taken += 1;
    }

    /// How the attempts ended whose process did.
    pub(crate) fn attempts_end(&self) -> AttemptEnd {
        match (self.not_begun, self.interrupted) {
            (true, _) => AttemptEnd::NotBegun,
            (false, true) => AttemptEnd::Interrupted,
            (false, false) => AttemptEnd::Lost,
        }
    }

    /// An event is the end of the action that led to it.
    pub(crate) fn hear(&mut self, event: &Event) {
        match event {
            Event::AttemptEnded { key, epoch, .. } => self.close(About::Attempt, *key, *epoch),
            Event::TimerFired { key, epoch } | Event::TimerFiredLate { key, epoch } => {
                self.close(About::Timer, *key, *epoch)
            }
            Event::BudgetOver { key, epoch } => {
                self.close(About::Timer, *key, *epoch);
                self.close(About::Room, *key, *epoch);
            }
            Event::Granted { key, epoch } => self.close(About::Room, *key, *epoch),
            Event::MoreWanted { key } => self.close(About::Items, *key, 0),
            Event::GraceOver => self.grace = false,
            _ => {}
        }
    }

    fn close(&mut self, about: About, key: Key, epoch: u32) {
        if let Some(place) = self.places.remove(&(about, key, epoch)) {
            self.actions.remove(&place);
        }
    }
}
