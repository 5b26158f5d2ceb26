//! Who polls: the workers of a run.
//!
//! A worker takes a ready attempt, polls it in place, and goes on with what
//! its end made ready, all in one tokio task: a chain of steps costs no
//! wake-up and no task of its own. Where more than one attempt is ready, and
//! they are not all done sooner than a thread wakes, further workers are
//! spawned, up to the number of the runtime's threads, so that work on the CPU
//! uses all of them.
//!
//! A worker whose attempt has to wait stops counting as one and stays with it.
//! Once the attempt has ended it goes on as a worker, or leaves what is ready
//! to the others if there are enough of them.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::attempts::attempt;
use crate::engine::attempts::attempt::{Attempt, End, Given, Over};
use crate::engine::attempts::left_behind::{Code, Stray};
use crate::engine::instance::{After, Inner, RunHost};
use crate::run::{AttemptEnd, Event, Key, Timestamp};
use crate::task::Purpose;
use crate::task::definition::Kind;
use crate::value::Value;
use crate::view::Stuck;

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

/// A worker: the attempt that it is at, and what that is given. It is large, so
/// it stays where it is from attempt to attempt.
pub(crate) struct Worker {
    pub(crate) attempt: Option<Attempt>,
    pub(crate) given: Given,
    /// Empty from attempt to attempt; kept for its memory.
    after: After,
}

async fn work(host: Arc<RunHost>) {
    let mut worker = Worker { attempt: None, given: Given::new(&host), after: After::default() };
    host.first_attempt(&mut worker);
    let (mut turn_began, mut attempts) = (Timestamp::default(), 0);
    while let Some(attempt) = &mut worker.attempt {
        if attempts >= ATTEMPTS_A_TURN || (attempts > 0 && attempt.steady.since(turn_began) > TURN) {
            attempts = 0;
            tokio::task::yield_now().await;
            let now = host.core.clock.now();
            attempt.begins_later(now, host.core.clock.steady_of(now));
        }
        if attempts == 0 {
            turn_began = attempt.steady;
        }
        let over = attempt::run(&host, attempt, &mut worker.given).await;
        // The first one of a turn may have waited for the thread.
        let is_timed = attempts > 0 && !over.waited;
        attempts = if over.waited { 0 } else { attempts + 1 };
        host.next_attempt(&mut worker, over, is_timed);
    }
}

impl RunHost {
    /// Starts the run.
    pub(crate) fn begin(self: &Arc<Self>, inner: &mut Inner, after: &mut After) {
        self.handle(inner, after, Event::Begun, None);
        self.call_workers(inner, after);
    }

    pub(crate) fn spawn_worker(self: &Arc<Self>) {
        // The handle is not needed: a worker ends when there is nothing ready.
        drop(self.core.runtime.spawn(work(self.clone())));
    }

    /// Has enough workers spawned for what is ready.
    #[inline]
    pub(crate) fn call_workers(&self, inner: &mut Inner, after: &mut After) {
        if !self.core.mode.works() {
            return;
        }
        let more = inner.work.ready.len().min(self.core.parallelism.saturating_sub(inner.work.working));
        inner.work.working += more;
        after.workers += more;
    }

    fn first_attempt(self: &Arc<Self>, worker: &mut Worker) {
        let Worker { attempt, given, after } = worker;
        self.with_after(after, |inner, after| {
            inner.run.now = self.core.clock.now();
            *attempt = self.take_attempt(inner, after, given);
        });
        self.step_aside(worker);
    }

    /// Reports an attempt's end, and takes the next one.
    #[inline]
    fn next_attempt(self: &Arc<Self>, worker: &mut Worker, over: Over, is_timed: bool) {
        let Over { end, waited, left } = over;
        let Worker { attempt, given, after } = worker;
        let Some(ended) = attempt.take() else { return };
        self.with_after(after, |inner, after| {
            let stray = inner.work.left_behind.remove(ended.key, ended.epoch);
            let is_counted = !waited && !stray.as_ref().is_some_and(|stray| stray.uncounted);
            match stray.filter(|stray| stray.stuck.given_up) {
                // The run has heard of its end already.
                Some(stray) => self.returned(inner, after, &stray),
                None => {
                    inner.work.attempts -= 1;
                    self.hear_end(inner, after, &ended, end, left);
                }
            }
            if is_timed {
                self.core.paces.note(ended.task, inner.run.now.since(ended.began));
            }
            if is_counted {
                inner.work.leave(&ended);
            }
            // A worker that is back soon does it alone, if it is little.
            let is_done_alone =
                inner.work.back_soon > 0 && self.core.paces.does_alone(ended.task, inner.work.ready.len());
            if is_done_alone || inner.work.working >= self.core.parallelism {
                return;
            }
            inner.work.working += 1;
            *attempt = self.take_attempt(inner, after, given);
        });
        self.step_aside(worker);
    }

    /// What the worker has woken waits in a place of its thread that no other
    /// one takes from, until the worker itself waits. If it is about to poll
    /// it makes room there.
    #[inline]
    fn step_aside(&self, worker: &mut Worker) {
        if std::mem::take(&mut worker.after.woke) && worker.attempt.is_some() && self.core.parallelism > 1 {
            drop(self.core.runtime.spawn(std::future::ready(())));
        }
    }

    /// The worker's attempt waits: another may poll in its place.
    pub(crate) fn pause_worker(self: &Arc<Self>, attempt: &Attempt) {
        self.with(|inner, after| {
            let Attempt { key, epoch, .. } = *attempt;
            match inner.work.left_behind.find(key, epoch) {
                // Its first poll took long, so it does not count any more.
                Some(stray) if stray.stuck.given_up => {}
                Some(_) => drop(inner.work.left_behind.remove(key, epoch)),
                None => inner.work.leave(attempt),
            }
            if !inner.work.room.is_empty() {
                self.pass_turn(inner, after, key, epoch);
            }
            self.call_workers(inner, after);
        });
    }

    /// Reports how an attempt ended. `left`: its code, where that may go on.
    #[inline]
    fn hear_end(
        self: &Arc<Self>,
        inner: &mut Inner,
        after: &mut After,
        ended: &Attempt,
        end: End,
        left: Option<Arc<Code>>,
    ) {
        let Attempt { key, epoch, .. } = *ended;
        let left = left.and_then(|code| Some((code.leave()?, code)));
        let (end, output) = ended.told(end, &mut inner.cache_key, left.is_some());
        let Some((since, code)) = left else {
            return self.end_attempt(inner, after, key, epoch, end, output);
        };
        inner.run.now = self.core.clock.now();
        inner.tell_left_behind(key, epoch, since);
        inner.work.controls.remove(key, epoch);
        let (step, attempt) = (code.step.clone(), code.attempt);
        let stuck = Stuck { step, attempt, since, blocking: true, given_up: true };
        self.leave_behind(inner, after, Stray::of(&inner.run.frames, key, epoch, stuck));
        self.attempt_ended(inner, after, key, epoch, end, output);
    }

    #[inline]
    fn end_attempt(
        self: &Arc<Self>,
        inner: &mut Inner,
        after: &mut After,
        key: Key,
        epoch: u32,
        end: AttemptEnd,
        output: Option<Value>,
    ) {
        inner.work.controls.remove(key, epoch);
        self.release(inner, after, key, epoch);
        self.attempt_ended(inner, after, key, epoch, end, output);
    }

    /// The run hears how an attempt ended.
    #[inline]
    fn attempt_ended(
        self: &Arc<Self>,
        inner: &mut Inner,
        after: &mut After,
        key: Key,
        epoch: u32,
        end: AttemptEnd,
        output: Option<Value>,
    ) {
        // Its room may be kept by code that does not return; its turn is not.
        if !inner.work.room.is_empty() {
            self.end_turn(inner, after, key, epoch);
        }
        // Only a failure may lead to a wait that needs a random part.
        let roll =
            if matches!(end, AttemptEnd::Ok | AttemptEnd::Reused) { 0.5 } else { self.core.random.roll() };
        self.handle(inner, after, Event::AttemptEnded { key, epoch, end, roll }, output);
        // Not heard, if the run has ended meanwhile.
        inner.cache_key = None;
        // Wakes those who wait for an interrupted run to come to rest.
        after.changed = true;
    }

    /// Takes the next ready attempt for a worker, and calls others for the
    /// rest. Without one, the worker ends.
    #[inline]
    fn take_attempt(
        self: &Arc<Self>,
        inner: &mut Inner,
        after: &mut After,
        given: &mut Given,
    ) -> Option<Attempt> {
        while let Some(ready) = inner.work.ready.pop_front() {
            self.open_more(inner, after);
            if self.is_stopping() && inner.work.controls.is_stopped(ready.key, ready.epoch) {
                self.end_attempt(inner, after, ready.key, ready.epoch, AttemptEnd::Cancelled, None);
                continue;
            }
            if inner.hold_back(&ready) {
                continue;
            }
            if let Some(mut attempt) = self.prepare(inner, &ready, given) {
                inner.work.attempts += 1;
                attempt.is_quick = self.core.paces.does_alone(attempt.task, inner.work.ready.len() + 1);
                if attempt.is_quick {
                    inner.work.back_soon += 1;
                } else {
                    self.call_workers(inner, after);
                }
                return Some(attempt);
            }
            // Its region was closed before it began.
            inner.work.controls.remove(ready.key, ready.epoch);
            self.release(inner, after, ready.key, ready.epoch);
        }
        inner.work.working -= 1;
        None
    }

    /// Gathers what an attempt needs.
    #[inline]
    fn prepare(&self, inner: &mut Inner, ready: &Ready, given: &mut Given) -> Option<Attempt> {
        let Ready { key, epoch, attempt, last, deadline, goal } = *ready;
        if !inner.work.room.is_empty()
            && let Some(room) = inner.work.room.get_mut(&(key, epoch))
        {
            room.taken = true;
        }
        let frame = inner.run.frames.get_mut(key.frame)?;
        let Kind::Task(step) = &frame.scope.step(key.step)?.kind else { return None };
        let (purpose, task) = match goal {
            Goal::Do => (Purpose::Attempt, step.task),
            Goal::Undo => (Purpose::Undo { output: frame.output(key.step)? }, step.task.undo?.task),
            Goal::Reconcile => (Purpose::Reconcile, step.task.reconcile?.task),
        };
        given.env.prepare(purpose, step.arm);
        given.env.give(frame.given(key.step));
        given.env.know(frame.onces.as_ref());
        if let Some(context) = given.env.context_mut() {
            context.renew(key, epoch, attempt, goal == Goal::Undo, &frame.scope);
        }
        // Read before anything is taken: both lists may name the same slot
        // when the graph says so, and neither may then find it empty.
        given.env.lend_all(frame.read_all(&step.reads));
        // An undo gets the step's arguments once more, and so does the code that
        // finds out what became of the attempt.
        if last && step.task.undo.is_none() && step.task.reconcile.is_none() {
            given.moved.take_all(frame.take_all(&step.moves));
        } else {
            given.moved.take_all(frame.read_all(&step.moves));
        }
        if goal == Goal::Do {
            frame.progress.clear(key.step);
            inner.run.machine.note_begun(key, epoch, inner.run.now);
        }
        let span = tracing::enabled!(tracing::Level::INFO).then(|| {
            let path = frame.scope.path(key.step);
            let span = tracing::info_span!(parent: &self.span, "attempt", step = path, attempt);
            self.listen(&span, &path, attempt, goal == Goal::Undo);
            Box::new(span)
        });
        let (began, steady) = (inner.run.now, self.core.clock.steady_of(inner.run.now));
        Some(Attempt { key, epoch, began, steady, deadline, step, task, goal, is_quick: false, span })
    }

    /// Has what the attempt says kept, where the program wants that.
    #[cfg(feature = "logs")]
    fn listen(&self, span: &tracing::Span, path: &str, attempt: u32, undo: bool) {
        // In memory there is nowhere to keep it.
        if let Some(run) = self.journal.as_ref().and_then(|journal| journal.run.get()) {
            let core = Arc::downgrade(&self.core);
            crate::logs::keep(span, || crate::logs::AttemptLog::new(core, *run, path, attempt, undo));
        }
    }

    #[cfg(not(feature = "logs"))]
    fn listen(&self, _span: &tracing::Span, _path: &str, _attempt: u32, _undo: bool) {}
}
