//! A process that dies at one of its writes, over a store that lives on.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use workflow_runtime::store::{
    Batch, Created, Done, Layer, Memory, NewRun, Store, StoreError, Transact, Transacted,
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
    /// Closed.
    gone: Memory,
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
        let gone = Memory::new();
        gone.close();
        Self {
            store,
            gone,
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

impl Layer for Deadly {
    /// A closed store is as good as none, which is what the dead have.
    fn below(&self) -> &dyn Store {
        if self.is_dead() { &self.gone } else { &*self.store }
    }

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

    /// A steered clock is not to wait for an answer that never comes.
    fn answers_later(&self) -> bool {
        false
    }

    fn close(&self) {}
}
