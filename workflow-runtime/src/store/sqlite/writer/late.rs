//! Writes that wait until a fault has passed: a disk that is full, a lock that
//! another program holds, too few file descriptors.
//!
//! Nothing that was decided is acted upon before it is written, so to write it
//! later loses nothing. SQLite has rolled back what it could not commit, so to
//! write it again writes it once.

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::group::{self, Failed};
use super::job::Job;
use crate::store::sqlite::apply::Tables;
use crate::store::sqlite::notice::{Board, Notice};
use crate::store::sqlite::transact::{Guard, Transacting, Untransacted};
use crate::store::{RunRef, StoreError, Trouble};

/// How long until the first try, twice as long each time. Real time, so tests
/// have little of it.
const FIRST: Duration = Duration::from_millis(if cfg!(test) { 10 } else { 100 });
const LONGEST: Duration = Duration::from_millis(if cfg!(test) { 100 } else { 5_000 });

/// How long a caller waits for a write that is given up, unwritten, when it
/// meets a fault: the caller can ask for it again.
const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 300 } else { 10_000 });

/// How long a task's transaction may have the thread before that is said.
const LONG: Duration = Duration::from_secs(2);

/// How many writes in a row fail before nothing else is tried until the next
/// try is due.
const IN_A_ROW: u32 = 4;

/// How many are tried in one transaction.
const GROUP: usize = 256;

/// What others see of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown(Arc<SharedState>);

#[derive(Debug, Default)]
struct SharedState {
    fault: Mutex<Option<Fault>>,
    held: Mutex<Option<HeldThread>>,
    /// Where other processes are told.
    board: Mutex<Option<Board>>,
}

/// A task's transaction that has the thread.
#[derive(Debug)]
struct HeldThread {
    error: StoreError,
    since: Instant,
    /// Whether other processes have been told.
    told: bool,
}

#[derive(Clone, Debug)]
struct Fault {
    error: StoreError,
    since: Instant,
    next: Instant,
    only: Option<Vec<RunRef>>,
}

impl Shown {
    /// A transaction that takes long keeps all others waiting. Its thread can
    /// not say so, so those that ask do.
    fn held(&self) -> Option<Trouble> {
        let mut held = lock(&self.0.held);
        let held = held.as_mut().filter(|held| held.since.elapsed() >= LONG)?;
        let (error, lasts) = (held.error.clone(), held.since.elapsed());
        if !std::mem::replace(&mut held.told, true) {
            self.tell(Some(Notice::new(&error, lasts, Duration::ZERO, true).of_any_run()));
        }
        Some(Trouble::new(error, lasts, Duration::ZERO))
    }

    /// Tells other processes.
    fn tell(&self, notice: Option<Notice>) {
        if let Some(board) = &mut *lock(&self.0.board) {
            board.say(notice);
        }
    }

    pub(super) fn trouble(&self) -> Option<Trouble> {
        let fault = lock(&self.0.fault).clone();
        let Some(fault) = fault else { return self.held() };
        let again_in = fault.next.saturating_duration_since(Instant::now());
        Some(Trouble { only: fault.only, ..Trouble::new(fault.error, fault.since.elapsed(), again_in) })
    }
}

/// What waits.
pub(super) enum What {
    Job(Box<dyn Job>),
    Transact(Transacting),
    /// It was begun and could not be committed. A caller that hears of that
    /// begins another, which is not to happen again and again at once.
    Untransacted(Transacting, StoreError),
}

struct Waiting {
    what: What,
    since: Instant,
}

impl What {
    fn run(&self) -> Option<RunRef> {
        match self {
            Self::Job(job) => job.run(),
            Self::Transact(_) | Self::Untransacted(..) => None,
        }
    }

    fn give_up(self, error: StoreError) {
        match self {
            Self::Job(job) => job.answer(Err(error)),
            Self::Transact(transacting) => transacting.fail(error),
            Self::Untransacted(transacting, error) => transacting.fail(error),
        }
    }
}

/// What is lent to a task's transaction.
pub(super) struct Lent<'a> {
    pub(super) conn: &'a Rc<Connection>,
    pub(super) guard: &'a Guard,
}

/// What waits, in order, and for how long still.
pub(super) struct Late {
    waiting: VecDeque<Waiting>,
    /// The runs that have something among it.
    runs: HashSet<RunRef>,
    fault: Option<Fault>,
    pause: Duration,
    tries: u32,
    /// How many writes have failed since one succeeded.
    in_a_row: u32,
    shown: Shown,
    /// Whether there is something new to tell other processes.
    changed: bool,
}

impl Late {
    pub(super) fn new(shown: Shown, board: Option<Board>) -> Self {
        let (waiting, runs) = (VecDeque::new(), HashSet::new());
        let (pause, changed) = (FIRST, false);
        *lock(&shown.0.board) = board;
        Self { waiting, runs, fault: None, pause, tries: 0, in_a_row: 0, shown, changed }
    }

    /// When what waits is tried again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.fault.as_ref().map(|fault| fault.next)
    }

    /// Whether nothing gets through, so that nothing is tried before the next
    /// try is due.
    pub(super) fn is_stalled(&self) -> bool {
        self.in_a_row >= IN_A_ROW
    }

    /// Whether something of a run waits, so that what follows has to, too.
    pub(super) fn holds(&self, run: Option<RunRef>) -> bool {
        !self.runs.is_empty() && run.is_some_and(|run| self.runs.contains(&run))
    }

    /// A write met a fault that may pass, and waits.
    pub(super) fn put(&mut self, what: What, error: &StoreError) {
        self.put_behind(what);
        self.failed(error);
    }

    /// It waits for those before it.
    pub(super) fn put_behind(&mut self, what: What) {
        self.keep(Waiting { what, since: Instant::now() });
    }

    fn keep(&mut self, waiting: Waiting) {
        self.runs.extend(waiting.what.run());
        self.changed = true;
        self.waiting.push_back(waiting);
    }

    /// A write met a fault that may pass.
    pub(super) fn failed(&mut self, error: &StoreError) {
        // No other write gets past a lock, and each would wait for long.
        let locked = matches!(error, StoreError::Busy { .. });
        self.in_a_row = if locked { IN_A_ROW } else { self.in_a_row.saturating_add(1) };
        let now = Instant::now();
        if let Some(fault) = &mut self.fault {
            fault.error = error.clone();
        } else {
            tracing::warn!(%error, "the store cannot be written: what is decided waits, and is written once it can be");
            (self.pause, self.tries) = (FIRST, 0);
            self.fault = Some(Fault { error: error.clone(), since: now, next: now + FIRST, only: None });
        }
        self.show();
    }

    /// A write has got through.
    pub(super) fn well(&mut self) {
        self.in_a_row = 0;
        let Some(fault) = &self.fault else { return };
        if self.waiting.is_empty() {
            let (after, tries) = (fault.since.elapsed(), self.tries);
            tracing::info!(?after, tries, "the store can be written again");
            self.fault = None;
        }
        self.show();
    }

    fn is_locked(&self) -> bool {
        self.fault.as_ref().is_some_and(|fault| matches!(fault.error, StoreError::Busy { .. }))
    }

    fn show(&mut self) {
        let is_stalled = self.is_stalled();
        if let Some(fault) = &mut self.fault {
            fault.only = (!is_stalled).then(|| self.runs.iter().copied().collect());
        }
        *lock(&self.shown.0.fault) = self.fault.clone();
        self.changed = true;
    }

    /// Tells other processes, if there is something new.
    pub(super) fn tell(&mut self) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        let all = self.is_stalled();
        let notice = self.fault.as_ref().map(|fault| {
            let again_in = fault.next.saturating_duration_since(Instant::now());
            let notice = Notice::new(&fault.error, fault.since.elapsed(), again_in, all);
            notice.of_runs(self.runs.iter().copied())
        });
        self.shown.tell(notice);
    }

    /// Tries what waits, if it is time to.
    pub(super) fn see_to(&mut self, tables: &mut Tables<'_>, lent: &Lent<'_>) {
        if self.due().is_none_or(|due| due > Instant::now()) {
            return;
        }
        self.tries += 1;
        self.in_a_row = 0;
        self.try_all(tables, lent);
        if self.waiting.is_empty() && self.in_a_row == 0 && self.fault.is_some() {
            // It may be a while until anything else is to be written.
            match group::probe(tables) {
                Ok(()) => self.well(),
                Err(error) => self.failed(&error),
            }
        }
        // SQLite itself waits for a lock, and sees at once that it is gone.
        let longest = if self.is_locked() { FIRST } else { LONGEST };
        self.pause = (self.pause * 2).min(longest);
        if let Some(fault) = &mut self.fault {
            fault.next = Instant::now() + self.pause;
        }
        self.show();
    }

    /// The store is being closed: what cannot be written now is not.
    pub(super) fn close(&mut self, tables: &mut Tables<'_>, lent: &Lent<'_>) {
        self.in_a_row = 0;
        self.try_all(tables, lent);
        let error = self.fault.as_ref().map_or(StoreError::Closed, |fault| fault.error.clone());
        self.waiting.drain(..).for_each(|waiting| waiting.what.give_up(error.clone()));
    }

    /// Tries all, in order, until it is clear that nothing gets through.
    fn try_all(&mut self, tables: &mut Tables<'_>, lent: &Lent<'_>) {
        let mut left = std::mem::take(&mut self.waiting);
        self.runs.clear();
        while !left.is_empty() {
            let jobs = left.iter().take_while(|waiting| matches!(waiting.what, What::Job(_)));
            let count = jobs.take(GROUP).count();
            if count > 0 {
                let group = left.drain(..count).collect();
                self.try_jobs(tables, group);
            } else if let Some(Waiting { what, since }) = left.pop_front() {
                self.try_transaction(tables, lent, what, since);
            }
        }
    }

    fn try_jobs(&mut self, tables: &mut Tables<'_>, group: Vec<Waiting>) {
        let mut jobs = Vec::with_capacity(group.len());
        let mut since = Vec::with_capacity(group.len());
        for waiting in group {
            if let What::Job(job) = waiting.what {
                jobs.push(job);
                since.push(waiting.since);
            }
        }
        // All at once, and each by itself where that fails.
        let alone = jobs.len() == 1 || self.is_stalled() || jobs.iter().any(|job| self.holds(job.run()));
        if !alone {
            match group::write(tables, &mut jobs) {
                Ok(()) => {
                    jobs.into_iter().for_each(|job| job.answer(Ok(())));
                    return self.well();
                }
                Err(Failed::Commit(error) | Failed::Write(error))
                    if matches!(error, StoreError::Busy { .. }) =>
                {
                    self.failed(&error);
                }
                Err(_) => {}
            }
        }
        for (mut job, since) in jobs.into_iter().zip(since) {
            let error = if self.is_stalled() || self.holds(job.run()) {
                self.fault.as_ref().map(|fault| fault.error.clone())
            } else {
                match group::write(tables, std::slice::from_mut(&mut job)).map_err(Failed::into_error) {
                    Err(error) if error.is_passing() => {
                        self.failed(&error);
                        Some(error)
                    }
                    written => {
                        let got_through = written.is_ok();
                        job.answer(written);
                        if got_through {
                            self.well();
                        }
                        continue;
                    }
                }
            };
            match error {
                Some(error) if !job.is_patient() && since.elapsed() >= PATIENCE => job.answer(Err(error)),
                _ => self.keep(Waiting { what: What::Job(job), since }),
            }
        }
    }

    fn try_transaction(&mut self, tables: &mut Tables<'_>, lent: &Lent<'_>, what: What, since: Instant) {
        match what {
            What::Job(_) => self.keep(Waiting { what, since }),
            What::Untransacted(transacting, error) => transacting.fail(error),
            What::Transact(transacting) if self.is_stalled() => {
                self.keep(Waiting { what: What::Transact(transacting), since });
            }
            What::Transact(transacting) => self.transact(tables, lent, transacting),
        }
    }

    /// Has a task write, or keeps it waiting.
    pub(super) fn transact(&mut self, tables: &mut Tables<'_>, lent: &Lent<'_>, transacting: Transacting) {
        if self.is_stalled() {
            return self.put_behind(What::Transact(transacting));
        }
        let (path, key) = (tables.path().to_owned(), transacting.key().unwrap_or_default().to_owned());
        let error = StoreError::Held { path, key };
        *lock(&self.shown.0.held) = Some(HeldThread { error, since: Instant::now(), told: false });
        let performed = transacting.perform(tables, lent.conn, lent.guard);
        let held = lock(&self.shown.0.held).take();
        self.changed |= held.is_some_and(|held| held.told);
        match performed {
            None => {}
            Some(Untransacted { transacting, error, begun: false }) => {
                self.put(What::Transact(transacting), &error);
            }
            Some(Untransacted { transacting, error, begun: true }) => {
                self.put(What::Untransacted(transacting, error.clone()), &error);
            }
        }
    }
}

/// Before the store is another process's, which tells what it likes.
impl Drop for Late {
    fn drop(&mut self) {
        drop(lock(&self.shown.0.board).take());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
