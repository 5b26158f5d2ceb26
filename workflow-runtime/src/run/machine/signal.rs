//! Signals: steps that wait for them, and those that came before any step did.
//! First come, first served, on both sides.

use std::collections::{BTreeMap, VecDeque};

use super::frame::Frames;
use super::transition::Transition;
use crate::run::effect::Action;
use crate::run::state::{StepState, Timestamp, Wait};
use crate::task::place::Key;

/// The signals of one run, by name.
#[derive(Debug, Default)]
pub(super) struct Mailboxes(BTreeMap<&'static str, Mailbox>);

#[derive(Debug, Default)]
struct Mailbox {
    /// Signals that no step has taken.
    kept: usize,
    /// Steps that wait, with the epoch of their wait. Those that have given
    /// up are only noticed when their turn comes, or the list is full.
    waiting: VecDeque<(Key, u32)>,
}

impl Mailbox {
    fn enqueue(&mut self, key: Key, epoch: u32, frames: &Frames) {
        if self.waiting.len() == self.waiting.capacity() {
            self.waiting.retain(|&(key, epoch)| is_waiting(frames, key, epoch));
            // Room for as many again, so that this stays rare.
            self.waiting.reserve(self.waiting.len().max(4));
        }
        self.waiting.push_back((key, epoch));
    }
}

fn is_waiting(frames: &Frames, key: Key, epoch: u32) -> bool {
    frames.node(key).is_some_and(|node| {
        node.epoch == epoch && matches!(node.state, StepState::Waiting(Wait::Signal { .. }))
    })
}

impl Transition<'_> {
    /// Takes a signal that came earlier, or waits for one.
    pub fn await_signal(&mut self, key: Key, name: &'static str, until: Option<Timestamp>) {
        self.start_clock(key);
        let epoch = self.next_epoch(key);
        let mailbox = self.machine.mailboxes.0.entry(name).or_default();
        if mailbox.kept > 0 {
            mailbox.kept -= 1;
            self.deliver(key, name);
            return;
        }
        mailbox.enqueue(key, epoch, &self.machine.frames);
        self.set(key, StepState::Waiting(Wait::Signal { until }));
        if let Some(at) = until {
            self.act(Action::Timer { key, epoch, at });
        }
    }

    /// A signal came: for the step that waits longest, or to be kept.
    pub fn signalled(&mut self, name: &'static str) {
        let machine = &mut *self.machine;
        let mailbox = machine.mailboxes.0.entry(name).or_default();
        while let Some((key, epoch)) = mailbox.waiting.pop_front() {
            if is_waiting(&machine.frames, key, epoch) {
                self.next_epoch(key);
                self.deliver(key, name);
                return;
            }
        }
        mailbox.kept += 1;
    }

    fn deliver(&mut self, key: Key, name: &'static str) {
        self.act(Action::Deliver { key, name });
        self.succeed(key);
    }
}
