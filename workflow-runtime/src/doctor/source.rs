//! What can be examined.

use crate::run::Timestamp;
use crate::store::{
    RunFilter, RunRef, SealedKey, Store, StoreError, StoredEntry, StoredRun, StoredSchedule, Unfinished,
    Visitor,
};

/// What can be examined: every [`Store`], and a [`Visitor`] of one that
/// another process has open. The methods are those of a store.
pub trait Source {
    /// The runs that a filter lets through, the newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn list(&self, filter: &RunFilter) -> Result<Vec<StoredRun>, StoreError>;

    /// The journal of a run, from its first entry to its last.
    ///
    /// # Errors
    /// When there is no such run, or the store cannot be read.
    fn journal(&self, run: RunRef) -> Result<Vec<StoredEntry>, StoreError>;

    /// The blueprint with this hash.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn blueprint(&self, hash: u64) -> Result<Option<String>, StoreError>;

    /// How far the schedules are.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn schedules(&self) -> Result<Vec<StoredSchedule>, StoreError>;

    /// The sealed keys: none in a store that keeps its values in clear.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn keys(&self) -> Result<Vec<SealedKey>, StoreError>;

    /// Whether an unfinished run is awake at a time, or `None` where that
    /// cannot be told.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn is_awake(&self, run: RunRef, at: Timestamp) -> Result<Option<bool>, StoreError>;
}

impl<S: Store + ?Sized> Source for S {
    fn list(&self, filter: &RunFilter) -> Result<Vec<StoredRun>, StoreError> {
        Store::list(self, filter)
    }

    fn journal(&self, run: RunRef) -> Result<Vec<StoredEntry>, StoreError> {
        Store::journal(self, run)
    }

    fn blueprint(&self, hash: u64) -> Result<Option<String>, StoreError> {
        Store::blueprint(self, hash)
    }

    fn schedules(&self) -> Result<Vec<StoredSchedule>, StoreError> {
        Store::schedules(self)
    }

    fn keys(&self) -> Result<Vec<SealedKey>, StoreError> {
        Store::keys(self)
    }

    fn is_awake(&self, run: RunRef, at: Timestamp) -> Result<Option<bool>, StoreError> {
        // The first that follows the number before is this one, if any is.
        let awake = self.unfinished_where(Unfinished::Awake(at), run.0.checked_sub(1).map(RunRef), 1)?;
        Ok(Some(awake.first().is_some_and(|awake| awake.run == run)))
    }
}

impl Source for Visitor {
    fn list(&self, filter: &RunFilter) -> Result<Vec<StoredRun>, StoreError> {
        self.list(filter)
    }

    fn journal(&self, run: RunRef) -> Result<Vec<StoredEntry>, StoreError> {
        self.journal(run)
    }

    fn blueprint(&self, hash: u64) -> Result<Option<String>, StoreError> {
        self.blueprint(hash)
    }

    fn schedules(&self) -> Result<Vec<StoredSchedule>, StoreError> {
        self.schedules()
    }

    fn keys(&self) -> Result<Vec<SealedKey>, StoreError> {
        self.keys()
    }

    fn is_awake(&self, _: RunRef, _: Timestamp) -> Result<Option<bool>, StoreError> {
        Ok(None)
    }
}
