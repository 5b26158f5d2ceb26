//! The thread that owns the connection that writes.
//!
//! One writer, so that nobody waits for a lock of the database, and many
//! writes share the one thing that takes long: waiting for the disk.

use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread::{JoinHandle, ThreadId};

use super::apply::{Tables, Trouble, Work};
use super::errors::{io_error, sqlite_error};
use super::open::Opened;
use crate::store::{Done, StoreError};

/// How many writes one transaction takes at most, and how many bytes of them:
/// the first of a group waits for the last.
const GROUP: usize = 1_024;
const GROUP_BYTES: usize = 16 << 20;

#[derive(Debug)]
pub(super) struct Writer {
    queue: Sender<Message>,
    id: ThreadId,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Message {
    Job(Box<dyn Job>),
    Close,
}

impl Writer {
    pub(super) fn start(opened: Opened) -> Result<Self, StoreError> {
        let (queue, queued) = mpsc::channel();
        let path = opened.path.clone();
        // Checks the statements here, where a failure can be told.
        Tables::new(&path, &opened.conn).map_err(|error| sqlite_error(&path, &error))?;
        let thread = std::thread::Builder::new().name("workflow-store".to_owned());
        let thread = thread.spawn(move || run(&opened, &queued)).map_err(|error| io_error(&path, &error))?;
        Ok(Self { queue, id: thread.thread().id(), thread: Mutex::new(Some(thread)) })
    }

    /// Queues a write. `work` is an error when it is known not to fit.
    pub(super) fn submit<W: Work>(
        &self,
        work: Result<W, StoreError>,
        done: Done<Result<W::Outcome, StoreError>>,
    ) {
        match work {
            // A queue that is closed drops the job, which then answers.
            Ok(work) => drop(self.queue.send(Message::Job(Box::new(Pending::new(work, done))))),
            Err(error) => done(Err(error)),
        }
    }

    pub(super) fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        drop(self.queue.send(Message::Close));
        // What is called by the writer cannot wait for it.
        if !self.is_this_thread() && thread.join().is_err() {
            tracing::error!("the store's thread panicked; please report this");
        }
    }

    pub(super) fn is_this_thread(&self) -> bool {
        std::thread::current().id() == self.id
    }
}

/// A write and whoever waits for it.
trait Job: Send {
    /// Only an error that may have left something half written is one here; a
    /// refusal is kept for the answer.
    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<(), StoreError>;

    fn answer(self: Box<Self>, committed: Result<(), StoreError>);

    fn size(&self) -> usize;
}

struct Pending<W: Work> {
    work: W,
    outcome: Option<Result<W::Outcome, StoreError>>,
    /// `None` once called.
    done: Option<Done<Result<W::Outcome, StoreError>>>,
}

impl<W: Work> Pending<W> {
    fn new(work: W, done: Done<Result<W::Outcome, StoreError>>) -> Self {
        Self { work, outcome: None, done: Some(done) }
    }

    fn finish(&mut self, result: Result<W::Outcome, StoreError>) {
        let Some(done) = self.done.take() else { return };
        // A caller's panic must not take the store with it.
        if std::panic::catch_unwind(AssertUnwindSafe(|| done(result))).is_err() {
            tracing::error!("what heard the outcome of a write panicked");
        }
    }
}

impl<W: Work> Job for Pending<W> {
    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<(), StoreError> {
        self.outcome = Some(match self.work.apply(tables) {
            Ok(outcome) => Ok(outcome),
            Err(Trouble::Refused(error)) => Err(error),
            Err(Trouble::Failed(error)) => return Err(error),
        });
        Ok(())
    }

    fn answer(mut self: Box<Self>, committed: Result<(), StoreError>) {
        let outcome = self.outcome.take().unwrap_or(Err(StoreError::Closed));
        self.finish(committed.and(outcome));
    }

    fn size(&self) -> usize {
        self.work.size()
    }
}

/// Everyone who asked is answered, also when the store is closed meanwhile.
impl<W: Work> Drop for Pending<W> {
    fn drop(&mut self) {
        self.finish(Err(StoreError::Closed));
    }
}

/// The life of the thread. The lock in `opened` goes after the connection.
fn run(opened: &Opened, queued: &Receiver<Message>) {
    let mut tables = match Tables::new(&opened.path, &opened.conn) {
        Ok(tables) => tables,
        Err(error) => {
            tracing::error!(%error, "the store's thread could not begin");
            return;
        }
    };
    let mut group = Vec::new();
    let mut open = true;
    while open {
        open = collect(queued, &mut group);
        commit(&mut tables, &mut group);
    }
}

/// Waits for a write, and takes what else is queued. False once the store is
/// closed.
fn collect(queued: &Receiver<Message>, group: &mut Vec<Box<dyn Job>>) -> bool {
    let mut bytes = 0;
    let mut next = queued.recv().ok();
    loop {
        match next {
            Some(Message::Job(job)) => {
                bytes += job.size();
                group.push(job);
            }
            Some(Message::Close) => return false,
            None => return !group.is_empty(),
        }
        if group.len() >= GROUP || bytes >= GROUP_BYTES {
            return true;
        }
        next = queued.try_recv().ok();
    }
}

/// Makes a group durable and answers it.
fn commit(tables: &mut Tables<'_>, group: &mut Vec<Box<dyn Job>>) {
    match transact(tables, group) {
        Ok(()) => group.drain(..).for_each(|job| job.answer(Ok(()))),
        // One of them may be to blame: each gets its own transaction, in order.
        // (Savepoints would spare this, at a quarter of the throughput.)
        Err(Failed::Write(_)) if group.len() > 1 => {
            for mut job in group.drain(..) {
                let committed = transact(tables, std::slice::from_mut(&mut job));
                job.answer(committed.map_err(Failed::into_error));
            }
        }
        Err(failed) => {
            let error = failed.into_error();
            tracing::warn!(%error, writes = group.len(), "the store could not commit");
            group.drain(..).for_each(|job| job.answer(Err(error.clone())));
        }
    }
}

enum Failed {
    /// A statement did.
    Write(StoreError),
    /// The transaction as a whole did.
    Commit(StoreError),
}

impl Failed {
    fn into_error(self) -> StoreError {
        match self {
            Failed::Write(error) | Failed::Commit(error) => error,
        }
    }
}

fn transact(tables: &mut Tables<'_>, jobs: &mut [Box<dyn Job>]) -> Result<(), Failed> {
    if jobs.is_empty() {
        return Ok(());
    }
    let result = attempt(tables, jobs);
    match &result {
        Ok(()) => tables.committed(),
        Err(_) => {
            // After some errors SQLite has rolled back by itself.
            if !tables.conn.is_autocommit()
                && let Err(error) = tables.conn.execute_batch("ROLLBACK")
            {
                tracing::error!(%error, "the store could not roll back");
            }
            tables.rolled_back();
        }
    }
    result
}

fn attempt(tables: &mut Tables<'_>, jobs: &mut [Box<dyn Job>]) -> Result<(), Failed> {
    let conn = tables.conn;
    let failed = |error| Failed::Commit(sqlite_error(tables.path, &error));
    conn.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    for job in jobs {
        job.apply(tables).map_err(Failed::Write)?;
    }
    conn.execute_batch("COMMIT").map_err(|error| Failed::Commit(sqlite_error(tables.path, &error)))
}
