//! Stores over other stores.

use super::{
    Answer, Batch, Created, Done, LogFilter, LogLine, NewRun, Payload, Request, RunFilter, RunRef, SealedKey,
    Store, StoreError, StoredEntry, StoredLine, StoredRequest, StoredRule, StoredRun, StoredSchedule, Tick,
    Transact, Transacted, Trouble, Unfinished,
};
use crate::run::Timestamp;

/// The methods of a store, once as those of a layer, and once as a store's.
macro_rules! layer {
    ($(fn $name:ident(&self $(, $argument:ident: $type:ty)*) $(-> $output:ty)?;)*) => {
        /// A store over another one, such as one that a test has fail: what it
        /// does not do itself is left to that.
        ///
        /// Not for a layer that has to see everything, as one that encrypts:
        /// what a store learns to do later would pass it by.
        ///
        /// ```
        /// use std::sync::atomic::{AtomicUsize, Ordering};
        /// use workflow_runtime::store::{Batch, Done, Layer, Memory, Store, StoreError};
        ///
        /// #[derive(Default)]
        /// struct Counted {
        ///     memory: Memory,
        ///     appends: AtomicUsize,
        /// }
        ///
        /// impl Layer for Counted {
        ///     fn below(&self) -> &dyn Store {
        ///         &self.memory
        ///     }
        ///
        ///     fn append(&self, batch: Batch, done: Done<Result<(), StoreError>>) {
        ///         self.appends.fetch_add(1, Ordering::Relaxed);
        ///         self.memory.append(batch, done);
        ///     }
        /// }
        ///
        /// let store: Box<dyn Store> = Box::new(Counted::default());
        /// assert!(store.unfinished(None, 10)?.is_empty());
        /// # Ok::<(), StoreError>(())
        /// ```
        pub trait Layer: Send + Sync + 'static {
            /// The store below.
            fn below(&self) -> &dyn Store;
            $(
                #[doc = concat!("As [`Store::", stringify!($name), "`]; left to the store below unless written.")]
                fn $name(&self $(, $argument: $type)*) $(-> $output)? {
                    self.below().$name($($argument),*)
                }
            )*
        }

        impl<L: Layer> Store for L {
            $(
                fn $name(&self $(, $argument: $type)*) $(-> $output)? {
                    Layer::$name(self $(, $argument)*)
                }
            )*
        }
    };
}

// Without what a store does by others of these, so that it asks the layer's own.
layer! {
    fn create(&self, run: NewRun, done: Done<Result<Created, StoreError>>);
    fn append(&self, batch: Batch, done: Done<Result<(), StoreError>>);
    fn unfinished_where(
        &self, which: Unfinished, after: Option<RunRef>, at_most: usize
    ) -> Result<Vec<StoredRun>, StoreError>;
    fn journal(&self, run: RunRef) -> Result<Vec<StoredEntry>, StoreError>;
    fn list(&self, filter: &RunFilter) -> Result<Vec<StoredRun>, StoreError>;
    fn remove_ended_before(&self, time: Timestamp, at_most: usize) -> Result<usize, StoreError>;
    fn close(&self);
    fn next_wake(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError>;
    fn blueprint(&self, hash: u64) -> Result<Option<String>, StoreError>;
    fn remembered(&self, key: &[u8], now: Timestamp) -> Result<Option<Payload>, StoreError>;
    fn forget(&self, now: Timestamp, at_most: usize) -> Result<usize, StoreError>;
    fn request(&self, request: Request) -> Result<i64, StoreError>;
    fn open_requests(&self) -> Result<Vec<StoredRequest>, StoreError>;
    fn requests(&self, run: Option<&str>, at_most: usize) -> Result<Vec<StoredRequest>, StoreError>;
    fn answer(&self, number: i64, answer: Answer) -> Result<(), StoreError>;
    fn foreign_writes(&self) -> Result<i64, StoreError>;
    fn schedules(&self) -> Result<Vec<StoredSchedule>, StoreError>;
    fn mark(&self, tick: Tick) -> Result<(), StoreError>;
    fn rules(&self) -> Result<Vec<StoredRule>, StoreError>;
    fn put_schedule(&self, schedule: StoredSchedule, rule: &str) -> Result<(), StoreError>;
    fn keys(&self) -> Result<Vec<SealedKey>, StoreError>;
    fn was_encrypted(&self) -> Result<bool, StoreError>;
    fn put_keys(&self, keys: Vec<SealedKey>) -> Result<(), StoreError>;
    fn log(&self, lines: Vec<LogLine>, done: Done<Result<(), StoreError>>);
    fn logs(&self, run: RunRef, filter: &LogFilter) -> Result<Vec<StoredLine>, StoreError>;
    fn trouble(&self) -> Option<Trouble>;
    fn answers_later(&self) -> bool;
    fn has_transactions(&self) -> bool;
    fn transact(&self, work: Transact, done: Done<Result<Transacted, StoreError>>);
    fn effect(&self, run: RunRef, key: &str) -> Result<Option<Payload>, StoreError>;
    fn find(&self, id_or_prefix: &str) -> Result<Vec<StoredRun>, StoreError>;
    fn by_key(&self, key: &str) -> Result<Option<StoredRun>, StoreError>;
}
