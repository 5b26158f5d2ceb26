//! Threads for code that blocks: made when there is something to do, used
//! again, and given back when there has been nothing for a while.
//!
//! An engine has two such pools. One runs the `blocking` attempts of its users
//! and has as many threads as there are of these. The other does what the
//! engine itself has to wait for: reading the store, above all. Neither is
//! tokio's, whose threads are also for whatever the program around the engine
//! blocks on: once that has taken all of them, a run could not even be
//! cancelled.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::engine::time::Clock;
use crate::error::{Error, Result};
use crate::panics::contained;

/// How long a thread stays that has nothing to do.
const IDLE: Duration = Duration::from_secs(10);

/// How many threads wait for the store at a time: reading takes little, and a
/// thousand reads at once are no faster.
const MOST_OF_OURS: usize = 32;

pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// Starts a thread of the name that does what it is given.
type Spawn = fn(&'static str, Job) -> io::Result<()>;

/// The two pools of an engine.
pub(crate) struct Pools {
    users: Arc<Threads>,
    ours: Arc<Threads>,
    runtime: Handle,
    /// Whether a steered clock has to know of every thread at work.
    steered: AtomicBool,
}

impl Pools {
    /// Starts the engine's own first thread, so that a caller that cannot have it
    /// hears of that at once.
    pub(crate) fn start(runtime: &Handle, clock: &Clock) -> Result<Self> {
        let users = Threads::new("workflow-task", usize::MAX);
        let ours = Threads::new("workflow-engine", MOST_OF_OURS);
        let steered = clock.is_steered();
        if !steered {
            ours.keep_one().map_err(|error| Error::no_thread(&error))?;
        }
        Ok(Self { users, ours, runtime: runtime.clone(), steered: steered.into() })
    }

    /// Runs an attempt that may block for as long as it likes.
    pub(crate) fn run_users(&self, code: impl FnOnce() + Send + 'static) {
        self.run(&self.users, code);
    }

    /// Does what the engine has to wait for. Nothing is heard of what is not
    /// done because its runtime has gone.
    pub(crate) fn run_ours<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (answer, answered) = oneshot::channel();
        // Who has stopped waiting need not hear.
        self.run(&self.ours, move || drop(answer.send(work())));
        answered
    }

    fn run(&self, pool: &Arc<Threads>, work: impl FnOnce() + Send + 'static) {
        let runtime = self.runtime.clone();
        let work = move || {
            // As on a blocking thread of the runtime's, so that code may use
            // what belongs to it.
            let _entered = runtime.enter();
            work();
        };
        if self.steered.load(Ordering::Relaxed) {
            // A steered clock knows of these threads alone, and stands still
            // while they are at work.
            drop(self.runtime.spawn_blocking(work));
        } else {
            pool.run(Box::new(work));
        }
    }

    /// The runtime has ended, and its threads are no more.
    pub(crate) fn runtime_ended(&self) {
        self.steered.store(false, Ordering::Relaxed);
    }

    /// Has the threads end once they have done what is queued.
    pub(crate) fn close(&self) {
        self.users.close();
        self.ours.close();
    }

    /// Has threads for what could not have one before.
    pub(crate) fn staff(&self) {
        self.users.staff();
        self.ours.staff();
    }
}

impl Drop for Pools {
    fn drop(&mut self) {
        // Also where no engine has come of them.
        self.close();
    }
}

/// A pool of threads.
pub(crate) struct Threads {
    /// What its threads are called; the system shows fifteen bytes of it.
    name: &'static str,
    /// How many there are at most.
    most: usize,
    idle: Duration,
    spawn: Spawn,
    state: Mutex<State>,
    queued: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: usize,
    /// Threads that wait for something to do.
    waiting: usize,
    /// Whether the latest thread that was asked for could not be had.
    refused: bool,
    /// Whether the last thread stays, though it has nothing to do.
    keeps_one: bool,
    closed: bool,
}

impl Threads {
    /// A pool whose threads come as they are needed.
    pub(crate) fn new(name: &'static str, most: usize) -> Arc<Self> {
        Self::with(name, most, IDLE, spawn)
    }

    fn with(name: &'static str, most: usize, idle: Duration, spawn: Spawn) -> Arc<Self> {
        let (state, queued) = (Mutex::default(), Condvar::new());
        Arc::new(Self { name, most, idle, spawn, state, queued })
    }

    /// Has a thread ready that stays, so that what is given to the pool later
    /// is done whatever becomes of the others.
    pub(crate) fn keep_one(self: &Arc<Self>) -> io::Result<()> {
        let mut state = self.lock();
        if !state.keeps_one {
            self.start_thread(&mut state)?;
            state.keeps_one = true;
        }
        Ok(())
    }

    /// Has a job done as soon as a thread is free, or can be had.
    pub(crate) fn run(self: &Arc<Self>, job: Job) {
        let mut state = self.lock();
        state.queue.push_back(job);
        self.serve(&mut state);
    }

    /// Tries again to have threads for what waits, where there were none.
    pub(crate) fn staff(self: &Arc<Self>) {
        let mut state = self.lock();
        if state.refused {
            self.serve(&mut state);
        }
    }

    /// Has its threads end once they have done what is queued.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.queued.notify_all();
    }

    /// How many jobs wait for a thread.
    #[cfg(test)]
    fn waiting_jobs(&self) -> usize {
        self.lock().queue.len()
    }

    /// Has threads see to what is queued.
    fn serve(self: &Arc<Self>, state: &mut State) {
        for _ in 0..state.queue.len().min(state.waiting) {
            self.queued.notify_one();
        }
        while state.queue.len() > state.waiting && state.threads < self.most {
            match self.start_thread(state) {
                Ok(()) => state.refused = false,
                Err(error) => {
                    if !std::mem::replace(&mut state.refused, true) {
                        let (threads, waiting) = (state.threads, state.queue.len());
                        tracing::warn!(
                            %error, threads, waiting, pool = self.name,
                            "no further thread can be had; what needs one waits until it can"
                        );
                    }
                    return;
                }
            }
        }
    }

    /// A thread counts as waiting until it has taken its first job.
    fn start_thread(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        let pool = self.clone();
        (self.spawn)(self.name, Box::new(move || pool.work()))?;
        state.threads += 1;
        state.waiting += 1;
        Ok(())
    }

    /// What a thread does.
    fn work(&self) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.queue.pop_front() {
                state.waiting -= 1;
                drop(state);
                if let Err(failure) = contained(job) {
                    tracing::error!(%failure, "a thread's work panicked; please report this");
                }
                state = self.lock();
                state.waiting += 1;
                continue;
            }
            if state.closed {
                break;
            }
            let (woken, slept) =
                self.queued.wait_timeout(state, self.idle).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            let stays = state.keeps_one && state.threads == 1;
            if slept.timed_out() && state.queue.is_empty() && !stays {
                break;
            }
        }
        state.threads -= 1;
        state.waiting -= 1;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn spawn(name: &'static str, work: Job) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// A job that says that it has begun, and ends when it is told to.
    fn held(begun: &mpsc::Sender<()>) -> (Job, mpsc::Sender<()>) {
        let (end, ends) = mpsc::channel::<()>();
        let begun = begun.clone();
        let job = move || {
            begun.send(()).unwrap();
            let _ = ends.recv_timeout(LONG);
        };
        (Box::new(job), end)
    }

    #[test]
    fn what_blocks_for_ever_keeps_nothing_else_waiting() {
        let (pool, (begun, begins)) = (Threads::new("held", usize::MAX), mpsc::channel());
        let ends: Vec<_> = (0..600)
            .map(|_| {
                let (job, end) = held(&begun);
                pool.run(job);
                end
            })
            .collect();
        ends.iter().for_each(|_| begins.recv_timeout(LONG).unwrap());
    }

    #[test]
    fn a_thread_is_used_again_and_goes_when_there_is_nothing_to_do() {
        let pool = Threads::with("reused", usize::MAX, Duration::from_millis(1), spawn);
        let (said, hear) = mpsc::channel();
        for _ in 0..20 {
            let said = said.clone();
            pool.run(Box::new(move || said.send(()).unwrap()));
            hear.recv_timeout(LONG).unwrap();
        }
        // A thread says that it goes a moment before it lets go of the pool.
        let asked = Instant::now();
        while pool.lock().threads > 0 || Arc::strong_count(&pool) > 1 {
            assert!(asked.elapsed() < LONG, "something is left of its threads");
            thread::yield_now();
        }
    }

    #[test]
    fn a_pool_has_no_more_threads_than_it_may() {
        let (pool, (begun, begins)) = (Threads::new("few", 2), mpsc::channel());
        let mut ends: Vec<_> = (0..3)
            .map(|_| {
                let (job, end) = held(&begun);
                pool.run(job);
                end
            })
            .collect();
        (0..2).for_each(|_| begins.recv_timeout(LONG).unwrap());
        assert_eq!(pool.waiting_jobs(), 1);
        ends.remove(0).send(()).unwrap();
        begins.recv_timeout(LONG).unwrap();
    }

    #[test]
    fn a_thread_that_cannot_be_had_is_waited_for() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let refused_twice: Spawn = |name, work| match ASKED.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => Err(io::Error::from(io::ErrorKind::WouldBlock)),
            _ => spawn(name, work),
        };
        let pool = Threads::with("scarce", usize::MAX, IDLE, refused_twice);
        let (said, hear) = mpsc::channel();
        pool.run(Box::new(move || said.send(()).unwrap()));
        assert_eq!(pool.waiting_jobs(), 1);
        pool.staff();
        assert_eq!(pool.waiting_jobs(), 1);
        pool.staff();
        hear.recv_timeout(LONG).unwrap();
    }

    #[test]
    fn a_thread_that_is_kept_ends_with_its_pool() {
        let pool = Threads::with("kept", 4, Duration::from_millis(1), spawn);
        pool.keep_one().unwrap();
        let (said, hear) = mpsc::channel();
        pool.run(Box::new(move || said.send(()).unwrap()));
        hear.recv_timeout(LONG).unwrap();
        assert!(pool.lock().threads > 0);
        pool.close();
        while Arc::strong_count(&pool) > 1 {
            thread::yield_now();
        }
    }
}
