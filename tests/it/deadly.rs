//! A process that dies at one of its writes, over a store that lives on.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use workflow_runtime::run::Timestamp;
use workflow_runtime::store::{
    Answer, Batch, Created, Done, NewRun, Payload, Request, RunFilter, RunRef, SealedKey, Store, StoreError,
    StoredEntry, StoredRequest, StoredRun, StoredSchedule, Tick, Transact, Transacted,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// Nothing of the write is done.
    Before,
    /// A transaction has run, and is not committed. Any other write is not
    /// done.
    Within,
    /// The write is durable, and nobody hears of it.
    Unheard,
}

pub struct Deadly {
    store: Arc<dyn Store>,
    death: Death,
    /// At which write, from 1.
    last: usize,
    writes: AtomicUsize,
    dead: AtomicBool,
    died: Notify,
    /// Is told of every write that is durable, before anybody else is and
    /// before the next one begins.
    witness: Option<Arc<dyn Fn() + Send + Sync>>,
    /// An answer that is dropped is heard.
    unanswered: Mutex<Vec<Box<dyn Send>>>,
}

impl Deadly {
    pub fn new(store: Arc<dyn Store>, death: Death, last: usize) -> Arc<Self> {
        Arc::new(Self::of(store, death, last))
    }

    /// One that does not die, and whose writes somebody witnesses.
    pub fn witnessed(store: Arc<dyn Store>, witness: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { witness: Some(Arc::new(witness)), ..Self::of(store, Death::Before, usize::MAX) })
    }

    fn of(store: Arc<dyn Store>, death: Death, last: usize) -> Self {
        Self {
            store,
            death,
            last,
            writes: AtomicUsize::new(0),
            dead: AtomicBool::new(false),
            died: Notify::new(),
            witness: None,
            unanswered: Mutex::default(),
        }
    }

    /// Ends when the process dies.
    pub async fn died(&self) {
        self.died.notified().await;
    }

    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    fn alive(&self) -> Result<(), StoreError> {
        if self.is_dead() { Err(StoreError::Closed) } else { Ok(()) }
    }

    /// `write` does it, and `half` does what is not committed.
    fn write<T: Send + 'static>(
        &self,
        done: Done<Result<T, StoreError>>,
        write: impl FnOnce(Done<Result<T, StoreError>>, bool),
    ) {
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if number < self.last {
            let witness = self.witness.clone();
            let heard = move |result| {
                if let Some(witness) = witness {
                    witness();
                }
                done(result);
            };
            return write(Box::new(heard), false);
        }
        self.unanswered.lock().unwrap().push(Box::new(done));
        if self.dead.swap(true, Ordering::SeqCst) {
            return;
        }
        if self.death != Death::Before {
            // Waited for, so that the next process finds what this one left.
            let (sender, heard) = std::sync::mpsc::channel();
            write(Box::new(move |_| sender.send(()).unwrap()), self.death == Death::Within);
            heard.recv().unwrap();
        }
        self.died.notify_one();
    }
}

/// Answers from the store below while the process lives.
macro_rules! read {
    ($($name:ident($($argument:ident: $ty:ty),*) -> $output:ty;)*) => {
        $(fn $name(&self, $($argument: $ty),*) -> Result<$output, StoreError> {
            self.alive()?;
            self.store.$name($($argument),*)
        })*
    };
}

impl Store for Deadly {
    fn create(&self, run: NewRun, done: Done<Result<Created, StoreError>>) {
        self.write(done, |done, half| match half {
            true => done(Err(StoreError::Closed)),
            false => self.store.create(run, done),
        });
    }

    fn append(&self, batch: Batch, done: Done<Result<(), StoreError>>) {
        self.write(done, |done, half| match half {
            true => done(Err(StoreError::Closed)),
            false => self.store.append(batch, done),
        });
    }

    fn transact(&self, work: Transact, done: Done<Result<Transacted, StoreError>>) {
        self.write(done, |done, half| {
            let Transact { run, key, work } = work;
            let work = Box::new(move || work().filter(|_| !half));
            self.store.transact(Transact { run, key, work }, done);
        });
    }

    fn has_transactions(&self) -> bool {
        self.store.has_transactions()
    }

    fn close(&self) {}

    read! {
        unfinished(after: Option<RunRef>, at_most: usize) -> Vec<StoredRun>;
        journal(run: RunRef) -> Vec<StoredEntry>;
        list(filter: &RunFilter) -> Vec<StoredRun>;
        remove_ended_before(time: Timestamp, at_most: usize) -> usize;
        awake(now: Timestamp, after: Option<RunRef>, at_most: usize) -> Vec<StoredRun>;
        due(now: Timestamp, after: Option<RunRef>, at_most: usize) -> Vec<StoredRun>;
        next_wake(now: Timestamp) -> Option<Timestamp>;
        blueprint(hash: u64) -> Option<String>;
        remembered(key: &[u8], now: Timestamp) -> Option<Payload>;
        forget(now: Timestamp, at_most: usize) -> usize;
        request(request: Request) -> i64;
        open_requests() -> Vec<StoredRequest>;
        requests(run: Option<&str>, at_most: usize) -> Vec<StoredRequest>;
        answer(number: i64, answer: Answer) -> ();
        foreign_writes() -> i64;
        schedules() -> Vec<StoredSchedule>;
        mark(tick: Tick) -> ();
        keys() -> Vec<SealedKey>;
        put_keys(keys: Vec<SealedKey>) -> ();
        effect(run: RunRef, key: &str) -> Option<Payload>;
        find(id_or_prefix: &str) -> Vec<StoredRun>;
        by_key(key: &str) -> Option<StoredRun>;
    }
}
