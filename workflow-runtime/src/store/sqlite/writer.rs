//! The thread that owns the connection that writes.
//!
//! One writer, so that nobody waits for a lock of the database, and many
//! writes share the one thing that takes long: waiting for the disk. What
//! nobody waits for is written between them, and does not wait for the disk.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread::{JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use super::apply::{Tables, Trouble, Work};
use super::errors::sqlite_error;
use super::open::Opened;
use super::transact::{Guard, Transacting};
use super::values::Values;
use crate::store::{Done, StoreError, Transact, Transacted};

/// How long a line may wait for others that are written with it.
const LINGER: Duration = Duration::from_millis(50);

/// How many times lines are written in one transaction at most: about a
/// millisecond's worth, which is all that a commit of a run may have to wait.
const LINES: usize = 256;

/// How many times lines are taken from the queue before some are written,
/// however much else is behind them.
const MOST_LINES: usize = 64 * LINES;

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
    Lines(Box<dyn Job>),
    Transact(Transacting),
    Close,
}

impl Writer {
    pub(super) fn start(opened: Opened) -> Result<Self, StoreError> {
        let (queue, queued) = mpsc::channel();
        let path = opened.path.clone();
        // Checks the statements here, where a failure can be told.
        Tables::new(&path, &opened.conn).map_err(|error| sqlite_error(&path, &error))?;
        let thread = std::thread::Builder::new().name("workflow-store".to_owned());
        let thread = thread.spawn(move || run(opened, &queued)).map_err(|error| {
            let message = format!(
                "no thread can be started: {error}; raise the limit on processes and threads (`ulimit -u`)"
            );
            StoreError::Io { path, message }
        })?;
        Ok(Self { queue, id: thread.thread().id(), thread: Mutex::new(Some(thread)) })
    }

    /// Queues a write. `work` is an error when it is known not to fit.
    pub(super) fn submit<W: Work>(
        &self,
        work: Result<W, StoreError>,
        done: Done<Result<W::Outcome, StoreError>>,
    ) {
        self.send(Message::Job, work, done);
    }

    /// Queues what nobody waits for: it is written between the other writes,
    /// and does not wait for the disk.
    pub(super) fn mention<W: Work>(
        &self,
        work: Result<W, StoreError>,
        done: Done<Result<W::Outcome, StoreError>>,
    ) {
        self.send(Message::Lines, work, done);
    }

    fn send<W: Work>(
        &self,
        message: fn(Box<dyn Job>) -> Message,
        work: Result<W, StoreError>,
        done: Done<Result<W::Outcome, StoreError>>,
    ) {
        match work {
            // A queue that is closed drops the job, which then answers.
            Ok(work) => drop(self.queue.send(message(Box::new(Pending::new(work, done))))),
            Err(error) => done(Err(error)),
        }
    }

    /// Queues what a task does to tables of its own.
    pub(super) fn transact(&self, work: Transact, done: Done<Result<Transacted, StoreError>>) {
        drop(self.queue.send(Message::Transact(Transacting::new(work, done))));
    }

    /// Queues a write and waits for it.
    pub(super) fn ask<W: Work>(&self, work: W) -> Result<W::Outcome, StoreError> {
        if self.is_this_thread() {
            let message = "the store's own thread cannot wait for the store".to_owned();
            return Err(StoreError::Other { message });
        }
        let (answer, answered) = mpsc::sync_channel(1);
        self.submit(Ok(work), Box::new(move |outcome| drop(answer.send(outcome))));
        answered.recv().unwrap_or(Err(StoreError::Closed))
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

    fn is_this_thread(&self) -> bool {
        std::thread::current().id() == self.id
    }
}

/// A write and whoever waits for it.
trait Job: Send {
    /// Writes what it keeps beside the database.
    fn keep(&mut self, values: &mut Values);

    /// Only an error that may have left something half written is one here; a
    /// refusal is kept for the answer.
    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<(), StoreError>;

    fn answer(self: Box<Self>, committed: Result<(), StoreError>);

    fn size(&self) -> usize;
}

struct Pending<W: Work> {
    work: W,
    kept: Result<(), StoreError>,
    outcome: Option<Result<W::Outcome, StoreError>>,
    /// `None` once called.
    done: Option<Done<Result<W::Outcome, StoreError>>>,
}

impl<W: Work> Pending<W> {
    fn new(work: W, done: Done<Result<W::Outcome, StoreError>>) -> Self {
        Self { work, kept: Ok(()), outcome: None, done: Some(done) }
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
    fn keep(&mut self, values: &mut Values) {
        self.kept = self.work.keep(values);
    }

    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<(), StoreError> {
        let applied = match &self.kept {
            Ok(()) => self.work.apply(tables),
            Err(error) => Err(Trouble::Refused(error.clone())),
        };
        self.outcome = Some(match applied {
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

/// The life of the thread.
fn run(opened: Opened, queued: &Receiver<Message>) {
    // The lock goes after the connection.
    let Opened { path, mut conn, _lock } = opened;
    let guard = Guard::default();
    if let Err(error) = guard.watch(&mut conn) {
        tracing::error!(%error, "the store's thread could not begin");
        return;
    }
    // Shared with the task that it is lent to.
    let conn = Rc::new(conn);
    let mut tables = match Tables::new(&path, &conn) {
        Ok(tables) => tables,
        Err(error) => {
            tracing::error!(%error, "the store's thread could not begin");
            return;
        }
    };
    tables.sweep();
    let (mut group, mut lines) = (Vec::new(), Lines::default());
    let mut open = true;
    while open {
        let next = collect(queued, &mut group, &mut lines);
        commit(&mut tables, &mut group, true);
        match next {
            Next::Group => {}
            Next::Transact(transacting) => transacting.perform(&mut tables, &conn, &guard),
            Next::Closed => open = false,
        }
        // After them, so that no commit of a run waits for a line that came
        // before it.
        if lines.are_due() {
            commit(&mut tables, &mut lines.take(), false);
        }
    }
    while !lines.waiting.is_empty() {
        commit(&mut tables, &mut lines.take(), false);
    }
}

/// What nobody waits for.
#[derive(Default)]
struct Lines {
    waiting: VecDeque<Box<dyn Job>>,
    /// When the first of them is to be written.
    due: Option<Instant>,
}

impl Lines {
    fn push(&mut self, job: Box<dyn Job>) {
        self.due.get_or_insert_with(|| Instant::now() + LINGER);
        self.waiting.push_back(job);
    }

    fn are_due(&self) -> bool {
        self.waiting.len() >= LINES || self.due.is_some_and(|due| due <= Instant::now())
    }

    /// The first of them. What is left then is due as well.
    fn take(&mut self) -> Vec<Box<dyn Job>> {
        let some = self.waiting.drain(..self.waiting.len().min(LINES)).collect();
        if self.waiting.is_empty() {
            self.due = None;
        }
        some
    }
}

/// What comes after a group.
enum Next {
    Group,
    Transact(Transacting),
    Closed,
}

/// Waits for a write, or until lines are due, and takes what else is queued, up
/// to what is a transaction by itself.
fn collect(queued: &Receiver<Message>, group: &mut Vec<Box<dyn Job>>, lines: &mut Lines) -> Next {
    let mut bytes = 0;
    let mut next = match lines.due {
        None => queued.recv().ok(),
        Some(due) => match queued.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => return Next::Group,
            Err(RecvTimeoutError::Disconnected) => None,
        },
    };
    // Every sender is gone.
    if next.is_none() {
        return Next::Closed;
    }
    loop {
        match next {
            Some(Message::Job(job)) => {
                bytes += job.size();
                group.push(job);
            }
            Some(Message::Lines(job)) => lines.push(job),
            Some(Message::Transact(transacting)) => return Next::Transact(transacting),
            Some(Message::Close) => return Next::Closed,
            None => return Next::Group,
        }
        if group.len() >= GROUP || bytes >= GROUP_BYTES || lines.waiting.len() >= MOST_LINES {
            return Next::Group;
        }
        next = queued.try_recv().ok();
    }
}

/// Makes a group durable and answers it.
fn commit(tables: &mut Tables<'_>, group: &mut Vec<Box<dyn Job>>, durable: bool) {
    match transact(tables, group, durable) {
        Ok(()) => group.drain(..).for_each(|job| job.answer(Ok(()))),
        // One of them may be to blame: each gets its own transaction, in order.
        // (Savepoints would spare this, at a quarter of the throughput.)
        Err(Failed::Write(_)) if group.len() > 1 => {
            for mut job in group.drain(..) {
                let committed = transact(tables, std::slice::from_mut(&mut job), durable);
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

fn transact(tables: &mut Tables<'_>, jobs: &mut [Box<dyn Job>], durable: bool) -> Result<(), Failed> {
    if jobs.is_empty() {
        return Ok(());
    }
    let result = attempt(tables, jobs, durable);
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

fn attempt(tables: &mut Tables<'_>, jobs: &mut [Box<dyn Job>], durable: bool) -> Result<(), Failed> {
    let conn = tables.conn;
    tables.wait_for_disk(durable).map_err(Failed::Commit)?;
    // Not earlier: the write before this one may have removed such a file.
    jobs.iter_mut().for_each(|job| job.keep(&mut tables.values));
    let begun = conn.execute_batch("BEGIN IMMEDIATE");
    begun.map_err(|error| Failed::Commit(sqlite_error(tables.path(), &error)))?;
    for job in jobs {
        job.apply(tables).map_err(Failed::Write)?;
    }
    conn.execute_batch("COMMIT").map_err(|error| Failed::Commit(sqlite_error(tables.path(), &error)))
}
