//! The turns of attempts that follow a loss. Where a step ends the process, all
//! that runs beside it is lost with it; so that it is found and the others get
//! through, few such attempts begin at a time, and a step that was lost more
//! often begins alone.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::engine::instance::{After, Inner, RunHost};
use crate::engine::time::limits::Request;
use crate::engine::time::timers::When;
use crate::policy::Policy;
use crate::run::Key;

/// How many attempts may be about to begin at a time: between the commit that
/// says so and the end of their first poll.
const FEW: usize = 64;

/// Lost so often in a row, a step begins alone.
const ALONE: u16 = 3;

/// Whose turn it is, in this engine.
#[derive(Default)]
pub(crate) struct Turns(Mutex<Queues>);

#[derive(Default)]
struct Queues {
    few: Queue,
    alone: Queue,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Request>,
    /// How many have their turn.
    begun: usize,
}

/// How far the turn of an attempt is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It needs none, or has had it.
    None,
    /// It has to ask for one once it has room under its task's limits.
    Needed,
    Asked,
    Has,
}

impl Queue {
    fn next(&mut self, at_most: usize) -> Option<Request> {
        if self.begun >= at_most {
            return None;
        }
        let next = self.waiting.pop_front()?;
        self.begun += 1;
        Some(next)
    }
}

impl Queues {
    fn of(&mut self, losses: u16) -> &mut Queue {
        if losses < ALONE { &mut self.few } else { &mut self.alone }
    }

    /// Those whose turn has come.
    fn come(&mut self) -> Vec<Request> {
        let few = std::iter::from_fn(|| self.few.next(FEW));
        few.chain(std::iter::from_fn(|| self.alone.next(1))).collect()
    }
}

impl Turns {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a turn after so many losses. Gives back those whose turn has
    /// come, to be told once no lock is held.
    fn ask(&self, request: Request, losses: u16) -> Vec<Request> {
        let mut queues = self.lock();
        queues.of(losses).waiting.push_back(request);
        queues.come()
    }

    /// One asks no more. Its turn may have come just now.
    fn withdraw(&self, request: &Request, losses: u16) -> Vec<Request> {
        let mut queues = self.lock();
        let waiting = &mut queues.of(losses).waiting;
        let place = waiting.iter().position(|waiting| waiting == request);
        if place.and_then(|place| waiting.remove(place)).is_some() {
            return Vec::new();
        }
        drop(queues);
        self.give_back(losses)
    }

    /// One has had its turn.
    fn give_back(&self, losses: u16) -> Vec<Request> {
        let mut queues = self.lock();
        let queue = queues.of(losses);
        queue.begun = queue.begun.saturating_sub(1);
        queues.come()
    }
}

impl RunHost {
    /// Asks for the turn of an attempt that has room, where it needs one.
    /// Whether it does.
    pub(crate) fn ask_turn(
        self: &Arc<Self>,
        inner: &mut Inner,
        after: &mut After,
        key: Key,
        epoch: u32,
    ) -> bool {
        let Some(room) = inner.work.room.get_mut(&(key, epoch)).filter(|room| room.turn == Turn::Needed)
        else {
            return false;
        };
        room.turn = Turn::Asked;
        let request = Request { host: self.clone(), key, epoch };
        after.rare().turns.extend(self.core.turns.ask(request, room.losses));
        true
    }

    /// Its turn has come. Whether it still wants it.
    pub(crate) fn take_turn(self: &Arc<Self>, inner: &mut Inner, key: Key, epoch: u32) -> bool {
        let room = inner.work.room.get_mut(&(key, epoch)).filter(|room| room.turn == Turn::Asked);
        if let Some(room) = room {
            room.turn = Turn::Has;
            return true;
        }
        false
    }

    /// An attempt has come back from its first poll and waits: by now it would
    /// have ended its process, if it does so at once. One that has its turn
    /// alone keeps it for as long as it had to wait before.
    pub(crate) fn pass_turn(self: &Arc<Self>, inner: &mut Inner, after: &mut After, key: Key, epoch: u32) {
        let Some(room) = inner.work.room.get_mut(&(key, epoch)).filter(|room| room.turn == Turn::Has) else {
            return;
        };
        let keeps = Policy::after_losses(room.losses, 0.5);
        if keeps == Duration::ZERO {
            return self.end_turn(inner, after, key, epoch);
        }
        let host = Arc::downgrade(self);
        let due = move |_| {
            if let Some(host) = host.upgrade() {
                host.with(|inner, after| {
                    if let Some(room) = inner.work.room.get_mut(&(key, epoch)) {
                        room.timer = None;
                    }
                    host.end_turn(inner, after, key, epoch);
                });
            }
        };
        let at = When::Passed(tokio::time::Instant::now() + keeps);
        room.timer = Some(self.core.timers.add(at, Box::new(due)));
    }

    /// The turn of an attempt is over, or it wants none any more.
    pub(crate) fn end_turn(self: &Arc<Self>, inner: &mut Inner, after: &mut After, key: Key, epoch: u32) {
        let Some(room) = inner.work.room.get_mut(&(key, epoch)) else { return };
        let losses = room.losses;
        if let Some(timer) = room.timer.take() {
            self.core.timers.remove(timer);
        }
        match std::mem::replace(&mut room.turn, Turn::None) {
            Turn::None | Turn::Needed => {}
            Turn::Asked => {
                let request = Request { host: self.clone(), key, epoch };
                after.rare().turns.extend(self.core.turns.withdraw(&request, losses));
            }
            Turn::Has => after.rare().turns.extend(self.core.turns.give_back(losses)),
        }
    }
}
