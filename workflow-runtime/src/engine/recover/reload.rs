//! Runs whose store failed just then: read back, and again and again, until
//! that has passed. Some could not be read; of others the store did not take
//! what they had decided, so nothing of that counts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::instance::{RunEnd, RunHost, Stop};
use crate::engine::recover::recovery;
use crate::engine::registry::{Known, Passing, Registry};
use crate::engine::shared::Core;
use crate::engine::time::When;
use crate::store::StoreError;

/// How long to wait before a run is read again: twice as long each time.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);

/// How long to wait for attempts of a run that has stopped.
const STOPPING: Duration = Duration::from_millis(100);

/// The runs that are to be read again, by id.
#[derive(Default)]
pub(crate) struct Again(Mutex<Table>);

#[derive(Default)]
struct Table {
    runs: HashMap<String, Tries>,
    /// Whether it was told that there are such.
    told: bool,
}

#[derive(Default)]
struct Tries {
    /// How often the store has failed since it last took something of it.
    failed: u32,
    /// Whether the next try is planned. A caller may try before.
    planned: bool,
    /// Whether it had gone on here, so that its attempts ended in good order.
    stopped: bool,
}

impl Again {
    /// Counts a failure, and says how long to wait, unless a try is planned.
    fn plan(&self, registry: &Registry, id: &str, error: &StoreError, stopped: bool) -> Option<Duration> {
        let mut table = self.lock();
        let tries = table.runs.entry(id.to_owned()).or_default();
        tries.stopped |= stopped;
        if std::mem::replace(&mut tries.planned, true) {
            return None;
        }
        let doubled = FIRST.saturating_mul(2_u32.saturating_pow(tries.failed));
        tries.failed = tries.failed.saturating_add(1);
        // Once, and not for each of what may be very many.
        if !std::mem::replace(&mut table.told, true) {
            tracing::warn!(run = id, %error, "the store has failed: runs stop, and are read back until they can go on");
            registry.tell(|| Passing::Trouble { error: error.clone() });
        }
        Some(doubled.min(LONGEST))
    }

    fn begin(&self, id: &str) {
        if let Some(tries) = self.lock().runs.get_mut(id) {
            tries.planned = false;
        }
    }

    /// Whether the run had gone on here, and is about to again.
    pub(crate) fn has_stopped(&self, id: &str) -> bool {
        self.lock().runs.get(id).is_some_and(|tries| tries.stopped)
    }

    /// The run is read. One that had stopped has yet to commit something: it
    /// may stop again.
    pub(crate) fn read(&self, registry: &Registry, id: &str) {
        if !self.has_stopped(id) {
            self.over(registry, id);
        }
    }

    /// The run goes on, or will never.
    pub(crate) fn over(&self, registry: &Registry, id: &str) {
        let mut table = self.lock();
        table.runs.remove(id);
        if table.runs.is_empty() {
            table.runs = HashMap::new();
            if std::mem::take(&mut table.told) {
                tracing::info!("the store is well again: all runs that had stopped go on");
                registry.tell(|| Passing::Well);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has a run read again some time later.
pub(crate) fn later(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    known: &Arc<Known>,
    id: &str,
    error: &StoreError,
) {
    let Some(delay) = core.again.plan(registry, id, error, false) else { return };
    plan(core, registry, known.clone(), id.to_owned(), None, delay);
}

/// Has a run read back that has stopped because its store failed, if it has.
pub(crate) fn stopped(core: &Arc<Core>, registry: &Arc<Registry>, host: &Arc<RunHost>) {
    let inner = host.lock();
    let Some(RunEnd::Unstored(error)) = inner.end.clone().filter(|_| inner.stop == Stop::ForNow) else {
        return;
    };
    drop(inner);
    let planned = registry.known(host.graph.name).and_then(|known| {
        let delay = core.again.plan(registry, &host.id, &error, true)?;
        plan(core, registry, known, host.id.clone(), Some(host.clone()), delay);
        Some(())
    });
    if planned.is_none() {
        host.stop_for_good();
    }
}

/// Something of it was committed since it was read back.
pub(crate) fn is_well(core: &Core, id: &str) {
    if let Some(registry) = core.registry.upgrade() {
        core.again.over(&registry, id);
    }
}

fn plan(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    known: Arc<Known>,
    id: String,
    stopped: Option<Arc<RunHost>>,
    delay: Duration,
) {
    let (core_there, registry_there) = (Arc::downgrade(core), Arc::downgrade(registry));
    let due = move |_| {
        let (Some(core), Some(registry)) = (core_there.upgrade(), registry_there.upgrade()) else {
            return stopped.iter().for_each(|host| host.stop_for_good());
        };
        let Some(store) = core.store.clone() else { return };
        let there = core.clone();
        if let Some(host) = &stopped {
            let mut inner = host.lock();
            if inner.stop != Stop::ForNow {
                return;
            }
            // Two attempts of a step at a time would be one too many; those
            // that cannot be stopped are not waited for longer than elsewhere.
            let since = inner.ended_at.unwrap_or_default();
            if inner.work.attempts > 0 && core.clock.now().since(since) < delay + core.grace {
                drop(inner);
                return plan(&core, &registry, known, id, stopped, STOPPING);
            }
            inner.stop = Stop::Over;
        }
        // Reads the store, so not on a thread of the runtime's.
        drop(core.pools.run_ours(move || {
            there.again.begin(&id);
            recovery::recover_one(&there, &registry, &store, &known, &id, Duration::ZERO);
        }));
    };
    core.timers.add(When::Passed(Instant::now() + delay), Box::new(due));
}
