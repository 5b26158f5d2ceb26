//! Who polls: the workers of a run.
//!
//! A worker takes a ready attempt, polls it in place, and goes on with what
//! its end made ready, all in one tokio task: a chain of steps costs no
//! wake-up and no task of its own. Where more than one attempt is ready,
//! further workers are spawned, up to the number of the runtime's threads, so
//! that work on the CPU uses all of them.
//!
//! A worker whose attempt has to wait stops counting as one and stays with it.
//! Once the attempt has ended it goes on as a worker, or leaves what is ready
//! to the others if there are enough of them.

use std::sync::Arc;
use std::time::Duration;

use super::attempt::{self, Attempt, Done, Given, TimeLimits};
use super::host::{After, Inner, RunHost};
use crate::definition::Kind;
use crate::run::{AttemptEnd, Event, Key, Timestamp};
use crate::task::{Env, Moved, Purpose};
use crate::value::Value;

/// An attempt that may start.
#[derive(Clone, Copy)]
pub(crate) struct Ready {
    pub(crate) key: Key,
    pub(crate) epoch: u32,
    pub(crate) attempt: u32,
    pub(crate) last: bool,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) goal: Goal,
}

/// What an attempt is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// What the step is there for.
    Do,
    /// To take it back.
    Undo,
    /// To find out whether it was done.
    Reconcile,
}

/// How long a worker polls before it lets other tasks of the runtime have its
/// thread. By time, since a handover costs as much as many short steps.
const TURN: Duration = Duration::from_micros(200);

/// The same by number, for a clock that stands still.
const ATTEMPTS_A_TURN: u32 = 1024;

async fn work(host: Arc<RunHost>) {
    let mut given = None;
    let mut next = host.first_attempt(&mut given);
    let (mut turn_began, mut attempts) = (Timestamp::default(), 0);
    while let Some(attempt) = next {
        let began = attempt.limits.began;
        if attempts >= ATTEMPTS_A_TURN || (attempts > 0 && began.since(turn_began) > TURN) {
            attempts = 0;
            tokio::task::yield_now().await;
        }
        if attempts == 0 {
            turn_began = began;
        }
        let done = attempt::run(&host, &attempt, &mut given).await;
        attempts = if done.waited { 0 } else { attempts + 1 };
        drop(attempt);
        next = host.next_attempt(done, &mut given);
    }
}

impl RunHost {
    /// Starts the run.
    pub(super) fn begin(self: &Arc<Self>, inner: &mut Inner, after: &mut After) {
        self.handle(inner, after, Event::Begun, None);
        self.call_workers(inner, after);
    }

    pub(crate) fn spawn_worker(self: &Arc<Self>) {
        // The handle is not needed: a worker ends when there is nothing ready.
        drop(self.core.runtime.spawn(work(self.clone())));
    }

    /// Has enough workers spawned for what is ready.
    pub(crate) fn call_workers(&self, inner: &mut Inner, after: &mut After) {
        if !self.core.begins {
            return;
        }
        let more = inner.ready.len().min(self.core.parallelism.saturating_sub(inner.working));
        inner.working += more;
        after.workers += more;
    }

    fn first_attempt(self: &Arc<Self>, given: &mut Given) -> Option<Attempt> {
        self.with(|inner, after| {
            inner.now = self.core.clock.now();
            self.take_attempt(inner, after, given)
        })
    }

    /// Reports an attempt's end, and takes the next one.
    fn next_attempt(self: &Arc<Self>, done: Done, given: &mut Given) -> Option<Attempt> {
        self.with(|inner, after| {
            inner.attempts -= 1;
            inner.cache_key = done.cache_key;
            self.end_attempt(inner, after, done.key, done.epoch, done.end, done.output);
            if done.waited {
                if inner.working >= self.core.parallelism {
                    return None;
                }
                inner.working += 1;
            }
            self.take_attempt(inner, after, given)
        })
    }

    /// The worker's attempt waits: another may poll in its place.
    pub(crate) fn pause_worker(self: &Arc<Self>) {
        self.with(|inner, after| {
            inner.working -= 1;
            self.call_workers(inner, after);
        });
    }

    fn end_attempt(
        self: &Arc<Self>,
        inner: &mut Inner,
        after: &mut After,
        key: Key,
        epoch: u32,
        end: AttemptEnd,
        output: Option<Value>,
    ) {
        inner.controls.remove(key, epoch);
        self.release(inner, after, key, epoch);
        // Only a failure may lead to a wait that needs a random part.
        let roll =
            if matches!(end, AttemptEnd::Ok | AttemptEnd::Reused) { 0.5 } else { self.core.random.roll() };
        self.handle(inner, after, Event::AttemptEnded { key, epoch, end, roll }, output);
        // Not heard, if the run has ended meanwhile.
        inner.cache_key = None;
        // Whoever waits for an interrupted run to come to rest.
        after.changed = true;
    }

    /// Takes the next ready attempt for a worker, and calls others for the
    /// rest. Without one, the worker ends.
    fn take_attempt(
        self: &Arc<Self>,
        inner: &mut Inner,
        after: &mut After,
        given: &mut Given,
    ) -> Option<Attempt> {
        while let Some(ready) = inner.ready.pop_front() {
            if self.is_stopping() && inner.controls.is_stopped(ready.key, ready.epoch) {
                self.end_attempt(inner, after, ready.key, ready.epoch, AttemptEnd::Cancelled, None);
                continue;
            }
            if let Some(attempt) = self.prepare(inner, ready, given) {
                inner.attempts += 1;
                self.call_workers(inner, after);
                return Some(attempt);
            }
            // Its region was closed before it began.
            inner.controls.remove(ready.key, ready.epoch);
            self.release(inner, after, ready.key, ready.epoch);
        }
        inner.working -= 1;
        None
    }

    /// Gathers what an attempt needs.
    fn prepare(self: &Arc<Self>, inner: &mut Inner, ready: Ready, given: &mut Given) -> Option<Attempt> {
        let Ready { key, epoch, attempt, last, deadline, goal } = ready;
        if let Some(room) = inner.room.get_mut(&(key, epoch)) {
            room.taken = true;
        }
        let frame = inner.frames.get_mut(key.frame)?;
        let step = frame.scope.step(key.step)?;
        let Kind::Task(task) = step.kind else { return None };

        let (purpose, def) = match goal {
            Goal::Do => (Purpose::Attempt, task.task),
            Goal::Undo => (Purpose::Undo { output: frame.output(key.step)? }, task.task.undo?.task),
            Goal::Reconcile => (Purpose::Reconcile, task.task.reconcile?.task),
        };
        let (env, moved) =
            given.get_or_insert_with(|| (Env::new(self.context(key, epoch, attempt)), Moved::default()));
        // Read before anything is taken: both lists may name the same slot
        // when the graph says so, and neither may then find it empty.
        env.give(frame.read_all(&task.reads), purpose, task.arm);
        if let Some(context) = env.context_mut() {
            context.renew(key, epoch, attempt, goal == Goal::Undo, &frame.scope);
        }
        // An undo gets the step's arguments once more, and so does whoever
        // finds out what became of the attempt.
        let consume = last && task.task.undo.is_none() && task.task.reconcile.is_none();
        *moved = if consume { frame.consumed(&task) } else { frame.shared(&task) };
        let policy = if goal == Goal::Do { task.policy } else { &def.policy };
        if let Some(record) = frame.records.get_mut(usize::from(key.step))
            && goal == Goal::Do
        {
            // When it was taken up, which may be later than when it might have.
            (record.begun, record.started_at) = (true, Some(inner.now));
        }
        let span = if tracing::enabled!(tracing::Level::INFO) {
            let path = frame.scope.path(key.step);
            let span = tracing::info_span!(parent: &self.span, "attempt", step = path, attempt);
            self.listen(&span, &path, attempt, goal == Goal::Undo);
            span
        } else {
            tracing::Span::none()
        };
        Some(Attempt {
            key,
            epoch,
            start: task.start,
            blocking: def.blocking,
            transaction: def.transaction.then_some(def),
            witnessed: goal != Goal::Reconcile,
            limits: TimeLimits { began: inner.now, timeout: policy.timeout, deadline },
            span,
        })
    }

    /// Has what the attempt says kept, where the program wants that.
    #[cfg(feature = "logs")]
    fn listen(&self, span: &tracing::Span, path: &str, attempt: u32, undo: bool) {
        // In memory there is nowhere to keep it.
        if let Some(run) = self.journal.as_ref().and_then(|journal| journal.run.get()) {
            crate::logs::keep(span, || crate::logs::AttemptLog::new(&self.core, *run, path, attempt, undo));
        }
    }

    #[cfg(not(feature = "logs"))]
    fn listen(&self, _span: &tracing::Span, _path: &str, _attempt: u32, _undo: bool) {}
}
