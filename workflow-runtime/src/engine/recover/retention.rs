//! Runs that ended long ago are removed, a few at a time.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::shared::Core;
use crate::engine::time::When;
use crate::run::Timestamp;
use crate::store::{Store, StoreError};

/// How often the store is looked through.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// How many runs are removed at a time. The store makes small pieces of it.
const AT_A_TIME: usize = 200;

/// How many results are.
const FEW: usize = 20;

/// Starts to remove runs that ended longer ago than `time`, and results that
/// may not be used any more.
pub(crate) fn keep(core: &Arc<Core>, time: Duration) {
    let core_there = Arc::downgrade(core);
    core.timers.add(When::Passed(Instant::now()), Box::new(move |_| due(&core_there, time)));
}

fn due(core: &Weak<Core>, time: Duration) {
    let Some(core) = core.upgrade() else { return };
    let Some(store) = core.store.clone() else { return };
    let now = core.clock.now();
    let core_there = Arc::downgrade(&core);
    core.timers.add(When::Passed(Instant::now() + EVERY), Box::new(move |_| due(&core_there, time)));
    let sweep = move || match remove(&*store, now, time) {
        Ok(0) | Err(StoreError::Closed) => {}
        Ok(runs) => tracing::info!(runs, "runs that ended long ago were removed"),
        Err(error) => tracing::warn!(%error, "runs that ended long ago could not be removed"),
    };
    drop(core.pools.run_ours(sweep));
}

fn remove(store: &dyn Store, now: Timestamp, time: Duration) -> Result<usize, StoreError> {
    let before = Timestamp(now.0.saturating_sub(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)));
    let mut removed = 0;
    loop {
        let some = store.remove_ended_before(before, AT_A_TIME)?;
        removed += some;
        if some < AT_A_TIME {
            break;
        }
    }
    loop {
        let began = std::time::Instant::now();
        if store.forget(now, FEW)? < FEW {
            return Ok(removed);
        }
        // Leaves the store to others in between.
        std::thread::sleep(began.elapsed() * 4);
    }
}
