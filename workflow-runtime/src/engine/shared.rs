//! What all runs of an engine share.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::engine::attempts::{Paces, Pools, Results};
use crate::engine::commit::Health;
use crate::engine::instance::Spares;
use crate::engine::recover::{Again, Sleepers};
use crate::engine::registry::Registry;
use crate::engine::schedules::Backfills;
use crate::engine::time::{Clock, Limits, Random, Timers, Turns, When};
use crate::error::{Error, Result};
use crate::resources::Resources;
use crate::store::{Store, StoreError};
use crate::task::Shared;

/// What all runs of an engine share. A run holds it, and not the engine, so
/// that a run goes on when the last [`Engine`](crate::engine::Engine) is dropped.
pub(crate) struct Core {
    pub(crate) runtime: Handle,
    /// Weak: the registry holds the runs, and they hold this.
    pub(crate) registry: Weak<Registry>,
    /// How many workers of one run poll at the same time: as many as the
    /// runtime has threads.
    pub(crate) parallelism: usize,
    pub(crate) clock: Arc<Clock>,
    /// Threads for what blocks.
    pub(crate) pools: Arc<Pools>,
    /// How many attempts are over whose code goes on all the same.
    pub(crate) left_behind: AtomicUsize,
    pub(crate) random: Random,
    pub(crate) timers: Arc<Timers>,
    pub(crate) limits: Limits,
    pub(crate) turns: Turns,
    pub(crate) sleepers: Sleepers,
    /// How quick tasks are.
    pub(crate) paces: Paces,
    /// What ended runs have worked with.
    pub(crate) spares: Spares,
    /// Runs whose store could not be read, or written.
    pub(crate) again: Again,
    /// What keeps the store from being written.
    pub(crate) health: Health,
    /// Runs of backfills that wait for their turn.
    pub(crate) backfills: Backfills,
    /// Held while something is done that an operator wants.
    pub(crate) operating: tokio::sync::Mutex<()>,
    pub(crate) grace: Duration,
    /// Whether it does what it decides.
    pub(crate) mode: Mode,
    pub(crate) resources: Box<dyn Resources>,
    pub(crate) mocks: HashMap<TypeId, Box<Shared>>,
    /// How many bytes a saved value may have.
    pub(crate) largest_value: usize,
    /// Hears of every attempt as it begins, for the test kit.
    #[cfg(feature = "testing")]
    pub(crate) witness: Option<crate::engine::attempts::Witness>,
    /// Results that later runs may use.
    pub(crate) results: Results,
    /// Where runs are kept; `None` in memory.
    pub(crate) store: Option<Arc<dyn Store>>,
    /// What attempts say, on its way to the store.
    #[cfg(feature = "logs")]
    pub(crate) logs: Arc<crate::logs::Outbox>,
}

/// What an engine is there for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    #[default]
    Works,
    /// It commits what is wanted and begins nothing: attempts are left to the
    /// next engine.
    #[cfg(feature = "app")]
    OnlyNotes,
}

impl Mode {
    pub(crate) fn works(self) -> bool {
        self == Self::Works
    }
}

impl Core {
    /// Asks the store, or whatever else takes its time, away from the
    /// runtime's threads.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        ask: impl FnOnce() -> std::result::Result<T, StoreError> + Send + 'static,
    ) -> Result<T> {
        let asked = self.pools.run_ours(ask).await;
        asked.map_err(|_| Error::ShutDown)?.map_err(Error::Store)
    }
}

impl Core {
    /// Waits for a time of tokio's clock. It comes also where no thread of the
    /// runtime is free to tell.
    pub(crate) async fn reach(&self, at: Instant) {
        let (tell, told) = oneshot::channel();
        self.timers.add(When::Passed(at), Box::new(move |_| tell.send(()).unwrap_or_default()));
        // They are closed with the engine.
        let _ = told.await;
    }
}

#[cfg(feature = "logs")]
impl crate::logs::Sink for Core {
    fn now(&self) -> crate::run::Timestamp {
        self.clock.now()
    }

    fn store(&self) -> Option<&Arc<dyn Store>> {
        self.store.as_ref()
    }

    fn outbox(&self) -> &Arc<crate::logs::Outbox> {
        &self.logs
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.timers.close();
        self.pools.close();
    }
}
