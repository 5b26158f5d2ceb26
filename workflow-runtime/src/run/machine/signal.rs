//! Signals: steps that wait for them, and those that came before any step did.
//! First come, first served, on both sides, unless a step is named.

use std::collections::{BTreeMap, VecDeque};

use super::Machine;
use super::frame::Frames;
use super::transition::Transition;
use crate::run::SignalId;
use crate::run::effect::Action;
use crate::run::event::Refused;
use crate::run::state::{StepState, Timestamp, Wait};
use crate::task::place::Key;

/// The signals of one run.
#[derive(Debug, Default)]
pub(super) struct Mailboxes {
    boxes: BTreeMap<SignalId, Mailbox>,
    /// How many there may be before the empty ones are thrown away: a loop can
    /// wait for another key in each turn.
    most: usize,
}

#[derive(Debug, Default)]
struct Mailbox {
    /// Signals that no step has taken.
    kept: usize,
    /// Steps that wait, with the epoch of their wait. Those that have given
    /// up are only noticed when their turn comes, or the list is full.
    waiting: VecDeque<(Key, u32)>,
}

impl Mailboxes {
    fn at(&mut self, signal: &SignalId, frames: &Frames) -> &mut Mailbox {
        if self.boxes.len() > self.most {
            self.boxes.retain(|_, mailbox| {
                mailbox.waiting.retain(|&(key, epoch)| is_waiting(frames, key, epoch));
                mailbox.kept > 0 || !mailbox.waiting.is_empty()
            });
            // Room for as many again, so that this stays rare.
            self.most = (self.boxes.len() * 2).max(16);
        }
        self.boxes.entry(signal.clone()).or_default()
    }
}

impl Mailbox {
    fn enqueue(&mut self, key: Key, epoch: u32, frames: &Frames) {
        if self.waiting.len() == self.waiting.capacity() {
            self.waiting.retain(|&(key, epoch)| is_waiting(frames, key, epoch));
            // As above.
            self.waiting.reserve(self.waiting.len().max(1));
        }
        self.waiting.push_back((key, epoch));
    }
}

fn is_waiting(frames: &Frames, key: Key, epoch: u32) -> bool {
    frames.node(key).is_some_and(|node| {
        node.epoch == epoch && matches!(node.state, StepState::Waiting(Wait::Signal { .. }))
    })
}

impl Machine {
    /// The steps that wait for a signal, and for which one.
    pub fn awaited(&self) -> impl Iterator<Item = (Key, &SignalId)> {
        self.mailboxes.boxes.iter().flat_map(|(signal, mailbox)| {
            let waiting =
                mailbox.waiting.iter().filter(|(key, epoch)| is_waiting(&self.frames, *key, *epoch));
            waiting.map(move |(key, _)| (*key, signal))
        })
    }

    /// The steps that wait for this one.
    pub fn waiting_for(&self, signal: &SignalId) -> impl Iterator<Item = Key> {
        let waiting = self.mailboxes.boxes.get(signal).into_iter().flat_map(|mailbox| &mailbox.waiting);
        waiting.filter(|(key, epoch)| is_waiting(&self.frames, *key, *epoch)).map(|(key, _)| *key)
    }
}

impl Transition<'_> {
    /// Takes a signal that came earlier, or waits for one.
    pub fn await_signal(&mut self, key: Key, signal: SignalId, until: Option<Timestamp>) {
        self.start_clock(key);
        let epoch = self.next_epoch(key);
        let machine = &mut *self.machine;
        let mailbox = machine.mailboxes.at(&signal, &machine.frames);
        if mailbox.kept > 0 {
            mailbox.kept -= 1;
            self.deliver(key, signal);
            return;
        }
        mailbox.enqueue(key, epoch, &machine.frames);
        self.set(key, StepState::Waiting(Wait::Signal { until }));
        if let Some(at) = until {
            self.act(Action::Timer { key, epoch, at });
        }
    }

    /// A signal came: for the step that is named, or that waits longest, or to
    /// be kept.
    pub fn signalled(&mut self, signal: SignalId, step: Option<Key>) -> Result<(), Refused> {
        let machine = &mut *self.machine;
        let mailbox = machine.mailboxes.at(&signal, &machine.frames);
        if let Some(wanted) = step {
            let is_meant =
                |&(key, epoch): &(Key, u32)| key == wanted && is_waiting(&machine.frames, key, epoch);
            let place = mailbox.waiting.iter().position(is_meant).ok_or(Refused::Unexpected)?;
            mailbox.waiting.remove(place);
            self.next_epoch(wanted);
            self.deliver(wanted, signal);
            return Ok(());
        }
        while let Some((key, epoch)) = mailbox.waiting.pop_front() {
            if is_waiting(&machine.frames, key, epoch) {
                self.next_epoch(key);
                self.deliver(key, signal);
                return Ok(());
            }
        }
        mailbox.kept += 1;
        Ok(())
    }

    fn deliver(&mut self, key: Key, signal: SignalId) {
        self.act(Action::Deliver { key, signal });
        self.succeed(key);
    }
}
