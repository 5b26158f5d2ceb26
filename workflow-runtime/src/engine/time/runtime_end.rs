//! The end of the runtime that an engine is on: its runs do not go on,
//! so callers that wait for them hear that.

use std::sync::{Arc, Weak};

use crate::engine::registry::Registry;
use crate::engine::shared::Core;

/// Held by a task of the runtime's, which drops it when it ends.
pub(crate) struct RuntimeEnd {
    core: Weak<Core>,
    registry: Weak<Registry>,
}

impl RuntimeEnd {
    pub(crate) fn of(core: &Arc<Core>, registry: &Arc<Registry>) -> Self {
        Self { core: Arc::downgrade(core), registry: Arc::downgrade(registry) }
    }
}

impl Drop for RuntimeEnd {
    fn drop(&mut self) {
        let (Some(core), Some(registry)) = (self.core.upgrade(), self.registry.upgrade()) else { return };
        core.pools.runtime_ended();
        registry.close();
        let live = registry.live();
        if !live.is_empty() {
            tracing::warn!(runs = live.len(), "the runtime of the engine has ended, and its runs with it");
        }
        // Nothing is written: what ran was not ended in good order.
        live.iter().for_each(|host| host.abandon());
        registry.stopped().iter().for_each(|host| host.stop_for_good());
    }
}
