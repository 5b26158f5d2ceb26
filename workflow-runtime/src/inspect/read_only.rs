//! A store for an engine that only looks: `check` asks it what it would do,
//! while another process may own the store.

use super::reader::StoreReader;
use crate::run::Timestamp;
use crate::store::{
    Answer, Batch, Created, Done, NewRun, Payload, Request, RunFilter, RunRef, SealedKey, Store, StoreError,
    StoredEntry, StoredRequest, StoredRule, StoredRun, StoredSchedule, Tick, Unfinished,
};

/// A store with its values in clear, which refuses whatever would change it.
pub(crate) struct ReadOnly(pub(crate) StoreReader);

impl ReadOnly {
    fn opened(&self, runs: Vec<StoredRun>) -> Result<Vec<StoredRun>, StoreError> {
        runs.into_iter().map(|run| self.0.open_run(run)).collect()
    }
}

fn refused<T>() -> Result<T, StoreError> {
    Err(StoreError::Other { message: "the store is only looked at".to_owned() })
}

impl Store for ReadOnly {
    fn unfinished_where(
        &self,
        which: Unfinished,
        after: Option<RunRef>,
        at_most: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        match which {
            Unfinished::All => self.opened(self.0.store.unfinished(after, at_most)?),
            _ => refused(),
        }
    }

    fn journal(&self, run: RunRef) -> Result<Vec<StoredEntry>, StoreError> {
        if self.0.is_clear() { self.0.store.journal(run) } else { self.0.journal(&self.0.numbered(run)?) }
    }

    fn list(&self, filter: &RunFilter) -> Result<Vec<StoredRun>, StoreError> {
        self.opened(self.0.store.list(filter)?)
    }

    fn blueprint(&self, hash: u64) -> Result<Option<String>, StoreError> {
        self.0.store.blueprint(hash)
    }

    fn schedules(&self) -> Result<Vec<StoredSchedule>, StoreError> {
        self.0.store.schedules()
    }

    /// None are needed, since the values are in clear.
    fn keys(&self) -> Result<Vec<SealedKey>, StoreError> {
        Ok(Vec::new())
    }

    fn close(&self) {}

    // What is not asked of a store that is only looked at.

    fn next_wake(&self, _: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        refused()
    }

    fn rules(&self) -> Result<Vec<StoredRule>, StoreError> {
        refused()
    }

    fn remembered(&self, _: &[u8], _: Timestamp) -> Result<Option<Payload>, StoreError> {
        refused()
    }

    fn foreign_writes(&self) -> Result<i64, StoreError> {
        refused()
    }

    fn open_requests(&self) -> Result<Vec<StoredRequest>, StoreError> {
        refused()
    }

    fn requests(&self, _: Option<&str>, _: usize) -> Result<Vec<StoredRequest>, StoreError> {
        refused()
    }

    // What would change it.

    fn create(&self, _: NewRun, done: Done<Result<Created, StoreError>>) {
        done(refused());
    }

    fn append(&self, _: Batch, done: Done<Result<(), StoreError>>) {
        done(refused());
    }

    fn remove_ended_before(&self, _: Timestamp, _: usize) -> Result<usize, StoreError> {
        refused()
    }

    fn forget(&self, _: Timestamp, _: usize) -> Result<usize, StoreError> {
        refused()
    }

    fn request(&self, _: Request) -> Result<i64, StoreError> {
        refused()
    }

    fn answer(&self, _: i64, _: Answer) -> Result<(), StoreError> {
        refused()
    }

    fn mark(&self, _: Tick) -> Result<(), StoreError> {
        refused()
    }

    fn put_schedule(&self, _: StoredSchedule, _: &str) -> Result<(), StoreError> {
        refused()
    }

    fn put_keys(&self, _: Vec<SealedKey>) -> Result<(), StoreError> {
        refused()
    }
}
