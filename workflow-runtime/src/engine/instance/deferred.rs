//! What is left to do once a run's lock is released: others are told, workers
//! are spawned, and what has destructors of the user's is dropped.

use std::sync::Arc;
use std::task::Waker;

use crate::engine::instance::host::{Inner, RunHost};
use crate::engine::instance::waiters::Waiters;
use crate::engine::recover::{is_well, reload_stopped};
use crate::engine::time::{Request, tell_granted, tell_turns};
use crate::execution::frames::Frame;
use crate::value::Value;

/// What is left to do once the run's lock is released.
#[derive(Default)]
pub(crate) struct After {
    /// Values whose destructors are the user's.
    pub(crate) garbage: Vec<Frame>,
    /// What most changes have nothing of.
    pub(crate) rare: Option<Box<Rare>>,
    /// Who awaits the run's end, which has come.
    pub(crate) awaiting: Waiters,
    pub(crate) changed: bool,
    pub(crate) ended: bool,
    /// Whether the run sleeps and may be left to its rows.
    pub(crate) asleep: bool,
    /// Workers to spawn.
    pub(crate) workers: usize,
    /// Whether tasks of the runtime were woken, for a worker that goes on.
    pub(crate) woke: bool,
}

/// What is seldom left to do.
#[derive(Default)]
pub(crate) struct Rare {
    /// Those that have room.
    pub(crate) granted: Vec<Request>,
    /// Those whose turn has come.
    pub(crate) turns: Vec<Request>,
    pub(crate) wakers: Vec<Waker>,
    pub(crate) values: Vec<Value>,
    /// Whether a run that had to be read back has committed something.
    pub(crate) came_back: bool,
}

impl After {
    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}

impl RunHost {
    /// Changes the run, and does afterwards what must not be done under its
    /// lock.
    #[inline]
    pub(crate) fn with<T>(self: &Arc<Self>, change: impl FnOnce(&mut Inner, &mut After) -> T) -> T {
        self.with_after(&mut After::default(), change)
    }

    /// The same, for a caller that does so again and again.
    #[inline]
    pub(crate) fn with_after<T>(
        self: &Arc<Self>,
        after: &mut After,
        change: impl FnOnce(&mut Inner, &mut After) -> T,
    ) -> T {
        let mut inner = self.lock();
        let result = change(&mut inner, after);
        after.changed = after.changed && std::mem::take(&mut inner.watched);
        if self.journal.is_some() {
            let sealed = self.seal(&mut inner);
            drop(inner);
            self.send(sealed);
        } else {
            drop(inner);
        }
        self.settle(after);
        result
    }

    /// Does what is left to do; nothing is, then.
    #[inline]
    pub(crate) fn settle(self: &Arc<Self>, after: &mut After) {
        after.woke |= after.workers > 0 || after.rare.is_some() || after.changed;
        for _ in 0..std::mem::take(&mut after.workers) {
            self.spawn_worker();
        }
        after.garbage.drain(..).for_each(crate::panics::discard);
        let (granted, turns) = after.rare.take().map_or_else(Default::default, |rare| {
            let Rare { granted, turns, wakers, values, came_back } = *rare;
            if came_back {
                is_well(&self.core, &self.id);
            }
            wakers.into_iter().for_each(Waker::wake);
            values.into_iter().for_each(crate::panics::discard);
            (granted, turns)
        });
        if std::mem::take(&mut after.ended) {
            if let Some(registry) = self.core.registry.upgrade() {
                registry.forget(self);
                reload_stopped(&self.core, &registry, self);
            }
            std::mem::take(&mut after.awaiting).wake();
        }
        if std::mem::take(&mut after.changed) {
            self.changed.notify_waiters();
        }
        if std::mem::take(&mut after.asleep) {
            self.leave();
        }
        if !granted.is_empty() {
            tell_granted(granted);
        }
        if !turns.is_empty() {
            tell_turns(turns);
        }
    }
}
