//! Where runs are kept, so that they outlive their process.
//!
//! The machine of a run is pure, so what is stored of a run is the journal of
//! its events: a fresh machine that hears them again is where the old one was.
//! A journal is only appended to. Beside it stands one row per run, written
//! when the run is created, when it ends, and when its state changes to
//! something that operators look for.
//!
//! [`Sqlite`] is the store of a real engine, [`Memory`] that of tests. Any
//! other is a type that implements [`Store`] and passes `conformance::check`,
//! which is there with the feature `testing`;
//! one over another store, as in a test, is a [`Layer`].
//! A [`Visitor`] looks at the store of another process.
//!
//! Never here: what an event means, or what happens next. A store keeps what
//! it is given, in order, or says why it could not.

#[cfg(feature = "testing")]
pub mod conformance;

mod clear;
#[cfg(feature = "encryption")]
mod encrypted;
mod error;
mod layer;
mod lines;
mod memory;
mod model;
mod names;
mod sqlite;
mod transact;
mod trouble;

pub use crate::value::Payload;
pub use clear::check_clear;
pub(crate) use clear::check_keys;
#[cfg(feature = "encryption")]
pub use encrypted::{Cipher, Encrypted, Key, KeyRing, Place};
pub use error::StoreError;
pub use layer::Layer;
pub use lines::{LogFilter, LogLevel, LogLine, StoredLine};
pub use memory::Memory;
pub use model::{
    Answer, Batch, Created, Entry, NewRun, Parent, Remembered, Request, RunEnd, RunFilter, RunRef, SealedKey,
    Sleep, StepChange, StoredEntry, StoredRequest, StoredRule, StoredRun, StoredSchedule, Tick, Unfinished,
};
pub use sqlite::{Durability, Owner, Sqlite, SqliteOptions, Visitor};
#[cfg(feature = "app")]
pub(crate) use sqlite::{Notice, Ownership};
pub use transact::{Transact, Transacted};
pub use trouble::Trouble;

use crate::run::Timestamp;

/// What hears the outcome of a write: called exactly once.
///
/// It may be called on any thread, and before the method that took it returns.
/// So a caller that passes one holds no lock that it takes; and since the
/// store's own thread may be the one that calls it, it does not block and does
/// not wait for the store.
pub type Done<T> = Box<dyn FnOnce(T) + Send>;

/// What hears of many journals, one after the other.
pub type EachJournal<'a> = dyn FnMut(RunRef, Result<Vec<StoredEntry>, StoreError>) + 'a;

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
///   were sent after it: the engine that wrote them reads the journal again.
/// - There is **one run per key**, however many ask at the same time.
/// - A schedule's **mark moves with the run** that its tick starts, or neither
///   is there; and it only moves forward.
/// - Nothing that is stored makes a store panic: a row that cannot be read is
///   [`StoreError::Damaged`], with its place.
///
/// # Threads
///
/// Writes return at once and answer through `done`. Everything else blocks
/// until it is answered, so async code calls it through `spawn_blocking`.
pub trait Store: Send + Sync + 'static {
    /// Creates a run together with the first entries of its journal, or finds
    /// the run that has this key, or this id; then nothing is written, and the
    /// mark of its tick's schedule stays where it is.
    ///
    /// What the run carries beside itself, its tick and its answer, is in the
    /// same commit, or nowhere when it is found.
    ///
    /// A tick that is not later than its schedule's mark is
    /// [`StoreError::StaleTick`], unless there is such a run.
    fn create(&self, run: NewRun, done: Done<Result<Created, StoreError>>);

    /// Appends to the journal of a run, and changes its row where the batch
    /// says so, in one transaction.
    fn append(&self, batch: Batch, done: Done<Result<(), StoreError>>);

    /// The runs that have not ended, or some of them, the oldest first: at most
    /// `at_most` of them, from the one that follows `after` on.
    ///
    /// One run that cannot be read does not hide the others: it is left out
    /// and logged, here as in [`list`](Self::list). Who asks for that very run
    /// is told.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn unfinished_where(
        &self,
        which: Unfinished,
        after: Option<RunRef>,
        at_most: usize,
    ) -> Result<Vec<StoredRun>, StoreError>;

    /// [All](Unfinished::All) of them.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn unfinished(&self, after: Option<RunRef>, at_most: usize) -> Result<Vec<StoredRun>, StoreError> {
        self.unfinished_where(Unfinished::All, after, at_most)
    }

    /// The journal of a run, from its first entry to its last.
    ///
    /// # Errors
    /// When there is no such run, or the store cannot be read.
    fn journal(&self, run: RunRef) -> Result<Vec<StoredEntry>, StoreError>;

    /// The journals of some runs, one after the other, each as
    /// [`journal`](Self::journal) reads it: for many runs at once, where
    /// asking for each takes longer than reading it. `each` hears of them in
    /// the order of `runs`, so that one is held at a time; it does not write
    /// to the store and wait for that.
    fn journals(&self, runs: &[RunRef], each: &mut EachJournal<'_>) {
        runs.iter().for_each(|run| each(*run, self.journal(*run)));
    }

    /// The runs that a filter lets through, the newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn list(&self, filter: &RunFilter) -> Result<Vec<StoredRun>, StoreError>;

    /// Removes runs that ended before a time, with their journals, the ones
    /// that ended first: at most `at_most`, so that other writes do not wait
    /// for long. Their keys are free again. What belongs to nothing but them
    /// goes too: the requests about them that were seen to, and the blueprints
    /// that no run follows any more. So do requests about no run at all that
    /// were seen to before that time. Returns how many runs it removed.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn remove_ended_before(&self, time: Timestamp, at_most: usize) -> Result<usize, StoreError>;

    /// Waits until everything queued has been answered, and lets go of the
    /// store. Whatever is asked afterwards is [`StoreError::Closed`]. Closing
    /// twice is closing once; dropping a store closes it.
    fn close(&self);

    /// When, later than `now`, the next sleeping run wants to be woken. `None`
    /// when all that sleep have to be woken.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn next_wake(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError>;

    /// The blueprint with this hash.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn blueprint(&self, hash: u64) -> Result<Option<String>, StoreError>;

    /// A result that was remembered under this key and may still be used.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn remembered(&self, key: &[u8], now: Timestamp) -> Result<Option<Payload>, StoreError>;

    /// Forgets results that may not be used any more, at most so many.
    /// Returns how many.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn forget(&self, now: Timestamp, at_most: usize) -> Result<usize, StoreError>;

    /// Notes what an operator wants, and returns its number.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn request(&self, request: Request) -> Result<i64, StoreError>;

    /// The requests that no engine has seen to, the oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn open_requests(&self) -> Result<Vec<StoredRequest>, StoreError>;

    /// The requests about a run, with the one that started it, or about all;
    /// the newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn requests(&self, run: Option<&str>, at_most: usize) -> Result<Vec<StoredRequest>, StoreError>;

    /// Says what became of a request. An answer is given once; later ones are
    /// dropped.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn answer(&self, number: i64, answer: Answer) -> Result<(), StoreError>;

    /// A number that changes when another process has written to the store,
    /// which is cheaper to ask for than [`open_requests`](Self::open_requests).
    /// It says nothing else. Constant where no other process can write.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn foreign_writes(&self) -> Result<i64, StoreError>;

    /// How far the schedules are.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn schedules(&self) -> Result<Vec<StoredSchedule>, StoreError>;

    /// Moves a schedule's mark without a run; forward only. A schedule that
    /// is new begins with this mark.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn mark(&self, tick: Tick) -> Result<(), StoreError>;

    /// The rules that marks belong to. A mark has none where an earlier version
    /// has written it.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn rules(&self) -> Result<Vec<StoredRule>, StoreError>;

    /// Says anew how far a schedule is, and by which rule: its mark may also
    /// move back.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn put_schedule(&self, schedule: StoredSchedule, rule: &str) -> Result<(), StoreError>;

    /// The sealed keys.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn keys(&self) -> Result<Vec<SealedKey>, StoreError>;

    /// Whether [`put_keys`](Self::put_keys) was ever called, also where the
    /// keys have been removed since: such a store is not in clear.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn was_encrypted(&self) -> Result<bool, StoreError> {
        Ok(!self.keys()?.is_empty())
    }

    /// Puts sealed keys in the place of those with their ids, or beside the
    /// others, all in one transaction.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn put_keys(&self, keys: Vec<SealedKey>) -> Result<(), StoreError>;

    /// Keeps lines that attempts said. Nothing depends on them, so nothing
    /// waits for them either: they are written some time later, between the
    /// other writes and never in front of one that is waiting. Lines of one
    /// run keep their order. One whose run is not there is dropped.
    ///
    /// Once `done` hears `Ok`, a `kill -9` does not lose the lines any more.
    /// Unlike any other write they may be lost when the machine loses power.
    ///
    /// A store need not keep lines; this one does not, and says that it has.
    fn log(&self, lines: Vec<LogLine>, done: Done<Result<(), StoreError>>) {
        drop(lines);
        done(Ok(()));
    }

    /// The lines of a run that a filter lets through, in the order in which
    /// they were stored. Those that have not been written yet are not among
    /// them.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn logs(&self, _run: RunRef, _filter: &LogFilter) -> Result<Vec<StoredLine>, StoreError> {
        Ok(Vec::new())
    }

    /// What keeps the store from being written just now, where it holds writes
    /// back until that has passed instead of failing them.
    ///
    /// A store that does so keeps [`append`](Self::append) waiting for as long
    /// as it takes, since nothing is acted upon before. Whatever else is
    /// written has a caller that waits for it, and is given up, unwritten, when
    /// the trouble has lasted for some time.
    fn trouble(&self) -> Option<Trouble> {
        None
    }

    /// Whether a thread of the store's own answers, which a test's steered
    /// clock then waits for.
    fn answers_later(&self) -> bool {
        false
    }

    /// Whether tasks can write into the store's own database: see
    /// [`transact`](Self::transact).
    fn has_transactions(&self) -> bool {
        false
    }

    /// Has a task write into the store's own database, in a transaction of its
    /// own. That it is done is noted in the same transaction, under its key,
    /// with what it gives back.
    fn transact(&self, _work: Transact, done: Done<Result<Transacted, StoreError>>) {
        done(Err(transact::refused()));
    }

    /// What a task gave back when it was done under this key in a transaction,
    /// if it was.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn effect(&self, _run: RunRef, _key: &str) -> Result<Option<Payload>, StoreError> {
        Ok(None)
    }

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
