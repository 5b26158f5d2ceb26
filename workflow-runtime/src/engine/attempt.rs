//! One attempt, from its first poll to its end: time limits, requests to stop
//! and panics included. What the end means to the run is not decided here.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::task::coop::{Unconstrained, unconstrained};
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::Span;

use super::core::Begun;
use super::host::RunHost;
use super::transact;
use crate::context::Context;
use crate::definition::{Start, TaskDef};
use crate::error::{Cause, Failure};
use crate::panics::{contained, discard};
use crate::run::{AttemptEnd, Key, Timestamp};
use crate::task::{Ended, Env, Moved, Retryability};
use crate::value::Value;

/// What a task is given. It is large, so it stays where its worker keeps it;
/// its values are gone once the attempt is over.
pub(crate) type Given = Option<(Env, Moved)>;

/// An attempt that begins.
pub(crate) struct Attempt {
    pub(crate) key: Key,
    pub(crate) epoch: u32,
    pub(crate) start: Start,
    pub(crate) blocking: bool,
    /// The contract of the task, if it is a transaction.
    pub(crate) transaction: Option<&'static TaskDef>,
    /// Whether it does what the step is there for, or takes it back.
    pub(crate) witnessed: bool,
    pub(crate) limits: TimeLimits,
    pub(crate) span: Span,
}

/// How long an attempt may take.
#[derive(Clone, Copy)]
pub(crate) struct TimeLimits {
    pub(crate) began: Timestamp,
    pub(crate) timeout: Option<Duration>,
    pub(crate) deadline: Option<Timestamp>,
}

/// An attempt that is over.
pub(crate) struct Done {
    pub(crate) key: Key,
    pub(crate) epoch: u32,
    pub(crate) end: AttemptEnd,
    pub(crate) output: Option<Value>,
    /// What the output is remembered under for later runs.
    pub(crate) cache_key: Option<Vec<u8>>,
    /// Whether it ever had to wait.
    pub(crate) waited: bool,
}

/// How the polling of an attempt came to its end.
pub(super) enum End {
    /// By itself, a contained panic included.
    Ended(Result<Ended, Failure>),
    TimedOut,
    DeadlineOver,
    /// It was asked to stop, and the grace is over.
    Dropped,
}

pub(crate) async fn run(host: &Arc<RunHost>, attempt: &Attempt, given: &mut Given) -> Done {
    let Attempt { key, epoch, limits, .. } = *attempt;
    let over = |end| Done { key, epoch, end, output: None, cache_key: None, waited: false };
    // Its worker may have let others go first, and they have given it up.
    if host.is_stopping() && host.lock().controls.is_stopped(key, epoch) {
        *given = None;
        return over(AttemptEnd::Cancelled);
    }
    if limits.are_over() {
        *given = None;
        return over(AttemptEnd::Failed(deadline_over(), Retryability::Fatal));
    }
    if let (Some(witness), Some((env, _)), true) = (&host.core.witness, &*given, attempt.witnessed) {
        witness(host.begun(key, env.context()));
    }
    let mut watch = Watch { host, key, epoch, limits, waker: None, until: None, sleep: None };
    let transacted = match attempt.transaction {
        Some(task) => transact::run(&mut watch, attempt, given, task).await,
        None => None,
    };
    let end = match transacted {
        Some(end) => end,
        None if attempt.blocking => run_on_thread(&mut watch, attempt, given.take()).await,
        None => run_in_place(&mut watch, attempt, given).await,
    };
    let mut cache_key = None;
    let (end, output) = match end {
        End::Ended(Ok(Ended::Ok(output))) => (AttemptEnd::Ok, Some(output)),
        End::Ended(Ok(Ended::Reused(output))) => (AttemptEnd::Reused, Some(output)),
        End::Ended(Ok(Ended::Remember(output, key))) => {
            cache_key = Some(key);
            (AttemptEnd::Ok, Some(output))
        }
        End::Ended(Ok(Ended::NotDone)) => (AttemptEnd::NotDone, None),
        End::Ended(Ok(Ended::Err(failure, retryability))) => {
            (AttemptEnd::Failed(failure, retryability), None)
        }
        End::Ended(Ok(Ended::Arguments(_))) => {
            let failure = Failure::new(Cause::Fatal, "a workflow was started as a task; please report this");
            (AttemptEnd::Failed(failure, Retryability::Fatal), None)
        }
        End::Ended(Err(panic)) => (AttemptEnd::Failed(panic, Retryability::Retry), None),
        End::TimedOut => {
            let limit = limits.timeout.unwrap_or_default();
            let failure = Failure::new(Cause::Timeout, format!("took longer than its timeout of {limit:?}"));
            (AttemptEnd::Failed(failure, Retryability::Retry), None)
        }
        End::DeadlineOver => (AttemptEnd::Failed(deadline_over(), Retryability::Fatal), None),
        End::Dropped => (AttemptEnd::Cancelled, None),
    };
    Done { key, epoch, end, output, cache_key, waited: watch.waker.is_some() }
}

fn deadline_over() -> Failure {
    Failure::new(Cause::Timeout, "the step's deadline is over")
}

impl TimeLimits {
    /// Whether there is no time left to begin, as after a pause, a wait for
    /// room, or a while in which no engine ran.
    fn are_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| self.began >= deadline)
    }
}

impl RunHost {
    /// The attempt, for whoever wants to hear of it.
    fn begun(&self, key: Key, context: &Context) -> Begun {
        let inner = self.lock();
        let needs = inner.frames.step(key).map(|(frame, step)| {
            let needs = step.needs.iter();
            needs.map(|need| frame.scope.path(*need)).collect()
        });
        drop(inner);
        Begun {
            run: self.id.clone(),
            step: context.step(),
            needs: needs.unwrap_or_default(),
            attempt: context.attempt(),
            undo: context.is_undo(),
            idempotency_key: context.idempotency_key(),
        }
    }
}

async fn run_in_place(watch: &mut Watch<'_>, attempt: &Attempt, given: &mut Given) -> End {
    let Attempt { start, span, .. } = attempt;
    let Some((env, moved)) = given else { return End::Dropped };
    let end = match contained(|| span.in_scope(|| start(env, moved))) {
        Err(panic) => End::Ended(Err(panic)),
        Ok(mut running) => {
            let end = poll_fn(|cx| {
                watch.poll(cx, |cx| {
                    let _entered = span.enter();
                    match contained(|| running.as_mut().poll(cx)) {
                        Ok(polled) => polled.map(Ok),
                        Err(panic) => Poll::Ready(Err(panic)),
                    }
                })
            })
            .await;
            discard(running);
            end
        }
    };
    // Before the end is told: the next step may then be the only holder of
    // what this one was lent, and take it without a copy.
    env.clear();
    moved.0.clear();
    end
}

/// Runs a `blocking` task. Nobody can stop a thread from outside: when its
/// time is up the attempt is over, and the thread goes on to its end unheard.
async fn run_on_thread(watch: &mut Watch<'_>, attempt: &Attempt, given: Given) -> End {
    let Some((env, mut moved)) = given else { return End::Dropped };
    let Attempt { start, ref span, .. } = *attempt;
    let begun = Arc::new(AtomicBool::new(false));
    let (begun_there, span_there) = (begun.clone(), span.clone());
    let mut thread = watch.host.core.runtime.spawn_blocking(move || {
        begun_there.store(true, Ordering::Relaxed);
        let _entered = span_there.enter();
        let ended = contained(|| {
            // The function was called when the future was made or is called
            // by this poll; it never waits for anything but itself.
            let running = pin!(start(&env, &mut moved));
            match running.poll(&mut TaskContext::from_waker(Waker::noop())) {
                Poll::Ready(ended) => Ok(ended),
                Poll::Pending => Err(Failure::new(Cause::Fatal, "a blocking task waited for async code")),
            }
        });
        drop((env, moved));
        ended.and_then(|ended| ended)
    });
    let end = poll_fn(|cx| watch.poll(cx, |cx| join(&mut thread, cx))).await;
    if !matches!(end, End::Ended(_)) {
        // Keeps it from starting, where it has not.
        thread.abort();
        if begun.load(Ordering::Relaxed) {
            tracing::warn!(
                parent: span,
                "blocking code cannot be stopped: the attempt is over, its thread goes on to its end"
            );
        }
    }
    end
}

fn join(
    thread: &mut JoinHandle<Result<Ended, Failure>>,
    cx: &mut TaskContext<'_>,
) -> Poll<Result<Ended, Failure>> {
    Pin::new(thread).poll(cx).map(|joined| match joined {
        Ok(ended) => ended,
        // Panics are contained on the thread itself, so only the end of the
        // runtime is left.
        Err(error) => Err(Failure::new(Cause::Interrupted, error.to_string())),
    })
}

/// What may end an attempt from outside. Costs nothing until the attempt has
/// to wait for the first time.
pub(super) struct Watch<'a> {
    pub(super) host: &'a Arc<RunHost>,
    key: Key,
    epoch: u32,
    limits: TimeLimits,
    /// The waker that the run knows; none before the first wait.
    waker: Option<Waker>,
    /// The earliest of what ends the attempt, and how.
    until: Option<(Instant, fn() -> End)>,
    /// Without a share in the task's budget: a task that has used its budget
    /// up must not keep its own time limit from being seen.
    sleep: Option<Pin<Box<Unconstrained<Sleep>>>>,
}

impl Watch<'_> {
    pub(super) fn poll(
        &mut self,
        cx: &mut TaskContext<'_>,
        body: impl FnOnce(&mut TaskContext<'_>) -> Poll<Result<Ended, Failure>>,
    ) -> Poll<End> {
        match body(cx) {
            Poll::Ready(ended) => Poll::Ready(End::Ended(ended)),
            Poll::Pending => self.wait(cx),
        }
    }

    fn wait(&mut self, cx: &mut TaskContext<'_>) -> Poll<End> {
        let known = self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if !known {
            if self.waker.is_none() {
                self.host.pause_worker();
                self.arm_limits();
            }
            self.waker = Some(cx.waker().clone());
        }
        if !known || self.host.is_stopping() {
            let mut inner = self.host.lock();
            if let Some(at) = inner.controls.attend(self.key, self.epoch, cx.waker(), Instant::now()) {
                drop(inner);
                self.arm(at, || End::Dropped);
            }
        }
        if let (Some(sleep), Some((_, end))) = (&mut self.sleep, self.until) {
            return sleep.as_mut().poll(cx).map(|()| end());
        }
        Poll::Pending
    }

    fn arm_limits(&mut self) {
        let clock = &self.host.core.clock;
        let TimeLimits { began, timeout, deadline } = self.limits;
        if let Some(timeout) = timeout {
            self.arm(clock.instant(began.after(timeout)), || End::TimedOut);
        }
        if let Some(deadline) = deadline {
            self.arm(clock.instant(deadline), || End::DeadlineOver);
        }
    }

    fn arm(&mut self, at: Instant, end: fn() -> End) {
        if self.until.is_none_or(|(earlier, _)| at < earlier) {
            self.until = Some((at, end));
            self.sleep = Some(Box::pin(unconstrained(sleep_until(at))));
        }
    }
}
