//! The thread that owns the connection that writes.
//!
//! One writer, so that no caller waits for a lock of the database, and many
//! writes share the one thing that takes long: waiting for the disk (`group`).
//! What no caller waits for is written between them, and does not wait for the
//! disk. What meets a fault that may pass waits until it has (`late`).

mod chores;
mod group;
mod job;
mod late;

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use self::chores::{Chores, Removal};
use self::job::{Job, Pending};
use self::late::{Late, Lent, Shown};
use super::apply::{Tables, Work};
use super::errors::sqlite_error;
use super::lock::Watch;
use super::moved;
use super::notice::Board;
use super::open::Opened;
use super::transact::{Guard, Transacting};
use crate::run::Timestamp;
use crate::store::{Done, StoreError, Transact, Transacted, Trouble};

/// How long a write waits for a lock of another program. What is not written
/// then is tried again.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// How many statements of seldom writes are kept.
const STATEMENTS: usize = 32;

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
    fault: Shown,
    thread: Mutex<Option<JoinHandle<()>>>,
    watch: Arc<Watch>,
}

enum Message {
    Job(Box<dyn Job>),
    Lines(Box<dyn Job>),
    Transact(Transacting),
    Remove(Removal),
    Close,
}

impl Writer {
    pub(super) fn start(opened: Opened) -> Result<Self, StoreError> {
        let (queue, queued) = mpsc::channel();
        let Opened { conn, owned } = opened;
        let path = owned.path().to_owned();
        // Checks the statements here, where a failure can be told.
        Tables::new(&path, &conn).map_err(|error| sqlite_error(&path, &error))?;
        let watch = owned.watch().clone();
        let fault = Shown::default();
        let shown = fault.clone();
        let thread = std::thread::Builder::new().name("workflow-store".to_owned());
        let thread = thread.spawn(move || run(Opened { conn, owned }, &queued, shown)).map_err(|error| {
            let message = format!(
                "no thread can be started: {error}; raise the limit on processes and threads (`ulimit -u`)"
            );
            StoreError::Io { path, message }
        })?;
        Ok(Self { queue, id: thread.thread().id(), fault, thread: Mutex::new(Some(thread)), watch })
    }

    /// Whether the files are where they were.
    pub(super) fn check_owned(&self) -> Result<(), StoreError> {
        self.watch.check()
    }

    /// What keeps writes waiting just now.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.fault.trouble()
    }

    /// Queues a write. `work` is an error when it is known not to fit.
    pub(super) fn submit<W: Work>(
        &self,
        work: Result<W, StoreError>,
        done: Done<Result<W::Outcome, StoreError>>,
    ) {
        self.send(Message::Job, work, done);
    }

    /// Queues what no caller waits for: it is written between the other writes,
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

    /// Has runs removed, in pieces between the other writes, and waits for that.
    pub(super) fn remove(&self, before: Timestamp, at_most: usize) -> Result<usize, StoreError> {
        self.wait_for(|done| {
            let removal = Removal::new(before, at_most, done);
            drop(self.queue.send(Message::Remove(removal)));
        })
    }

    /// Queues a write and waits for it.
    pub(super) fn ask<W: Work>(&self, work: W) -> Result<W::Outcome, StoreError> {
        self.wait_for(|done| self.submit(Ok(work), done))
    }

    fn wait_for<T: Send + 'static>(
        &self,
        ask: impl FnOnce(Done<Result<T, StoreError>>),
    ) -> Result<T, StoreError> {
        if self.is_this_thread() {
            let message = "the store's own thread cannot wait for the store".to_owned();
            return Err(StoreError::Other { message });
        }
        let (answer, answered) = mpsc::sync_channel(1);
        ask(Box::new(move |outcome| drop(answer.send(outcome))));
        answered.recv().unwrap_or(Err(StoreError::Closed))
    }

    pub(super) fn close(&self) {
        drop(self.queue.send(Message::Close));
        // What is called by the writer cannot wait for it.
        if self.is_this_thread() {
            return;
        }
        // Another caller that closes it waits here: once any of them is back,
        // the file can be opened again.
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the store's thread panicked; please report this");
        }
    }

    fn is_this_thread(&self) -> bool {
        std::thread::current().id() == self.id
    }
}

/// The life of the thread.
fn run(opened: Opened, queued: &Receiver<Message>, shown: Shown) {
    // Dropped from the last to the first: it is owned until the connection has
    // gone.
    let Opened { mut conn, owned } = opened;
    let watch = owned.watch().clone();
    let mut late = Late::new(shown, Board::make(owned.path()));
    let guard = Guard::default();
    if let Err(error) = guard.watch(&mut conn) {
        tracing::error!(%error, "the store's thread could not begin");
        return;
    }
    if let Err(error) = conn.busy_timeout(BUSY_TIMEOUT) {
        tracing::warn!(%error, "how long the store waits for others is not set");
    }
    // What a removal asks is asked with every piece of it.
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    // Shared with the task that it is lent to.
    let conn = Rc::new(conn);
    let mut tables = match Tables::new(owned.path(), &conn) {
        Ok(tables) => tables,
        Err(error) => {
            tracing::error!(%error, "the store's thread could not begin");
            return;
        }
    };
    tables.watch = Some(watch.clone());
    tables.sweep();
    let lent = Lent { conn: &conn, guard: &guard };
    let (mut group, mut lines, mut chores) = (Vec::new(), Lines::default(), Chores::new());
    let mut open = true;
    while open {
        let next = collect(queued, &mut group, &mut lines, &mut chores, &late);
        if !group.is_empty() {
            chores.is_busy();
        }
        late.see_to(&mut tables, &lent);
        group::commit(&mut tables, &mut group, &mut late);
        match next {
            AfterGroup::Group => {}
            AfterGroup::Transact(transacting) => late.transact(&mut tables, &lent, transacting),
            AfterGroup::Closed => open = false,
        }
        // After them, so that no commit of a run waits for a line that came
        // before it.
        if lines.are_due() && !late.is_stalled() {
            lines.write(&mut tables, &mut late);
        }
        chores.see_to(&mut tables, &mut late);
        late.tell();
    }
    late.close(&mut tables, &lent);
    while !lines.waiting.is_empty() && !late.is_stalled() {
        lines.write(&mut tables, &mut late);
    }
    let gone = watch.check().is_err();
    if !gone && !late.is_stalled() && tables.wait_for_disk(false).is_ok() {
        moved::forget(&conn);
    }
    watch.end();
    if gone {
        leave(&conn, &watch);
    }
}

/// The database is not where it was. What was committed before that is in it,
/// wherever it is; another one's log is left alone.
fn leave(conn: &Connection, watch: &Watch) {
    let mut left = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    if !watch.has_log() {
        let kept = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        left = left.and(kept.map(drop));
    }
    if let Err(error) = left {
        tracing::warn!(%error, "what a store's log holds could not be written into it");
    }
}

/// What no caller waits for.
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

    /// Writes the first of them. What is left then is due as well.
    fn write(&mut self, tables: &mut Tables<'_>, late: &mut Late) {
        let mut some = self.waiting.drain(..self.waiting.len().min(LINES)).collect();
        group::say(tables, &mut some, late);
        some.into_iter().rev().for_each(|job| self.waiting.push_front(job));
        if self.waiting.is_empty() {
            self.due = None;
        }
    }
}

/// What comes after a group.
enum AfterGroup {
    Group,
    Transact(Transacting),
    Closed,
}

/// Waits for a write, or until lines or what is late are due, and takes what
/// else is queued, up to what is a transaction by itself.
fn collect(
    queued: &Receiver<Message>,
    group: &mut Vec<Box<dyn Job>>,
    lines: &mut Lines,
    chores: &mut Chores,
    late: &Late,
) -> AfterGroup {
    let mut bytes = 0;
    let lines_due = lines.due.filter(|_| !late.is_stalled());
    let chores_due = chores.due().filter(|_| !late.is_stalled());
    let due = [lines_due, chores_due, late.due()].into_iter().flatten().min();
    let mut next = match due {
        None => queued.recv().ok(),
        Some(due) => match queued.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => return AfterGroup::Group,
            Err(RecvTimeoutError::Disconnected) => None,
        },
    };
    // Every sender is gone.
    if next.is_none() {
        return AfterGroup::Closed;
    }
    loop {
        match next {
            Some(Message::Job(job)) => {
                bytes += job.size();
                group.push(job);
            }
            Some(Message::Lines(job)) => lines.push(job),
            Some(Message::Transact(transacting)) => return AfterGroup::Transact(transacting),
            Some(Message::Remove(removal)) => chores.push(removal),
            Some(Message::Close) => return AfterGroup::Closed,
            None => return AfterGroup::Group,
        }
        if group.len() >= GROUP || bytes >= GROUP_BYTES || lines.waiting.len() >= MOST_LINES {
            return AfterGroup::Group;
        }
        next = queued.try_recv().ok();
    }
}
