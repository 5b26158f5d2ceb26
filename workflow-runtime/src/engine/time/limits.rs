//! The limits of all tasks of an engine: one [`Limiter`] per task name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::engine::instance::RunHost;
use crate::engine::shared::Core;
use crate::engine::time::limiter::Limiter;
use crate::engine::time::timers::When;
use crate::run::{Key, Timestamp};
use crate::task::definition::TaskDef;

/// A step that asks for room.
pub(crate) struct Request {
    pub(crate) host: Arc<RunHost>,
    pub(crate) key: Key,
    pub(crate) epoch: u32,
}

impl PartialEq for Request {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.host, &other.host) && self.key == other.key && self.epoch == other.epoch
    }
}

/// A caller that changes a limit gets back the requests that have room now, to tell
/// their runs once no lock is held: a run's lock may be held while a limit is
/// asked, so the other direction would be a deadlock.
#[derive(Default)]
pub(crate) struct Limits(Mutex<HashMap<&'static str, Limiter<Request>>>);

impl Limits {
    pub(crate) fn acquire(&self, core: &Arc<Core>, task: &TaskDef, request: Request) -> Vec<Request> {
        let mut limits = self.lock();
        let limiter = limits.entry(task.name).or_insert_with(|| Limiter::new(task.concurrency, task.rate));
        limiter.request(request);
        grant(limiter, core, core.clock.steady())
    }

    /// Takes room back, or the request where it was not granted yet.
    pub(crate) fn release(&self, core: &Arc<Core>, task: &str, request: &Request) -> Vec<Request> {
        let mut limits = self.lock();
        let Some(limiter) = limits.get_mut(task) else { return Vec::new() };
        if !limiter.withdraw(request) {
            limiter.release();
        }
        grant(limiter, core, core.clock.steady())
    }

    /// Who has room now that time has gone by.
    fn elapsed(&self, core: &Arc<Core>) -> Vec<Request> {
        let now = core.clock.steady();
        self.lock().values_mut().flat_map(|limiter| grant(limiter, core, now)).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<&'static str, Limiter<Request>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves a limit's queue, and comes back when time makes more room.
fn grant(limiter: &mut Limiter<Request>, core: &Arc<Core>, now: Timestamp) -> Vec<Request> {
    let granted = std::iter::from_fn(|| limiter.grant(now)).collect();
    if let Some(at) = limiter.next_grant(now) {
        let core_of_timer = Arc::downgrade(core);
        core.timers.add(
            When::Passed(core.clock.steady_instant(at)),
            Box::new(move |_| tell_elapsed(&core_of_timer)),
        );
    }
    granted
}

fn tell_elapsed(core: &Weak<Core>) {
    if let Some(core) = core.upgrade() {
        tell(core.limits.elapsed(&core));
    }
}

/// Tells the runs whose requests have room. Those that follow a loss also wait
/// for their turn.
pub(crate) fn tell(granted: Vec<Request>) {
    for Request { host, key, epoch } in granted {
        let waits = host.with(|inner, after| host.ask_turn(inner, after, key, epoch));
        if !waits {
            host.grant(key, epoch);
        }
    }
}

/// Tells the runs whose turn has come.
pub(crate) fn tell_turns(turns: Vec<Request>) {
    for Request { host, key, epoch } in turns {
        if host.with(|inner, _| host.take_turn(inner, key, epoch)) {
            host.grant(key, epoch);
        }
    }
}
