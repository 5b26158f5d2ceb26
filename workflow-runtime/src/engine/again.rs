//! Runs that could not be read back because their store failed just then:
//! read again, and again, until that has passed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::core::Core;
use super::recovery;
use super::registry::{Known, Registry};
use super::timers::When;
use crate::store::StoreError;

/// How long to wait before a run is read again: twice as long each time.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);

/// The runs that are to be read again, by id.
#[derive(Default)]
pub(crate) struct Again(Mutex<HashMap<String, Tries>>);

#[derive(Default)]
struct Tries {
    /// How often it could not be read.
    failed: u32,
    /// Whether the next try is planned. Somebody else may try before.
    planned: bool,
}

impl Again {
    /// Counts a failure, and says how long to wait, unless a try is planned.
    fn plan(&self, id: &str) -> Option<Duration> {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tries = runs.entry(id.to_owned()).or_default();
        if std::mem::replace(&mut tries.planned, true) {
            return None;
        }
        let doubled = FIRST.saturating_mul(2_u32.saturating_pow(tries.failed));
        tries.failed = tries.failed.saturating_add(1);
        Some(doubled.min(LONGEST))
    }

    fn begin(&self, id: &str) {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tries) = runs.get_mut(id) {
            tries.planned = false;
        }
    }

    /// The run was read, or will never be.
    pub(super) fn over(&self, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

/// Has a run read again some time later.
pub(super) fn later(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    known: &Arc<Known>,
    id: &str,
    error: &StoreError,
) {
    let Some(delay) = core.again.plan(id) else { return };
    tracing::warn!(run = id, %error, ?delay, "an unfinished run cannot be read; it is tried again");
    let (core_there, registry_there) = (Arc::downgrade(core), Arc::downgrade(registry));
    let (known, id) = (known.clone(), id.to_owned());
    let due = move |_| {
        let (Some(core), Some(registry)) = (core_there.upgrade(), registry_there.upgrade()) else { return };
        let Some(store) = core.store.clone() else { return };
        let there = core.clone();
        // Reads the store, so not on a thread of the runtime's.
        drop(core.pools.run_ours(move || {
            there.again.begin(&id);
            recovery::recover_one(&there, &registry, &store, &known, &id, Duration::ZERO);
        }));
    };
    core.timers.add(When::Passed(Instant::now() + delay), Box::new(due));
}
