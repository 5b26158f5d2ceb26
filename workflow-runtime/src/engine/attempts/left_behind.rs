//! Code that does not return: of an attempt that is over, since it cannot
//! be stopped from outside, or of a poll that takes so long that its worker no
//! longer counts as one.
//!
//! What it was given room for stays taken until it has really returned: the
//! `concurrency` of its task, and its place in a `for` with a `#[limit]`.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use tokio::time::Instant;

use crate::engine::attempts::worker::{Goal, Ready};
use crate::engine::instance::{After, Inner, RunHost};
use crate::execution::frames::Frames;
use crate::journal::StoredEvent;
use crate::run::{Key, StepState, Timestamp};
use crate::store::Entry;
use crate::task::definition::Kind;
use crate::view::Stuck;

/// Code that does not return.
pub(crate) struct Stray {
    pub(crate) key: Key,
    pub(crate) epoch: u32,
    pub(crate) stuck: Stuck,
    /// Whether the worker that polls it no longer counts as one that does.
    pub(crate) uncounted: bool,
    /// Whether the program's log has been told.
    pub(crate) is_told: bool,
    /// The `for`s with a limit that it is in.
    within: Vec<(Key, u32)>,
}

/// The code of a run that does not return, and what waits for it to.
#[derive(Default)]
pub(crate) struct LeftBehind {
    strays: Vec<Stray>,
    /// Attempts that may start once there is room in their `for` again.
    held: Vec<Ready>,
}

impl LeftBehind {
    pub(crate) fn find(&mut self, key: Key, epoch: u32) -> Option<&mut Stray> {
        self.strays.iter_mut().find(|stray| stray.key == key && stray.epoch == epoch)
    }

    pub(crate) fn remove(&mut self, key: Key, epoch: u32) -> Option<Stray> {
        let place = self.strays.iter().position(|stray| stray.key == key && stray.epoch == epoch)?;
        Some(self.strays.swap_remove(place))
    }

    pub(crate) fn add(&mut self, stray: Stray) {
        self.strays.push(stray);
    }

    pub(crate) fn stuck(&self) -> impl Iterator<Item = &Stuck> {
        self.strays.iter().map(|stray| &stray.stuck)
    }

    /// Whether attempts wait for code to return.
    pub(crate) fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Lets go of the attempts that wait.
    pub(crate) fn release(&mut self) -> impl Iterator<Item = Ready> + '_ {
        self.held.drain(..)
    }
}

impl Stray {
    /// Of a step whose frame may have been closed meanwhile.
    pub(crate) fn of(frames: &Frames, key: Key, epoch: u32, stuck: Stuck) -> Self {
        let within = limited(frames, key);
        Self { key, epoch, stuck, uncounted: false, is_told: false, within }
    }
}

/// The `for`s with a limit that a step is in, each with the number of the item.
fn limited(frames: &Frames, key: Key) -> Vec<(Key, u32)> {
    let mut around = Vec::new();
    let mut next = frames.get(key.frame);
    while let Some((frame, parent)) = next.and_then(|frame| Some((frame, frame.parent?))) {
        next = frames.get(parent.frame);
        let step = next.and_then(|frame| frame.scope.step(parent.step));
        if let Some(Kind::Map { limit: Some(_), .. }) = step.map(|step| &step.kind) {
            around.push((parent, frame.scope.index));
        }
    }
    around
}

impl Inner {
    /// Whether an attempt has to wait, since code that was left behind has the
    /// place in a `for` with a limit that it would take. It is kept until that
    /// returns.
    pub(crate) fn hold_back(&mut self, ready: &Ready) -> bool {
        // An undo has no place in the `for`: it is not one of its items.
        if self.work.left_behind.strays.is_empty() || ready.goal != Goal::Do {
            return false;
        }
        let full = limited(&self.run.frames, ready.key).into_iter().any(|(over, item)| {
            let strays = self.work.left_behind.strays.iter().filter(|stray| stray.stuck.given_up);
            let strays = strays.filter(|stray| stray.within.iter().any(|(of, _)| *of == over)).count();
            strays > 0 && self.items_at_work(over, item) + strays > self.limit_of(over)
        });
        if full {
            self.work.left_behind.held.push(*ready);
        }
        full
    }

    fn limit_of(&self, over: Key) -> usize {
        match self.run.frames.step(over).map(|(_, step)| &step.kind) {
            Some(Kind::Map { limit: Some(limit), .. }) => *limit as usize,
            _ => usize::MAX,
        }
    }

    /// How many items of a `for` have attempts under way, this one counted.
    fn items_at_work(&self, over: Key, item: u32) -> usize {
        let waits: HashSet<Key> =
            self.work.ready.iter().chain(&self.work.left_behind.held).map(|ready| ready.key).collect();
        let at_work = self.run.machine.steps().filter(|view| {
            view.state == StepState::Running
                && matches!(view.step.kind, Kind::Task(task) if task.task.child.is_none())
                && !waits.contains(&view.key)
        });
        let items = at_work.flat_map(|view| limited(&self.run.frames, view.key));
        let mut items: HashSet<u32> = items.filter(|(of, _)| *of == over).map(|(_, item)| item).collect();
        items.insert(item);
        items.len()
    }

    /// Tells the journal that the code of an attempt goes on which is about to
    /// end, for those who read the run's history later.
    pub(crate) fn tell_left_behind(&mut self, key: Key, epoch: u32, since: Timestamp) {
        if self.end.is_none()
            && !self.run.machine.run_state().is_ended()
            && self.run.frames.get(key.frame).is_some()
        {
            let event = crate::journal::text(&StoredEvent::left_behind(key, epoch, since));
            self.uncommitted.entries.push(Entry {
                at: self.run.now,
                event,
                value: None,
                changes: Vec::new(),
            });
        }
    }
}

impl RunHost {
    /// The code of an attempt that was over has returned: what it held is free.
    pub(crate) fn returned(self: &Arc<Self>, inner: &mut Inner, after: &mut After, stray: &Stray) {
        inner.work.controls.remove(stray.key, stray.epoch);
        self.release(inner, after, stray.key, stray.epoch);
        self.core.left_behind.fetch_sub(1, Ordering::Relaxed);
        let Stuck { step, attempt, .. } = &stray.stuck;
        tracing::info!(parent: &self.span, step, attempt, "code that was left behind has returned");
        let held: Vec<Ready> = inner.work.left_behind.release().collect();
        inner.work.ready.extend(held);
        self.call_workers(inner, after);
        // It may be all that kept the run from its rows.
        after.asleep = self.is_asleep(inner);
    }

    /// The thread of an attempt that was over has come to its end.
    pub(crate) fn thread_returned(self: &Arc<Self>, key: Key, epoch: u32) {
        self.with(|inner, after| {
            if let Some(stray) = inner.work.left_behind.remove(key, epoch) {
                self.returned(inner, after, &stray);
            }
        });
    }

    /// An attempt is over, and its code is not. It is asked to stop, in case it
    /// ever asks whether it should.
    pub(crate) fn leave_behind(&self, inner: &mut Inner, after: &mut After, stray: Stray) {
        self.core.left_behind.fetch_add(1, Ordering::Relaxed);
        let Stuck { step, attempt, blocking, .. } = &stray.stuck;
        let what = match blocking {
            true => "blocking code cannot be stopped: its attempt is over, its thread goes on to its end",
            false => {
                "an attempt does not return from its poll: it is given up, its thread of the runtime is held"
            }
        };
        let all = self.core.left_behind.load(Ordering::Relaxed);
        tracing::warn!(parent: &self.span, step, attempt, all, "{what}");
        self.stop(inner, after, stray.key, stray.epoch, Some(Instant::now()));
        inner.work.left_behind.add(stray);
    }
}

/// The code of a `blocking` attempt, as its thread and its worker see it.
pub(crate) struct Code {
    state: AtomicU8,
    began: AtomicU64,
    pub(crate) step: String,
    pub(crate) attempt: u32,
}

const QUEUED: u8 = 0;
const BEGUN: u8 = 1;
const ENDED: u8 = 2;
const WITHDRAWN: u8 = 3;
const LEFT: u8 = 4;

impl Code {
    pub(crate) fn new(step: String, attempt: u32) -> Self {
        Self { state: AtomicU8::new(QUEUED), began: AtomicU64::new(0), step, attempt }
    }

    /// Its thread has come to it. False where the engine does not want it any more.
    pub(crate) fn begin(&self, now: Timestamp) -> bool {
        self.began.store(now.0, Ordering::Relaxed);
        self.change(QUEUED, BEGUN)
    }

    /// It has returned. True where it had been left behind.
    pub(crate) fn end(&self) -> bool {
        !self.change(BEGUN, ENDED)
    }

    /// Keeps it from beginning. False where it is too late.
    pub(crate) fn withdraw(&self) -> bool {
        self.change(QUEUED, WITHDRAWN)
    }

    /// Leaves it to itself, and says since when it has run. `None` where it has
    /// returned.
    pub(crate) fn leave(&self) -> Option<Timestamp> {
        self.change(BEGUN, LEFT).then(|| Timestamp(self.began.load(Ordering::Relaxed)))
    }

    fn change(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}
