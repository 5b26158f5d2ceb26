//! What takes long and is in no hurry: removing runs that ended long ago, and
//! giving back the room that they have left. It is done in small pieces
//! between the commits, each a transaction that does not wait for the disk, and
//! has a small share of the thread's time while there is anything else to do.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::group::{self, Failed};
use super::job::{Job, Pending};
use super::late::Late;
use crate::store::sqlite::apply::{Remove, Tables};
use crate::store::sqlite::space;
use crate::store::{Done, StoreError};

/// How long a piece may take: what a commit may have to wait for it.
const PIECE: Duration = Duration::from_millis(1);

/// How many runs or pages a piece has at most.
const LARGEST: usize = 128;

/// For how many times as long as a piece took there is none, while commits
/// come.
const SHARE: u32 = 6;

/// They do not after none has come for that long.
const IDLE: Duration = Duration::from_millis(200);

/// How long there is none at most: the piece that fills the log waits for the disk, and
/// that is no more its own work than that of the commits before it.
const PAUSE: Duration = Duration::from_millis(30);

/// How long there is none after one has failed.
const AGAIN: Duration = Duration::from_secs(1);

/// Runs that are to be removed, and the caller that waits for that.
pub(super) struct Removal {
    pub(super) remove: Remove,
    pub(super) removed: usize,
    /// `None` once called.
    pub(super) done: Option<Done<Result<usize, StoreError>>>,
}

impl Removal {
    fn finish(mut self, result: Result<usize, StoreError>) {
        self.tell(result);
    }

    fn tell(&mut self, result: Result<usize, StoreError>) {
        if let Some(done) = self.done.take() {
            done(result);
        }
    }
}

/// Everyone who asked is answered, also when the store is closed meanwhile.
impl Drop for Removal {
    fn drop(&mut self) {
        self.tell(Err(StoreError::Closed));
    }
}

pub(super) struct Chores {
    removals: VecDeque<Removal>,
    /// Whether there may be room to give back.
    room: bool,
    due: Option<Instant>,
    /// How many runs or pages the next piece has.
    size: usize,
    /// When something else was done last.
    busy: Instant,
}

impl Chores {
    /// A process may have died before it had given back all room.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { removals: VecDeque::new(), room: true, due: Some(now), size: 1, busy: now }
    }

    pub(super) fn push(&mut self, removal: Removal) {
        self.removals.push_back(removal);
        self.due.get_or_insert_with(Instant::now);
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Something else is being done.
    pub(super) fn is_busy(&mut self) {
        self.busy = Instant::now();
    }

    /// Does a piece, if it is time to.
    pub(super) fn see_to(&mut self, tables: &mut Tables<'_>, late: &mut Late) {
        let began = Instant::now();
        if late.is_stalled() || self.due.is_none_or(|due| due > began) {
            return;
        }
        let result = match self.removals.front_mut() {
            Some(_) => self.remove(tables),
            None => self.give_back(tables),
        };
        let took = began.elapsed();
        self.size = match took {
            took if took > PIECE => (self.size / 2).max(1),
            took if took < PIECE / 2 => (self.size * 2).min(LARGEST),
            _ => self.size,
        };
        let pause = match result {
            Ok(()) if self.busy.elapsed() > IDLE => Duration::ZERO,
            Ok(()) => (took * SHARE).min(PAUSE),
            Err(error) => {
                if error.is_passing() {
                    late.failed(&error);
                }
                AGAIN
            }
        };
        let left = self.room || !self.removals.is_empty();
        self.due = left.then(|| Instant::now() + pause);
    }

    fn remove(&mut self, tables: &mut Tables<'_>) -> Result<(), StoreError> {
        let Some(removal) = self.removals.front_mut() else { return Ok(()) };
        let at_most = self.size.min(removal.remove.at_most - removal.removed);
        let piece = Remove { at_most, ..removal.remove };
        let outcome = Arc::new(Mutex::new(Ok(0)));
        let there = outcome.clone();
        let done = move |result| *there.lock().unwrap_or_else(PoisonError::into_inner) = result;
        let mut job: Box<dyn Job> = Box::new(Pending::new(piece, Box::new(done)));
        let written = group::write_relaxed(tables, std::slice::from_mut(&mut job));
        job.answer(written.map_err(Failed::into_error));
        let removed = outcome.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let ends = match &removed {
            Ok(removed) => {
                removal.removed += removed;
                *removed < at_most || removal.removed == removal.remove.at_most
            }
            Err(_) => true,
        };
        if ends && let Some(removal) = self.removals.pop_front() {
            self.room = true;
            // Their values go once nothing brings the runs back.
            let durable = if tables.has_garbage() { group::probe(tables) } else { Ok(()) };
            let all = removal.removed;
            removal.finish(removed.clone().and(durable).map(|()| all));
        }
        removed.map(drop)
    }

    fn give_back(&mut self, tables: &mut Tables<'_>) -> Result<(), StoreError> {
        tables.wait_for_disk(false)?;
        self.room = space::give_back(tables.path(), tables.conn, self.size)?;
        Ok(())
    }
}
