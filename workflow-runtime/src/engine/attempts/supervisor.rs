//! Sees to it that an engine goes on though code does not return: on a thread
//! of its own, since all threads of the runtime may be held by such code.
//!
//! A poll that takes long holds up nothing that others can do: its worker no
//! longer counts, so that another one takes its place. One that does not return
//! by the time at which its attempt has to be over is given up: the run hears
//! of its end, and what it still says is refused.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::engine::attempts::attempt::End;
use crate::engine::attempts::left_behind::Stray;
use crate::engine::attempts::long_polls::{How, Poll};
use crate::engine::attempts::threads::Pools;
use crate::engine::attempts::{attempt, long_polls};
use crate::engine::instance::{After, Inner, RunHost};
use crate::engine::registry::Registry;
use crate::engine::shared::Core;
use crate::engine::time::Timers;
use crate::run::{AttemptEnd, Event, Timestamp};
use crate::task::definition::{Kind, TaskStep};
use crate::view::Stuck;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(200);

/// A poll that takes longer holds up its worker.
const LONG: Duration = Duration::from_millis(200);

/// How long a poll may go on after its attempt had to be over.
const LATE: Duration = Duration::from_millis(200);

/// After which time the program's log is told.
const TOLD: Duration = Duration::from_secs(5);

/// Starts it, for as long as the engine is there. Under a clock that a test
/// steers there is nothing to do: the test itself waits in such a poll.
pub(crate) fn start(core: &Arc<Core>, registry: &Arc<Registry>) -> io::Result<()> {
    if core.clock.is_steered() {
        return Ok(());
    }
    let (pools, timers) = (core.pools.clone(), core.timers.clone());
    let (core, registry) = (Arc::downgrade(core), Arc::downgrade(registry));
    let thread = std::thread::Builder::new().name("workflow-watch".to_owned());
    thread.spawn(move || watch(&core, &registry, &pools, &timers)).map(drop)
}

fn watch(core: &Weak<Core>, registry: &Weak<Registry>, pools: &Arc<Pools>, timers: &Timers) {
    let mut long = Vec::new();
    loop {
        std::thread::sleep(EVERY);
        if core.strong_count() == 0 {
            return;
        }
        pools.staff();
        timers.catch_up(LATE);
        if long.is_empty() && !long_polls::are_under_way() {
            continue;
        }
        // Only now: the last holder of the registry closes the store.
        let (Some(core), Some(registry)) = (core.upgrade(), registry.upgrade()) else { return };
        // Which also has it noticed where the wall clock was set.
        let now = core.clock.steady_of(core.clock.now());
        long.retain(|(host, poll): &(Weak<RunHost>, Poll)| {
            let goes_on = poll.goes_on();
            if let (false, Some(host)) = (goes_on, host.upgrade()) {
                host.poll_returned(poll);
            }
            goes_on
        });
        for poll in long_polls::since_before(Timestamp(now.0.saturating_sub(LONG.as_nanos() as u64))) {
            let Some(host) = registry.at(poll.run) else { continue };
            if !long.iter().any(|(_, known)| known.since == poll.since && known.goes_on()) {
                long.push((Arc::downgrade(&host), poll.clone()));
            }
            // A thread of the runtime that waits for the next time to come may
            // be the one that is held. Another one is woken to do that.
            drop(core.runtime.spawn(std::future::ready(())));
            host.poll_is_long(&poll, now);
        }
    }
}

impl RunHost {
    /// A poll takes long.
    fn poll_is_long(self: &Arc<Self>, poll: &Poll, now: Timestamp) {
        // An expression that does not return has it.
        if self.is_locked() {
            return;
        }
        self.with(|inner, after| {
            // The worker that polls takes the lock before it goes on.
            if !poll.goes_on() || inner.work.left_behind.find(poll.key, poll.epoch).is_some_and(|it| it.stuck.given_up)
            {
                return;
            }
            if inner.work.left_behind.find(poll.key, poll.epoch).is_none() {
                self.note_long(inner, after, poll);
            }
            if now.since(poll.since) > TOLD
                && let Some(stray) = inner.work.left_behind.find(poll.key, poll.epoch)
                && !std::mem::replace(&mut stray.is_told, true)
            {
                let Stuck { step, attempt, .. } = &stray.stuck;
                let what = if poll.how == How::Transaction {
                    "a transaction takes long: until it ends nothing is written to the store"
                } else {
                    "an attempt does not return from its poll and holds a thread of the runtime; \
                     code that computes or blocks for long belongs into a `blocking` task"
                };
                tracing::warn!(parent: &self.span, step, attempt, for_so_long = ?now.since(poll.since), "{what}");
            }
            if let Some(end) = self.overdue(inner, poll, now) {
                self.give_up_poll(inner, after, poll, end);
            }
        });
    }

    fn note_long(self: &Arc<Self>, inner: &mut Inner, after: &mut After, poll: &Poll) {
        let view = inner.run.machine.view(poll.key);
        let stuck = Stuck {
            step: inner.run.machine.path(poll.key).unwrap_or_else(|| self.graph.name.to_owned()),
            attempt: view.map_or(0, |view| view.attempt),
            since: self.core.clock.wall_of(poll.since),
            blocking: false,
            given_up: false,
        };
        let mut stray = Stray::of(&inner.run.frames, poll.key, poll.epoch, stuck);
        if poll.how == How::First {
            stray.uncounted = true;
            inner.work.working -= 1;
            inner.work.back_soon -= usize::from(poll.is_quick);
        }
        inner.work.left_behind.add(stray);
        self.call_workers(inner, after);
    }

    /// A poll that took long has returned. Where its worker does not count it
    /// sees to that itself.
    fn poll_returned(self: &Arc<Self>, poll: &Poll) {
        if self.is_locked() {
            return;
        }
        self.with(|inner, _| {
            let stray = inner.work.left_behind.find(poll.key, poll.epoch);
            if stray.is_some_and(|stray| !stray.uncounted && !stray.stuck.given_up) {
                inner.work.left_behind.remove(poll.key, poll.epoch);
            }
        });
    }

    /// How an attempt ends that has not returned from its poll by the time at
    /// which it has to be over.
    fn overdue(&self, inner: &Inner, poll: &Poll, now: Timestamp) -> Option<End> {
        // What a transaction has done is real, even if the run no longer waits for it.
        if poll.how == How::Transaction {
            return None;
        }
        let is_over = |at: Timestamp| at.after(LATE) <= now;
        let stopped = inner.work.controls.abort_at(poll.key, poll.epoch);
        if stopped.is_some_and(|at| is_over(self.core.clock.steady_at(at))) {
            return Some(End::Dropped);
        }
        if poll.deadline.is_some_and(is_over) {
            return Some(End::DeadlineOver);
        }
        let limit = attempt::timeout(task_of(inner, poll)?, poll.goal)?;
        is_over(poll.began.after(limit)).then_some(End::TimedOut)
    }

    /// The run hears that an attempt is over which does not return.
    fn give_up_poll(self: &Arc<Self>, inner: &mut Inner, after: &mut After, poll: &Poll, end: End) {
        let Some(mut stray) = inner.work.left_behind.remove(poll.key, poll.epoch) else { return };
        stray.stuck.given_up = true;
        let limit = task_of(inner, poll).and_then(|task| attempt::timeout(task, poll.goal));
        let end = match end {
            End::TimedOut => {
                attempt::timed_out(limit.unwrap_or_default(), Some("it does not return from its poll"))
            }
            End::DeadlineOver => attempt::deadline_over(Some("it does not return from its poll")),
            _ => AttemptEnd::Cancelled,
        };
        inner.work.attempts -= 1;
        inner.run.now = self.core.clock.now();
        inner.tell_left_behind(poll.key, poll.epoch, self.core.clock.wall_of(poll.since));
        inner.work.controls.remove(poll.key, poll.epoch);
        self.leave_behind(inner, after, stray);
        let (key, epoch, roll) = (poll.key, poll.epoch, self.core.random.roll());
        self.handle(inner, after, Event::AttemptEnded { key, epoch, end, roll }, None);
        self.call_workers(inner, after);
        after.changed = true;
    }
}

/// The step of a poll, where its region is still open.
fn task_of(inner: &Inner, poll: &Poll) -> Option<&'static TaskStep> {
    match &inner.run.frames.step(poll.key)?.1.kind {
        Kind::Task(task) => Some(task),
        _ => None,
    }
}
