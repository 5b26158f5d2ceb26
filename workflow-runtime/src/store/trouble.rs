//! What keeps a store from being written for a while.

use std::time::Duration;

use super::{RunRef, StoreError};

/// What keeps a store from being written just now, and what it does about it:
/// see [`Store::trouble`](super::Store::trouble).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trouble {
    /// What the latest try has met.
    pub error: StoreError,
    /// For how long now, by the system's steady clock.
    pub lasts: Duration,
    /// In how long the store tries again.
    pub again_in: Duration,
    /// Where most writes get through, those runs of which some wait: one large
    /// value may not fit where small ones do. `None` where all wait.
    pub only: Option<Vec<RunRef>>,
}

impl Trouble {
    /// Whether a run has to wait for it, if it has something to be written.
    #[must_use]
    pub fn concerns(&self, run: RunRef) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&run))
    }

    /// A store that has been in trouble for `lasts`.
    #[must_use]
    pub fn new(error: StoreError, lasts: Duration, again_in: Duration) -> Self {
        Self { error, lasts, again_in, only: None }
    }
}
