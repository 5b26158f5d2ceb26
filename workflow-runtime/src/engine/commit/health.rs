//! Whether the store can be written: what those who wait for it are told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::engine::registry::{Passing, Registry};
use crate::store::{StoreError, Trouble};

/// How long a fault lasts before a caller that waits for a commit is told of it
/// instead of waiting on.
const PATIENCE: Duration = Duration::from_secs(10);

/// What keeps the store from being written, if that has lasted for a while.
pub(crate) struct Health {
    lasting: watch::Sender<Option<StoreError>>,
    /// Whether it was told that the store is in trouble.
    told: AtomicBool,
}

impl Default for Health {
    fn default() -> Self {
        Self { lasting: watch::Sender::new(None), told: false.into() }
    }
}

impl Health {
    /// Takes what the store says of itself now.
    pub(crate) fn look(&self, registry: &Registry, trouble: Option<Trouble>) {
        let is_told = self.told.swap(trouble.is_some(), Ordering::Relaxed);
        match &trouble {
            Some(trouble) if !is_told => {
                registry.tell(|| Passing::Trouble { error: trouble.error.clone() });
            }
            None if is_told => registry.tell(|| Passing::Well),
            _ => {}
        }
        // Where only some writes wait, the next one need not.
        let lasting = trouble.filter(|trouble| trouble.only.is_none() && trouble.lasts >= PATIENCE);
        self.lasting.send_if_modified(|before| {
            let now = lasting.map(|trouble| trouble.error);
            let changes = *before != now;
            *before = now;
            changes
        });
    }

    /// What keeps the store from being written, if it is to be waited for no
    /// more.
    pub(crate) fn lasts(&self) -> Option<StoreError> {
        self.lasting.borrow().clone()
    }

    /// Waits until that is so.
    pub(crate) async fn lasting(&self) -> StoreError {
        let mut lasting = self.lasting.subscribe();
        let lasts = lasting.wait_for(Option::is_some).await.ok().and_then(|error| error.clone());
        match lasts {
            Some(error) => error,
            // The sender is ours.
            None => std::future::pending().await,
        }
    }
}
