//! Where runs are kept, so that they outlive their process.
//!
//! The machine of a run is pure, so what is stored of a run is the journal of
//! its events: a fresh machine that hears them again is where the old one was.
//! A journal is only appended to. Beside it stands one row per run, written
//! when the run is created, when it ends, and when its state changes to
//! something that operators look for.
//!
//! [`Sqlite`] is the store of a real engine, [`Memory`] that of tests. Any
//! other is a type that implements [`Store`] and passes [`conformance::check`].
//!
//! Never here: what an event means, or what happens next. A store keeps what
//! it is given, in order, or says why it could not.

pub mod conformance;

mod error;
mod memory;
mod model;
mod sqlite;

pub use error::StoreError;
pub use memory::Memory;
pub use model::{
    Batch, Created, Entry, NewRun, Payload, RunEnd, RunFilter, RunRef, StepChange, StoredEntry, StoredRun,
};
pub use sqlite::{Durability, Sqlite, SqliteOptions};

use crate::run::Timestamp;

/// What hears the outcome of a write: called exactly once.
///
/// It may be called on any thread, and before the method that took it returns.
/// So whoever passes one holds no lock that it takes; and since the store's
/// own thread may be the one that calls it, it does not block and does not
/// wait for the store.
pub type Done<T> = Box<dyn FnOnce(T) + Send>;

/// Keeps runs and their journals.
///
/// # What a store promises
///
/// - A write is **all or nothing**, also when the process or the machine dies
///   in the middle of it.
/// - `done` hears `Ok` only once the write is **durable**. An error means that
///   it is not known to be; after one, the journal says what is there.
/// - Writes of one run apply **in the order of the calls**.
/// - The entries of a run are numbered from 0 **without a gap**. A batch that
///   does not go on where the journal ends is refused with
///   [`StoreError::OutOfOrder`], so once a batch has failed, so do those that
///   were sent after it: whoever wrote them reads the journal again.
/// - There is **one run per key**, whoever asks at the same time.
/// - Nothing that is stored makes a store panic: a row that cannot be read is
///   [`StoreError::Damaged`], with its place.
///
/// # Threads
///
/// Writes return at once and answer through `done`. Everything else blocks
/// until it is answered, so async code calls it through `spawn_blocking`.
pub trait Store: Send + Sync + 'static {
    /// Creates a run together with the first entries of its journal, or finds
    /// the run that has this key, or this id; then nothing is written.
    fn create(&self, run: NewRun, done: Done<Result<Created, StoreError>>);

    /// Appends to the journal of a run, and changes its row where the batch
    /// says so, in one transaction.
    fn append(&self, batch: Batch, done: Done<Result<(), StoreError>>);

    /// The runs that have not ended, the oldest first: at most `at_most` of
    /// them, from the one that follows `after` on.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn unfinished(&self, after: Option<RunRef>, at_most: usize) -> Result<Vec<StoredRun>, StoreError>;

    /// The journal of a run, from its first entry to its last.
    ///
    /// # Errors
    /// When there is no such run, or the store cannot be read.
    fn journal(&self, run: RunRef) -> Result<Vec<StoredEntry>, StoreError>;

    /// The runs that a filter lets through, the newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn list(&self, filter: &RunFilter) -> Result<Vec<StoredRun>, StoreError>;

    /// Removes runs that ended before a time, with their journals, the ones
    /// that ended first: at most `at_most`, so that nobody waits for long.
    /// Their keys are free again. Returns how many it removed.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn remove_ended_before(&self, time: Timestamp, at_most: usize) -> Result<usize, StoreError>;

    /// Waits until everything queued has been answered, and lets go of the
    /// store. Whatever is asked afterwards is [`StoreError::Closed`]. Closing
    /// twice is closing once; dropping a store closes it.
    fn close(&self);

    /// The runs with this id, or with an id that begins like this, the newest
    /// first; at most 20, which is enough to say that a prefix is ambiguous.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn find(&self, id_or_prefix: &str) -> Result<Vec<StoredRun>, StoreError> {
        let id_prefix = Some(id_or_prefix.to_owned());
        self.list(&RunFilter { id_prefix, at_most: 20, ..RunFilter::default() })
    }

    /// The run that has this key.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn by_key(&self, key: &str) -> Result<Option<StoredRun>, StoreError> {
        let key = Some(key.to_owned());
        Ok(self.list(&RunFilter { key, at_most: 1, ..RunFilter::default() })?.pop())
    }
}
