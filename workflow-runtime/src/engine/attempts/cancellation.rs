//! Who was asked to stop, and how to reach them.

use std::collections::HashMap;
use std::task::Waker;

use tokio::time::Instant;

use crate::run::Key;

/// The attempts of a run that were asked to stop or have something to wake.
/// An attempt that ends without ever waiting never has an entry.
#[derive(Default)]
pub(crate) struct Controls {
    attempts: HashMap<(Key, u32), Control>,
    /// Set for every attempt at once when the engine shuts down.
    everything: bool,
}

#[derive(Default)]
struct Control {
    stopped: bool,
    /// From when on the attempt's future is dropped.
    abort_at: Option<Instant>,
    /// Polls the attempt, which then sees `abort_at`.
    worker: Option<Waker>,
    /// The task's own `cancelled().await`s.
    waiting: Vec<Waker>,
}

impl Controls {
    /// Asks an attempt to stop, and to be dropped at `abort_at` if given.
    /// The caller, which holds the lock, wakes the wakers once it is released.
    pub(crate) fn stop(&mut self, key: Key, epoch: u32, abort_at: Option<Instant>) -> Vec<Waker> {
        let control = self.attempts.entry((key, epoch)).or_default();
        control.stop(abort_at)
    }

    /// Drops every attempt now.
    pub(crate) fn stop_everything(&mut self, now: Instant) -> Vec<Waker> {
        self.everything = true;
        self.attempts.values_mut().flat_map(|control| control.stop(Some(now))).collect()
    }

    pub(crate) fn is_stopped(&self, key: Key, epoch: u32) -> bool {
        self.everything || self.attempts.get(&(key, epoch)).is_some_and(|control| control.stopped)
    }

    /// From when on an attempt's future is dropped.
    pub(crate) fn abort_at(&self, key: Key, epoch: u32) -> Option<Instant> {
        self.attempts.get(&(key, epoch)).and_then(|control| control.abort_at)
    }

    /// Asks to be woken once the attempt is stopped.
    pub(crate) fn await_stop(&mut self, key: Key, epoch: u32, waker: &Waker) {
        let waiting = &mut self.attempts.entry((key, epoch)).or_default().waiting;
        if !waiting.iter().any(|known| known.will_wake(waker)) {
            waiting.push(waker.clone());
        }
    }

    /// Registers the worker that polls an attempt, and says when to drop it.
    pub(crate) fn attend(&mut self, key: Key, epoch: u32, waker: &Waker, now: Instant) -> Option<Instant> {
        let control = self.attempts.entry((key, epoch)).or_default();
        control.worker = Some(waker.clone());
        if self.everything { Some(now) } else { control.abort_at }
    }

    #[inline]
    pub(crate) fn remove(&mut self, key: Key, epoch: u32) {
        if !self.attempts.is_empty() {
            self.attempts.remove(&(key, epoch));
        }
    }
}

impl Control {
    fn stop(&mut self, abort_at: Option<Instant>) -> Vec<Waker> {
        self.stopped = true;
        let earlier = [self.abort_at, abort_at].into_iter().flatten().min();
        let mut wakers = std::mem::take(&mut self.waiting);
        if earlier != self.abort_at {
            self.abort_at = earlier;
            wakers.extend(self.worker.clone());
        }
        wakers
    }
}
