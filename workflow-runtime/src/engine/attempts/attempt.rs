//! One attempt, from its first poll to its end: time limits, requests to stop
//! and panics included. What the end means to the run is not decided here.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::coop::{Unconstrained, unconstrained};
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::Span;

use crate::engine::attempts::left_behind::Code;
use crate::engine::attempts::long_polls::{How, Polling};
use crate::engine::attempts::transaction;
use crate::engine::attempts::worker::Goal;
use crate::engine::instance::RunHost;
use crate::engine::time::FAR;
use crate::failure::{Cause, Failure};
use crate::panics::{contained, discard};
use crate::run::{AttemptEnd, FrameId, Key, Timestamp};
use crate::task::context::Context;
use crate::task::definition::{TaskDef, TaskStep};
use crate::task::{Ended, Env, Moved, Retryability, Running};
use crate::value::Value;

/// What a task is given.
pub(crate) struct Given {
    pub(crate) env: Env,
    pub(crate) moved: Moved,
}

impl Given {
    pub(crate) fn new(host: &Arc<RunHost>) -> Self {
        let nowhere = Key { frame: FrameId::ROOT, step: 0 };
        Self { env: Env::new(Context::new(host.clone(), nowhere, 0, 0)), moved: Moved::default() }
    }

    /// For another thread.
    pub(crate) fn take(&mut self, host: &Arc<RunHost>) -> Self {
        std::mem::replace(self, Self::new(host))
    }

    #[inline]
    fn clear(&mut self) {
        self.env.clear();
        self.moved.clear();
    }
}

/// An attempt that begins.
pub(crate) struct Attempt {
    pub(crate) key: Key,
    pub(crate) epoch: u32,
    pub(crate) began: Timestamp,
    /// The same by the time that passes, for its time limit.
    pub(crate) steady: Timestamp,
    /// When the step has to have ended.
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) step: &'static TaskStep,
    /// What is called: the step's task, or the one that undoes it or finds out
    /// what became of it.
    pub(crate) task: &'static TaskDef,
    pub(crate) goal: Goal,
    /// Whether its worker is probably back before another one could help.
    pub(crate) is_quick: bool,
    /// Where a `tracing` subscriber listens.
    pub(crate) span: Option<Box<Span>>,
}

/// An attempt is over.
pub(crate) struct Over {
    pub(crate) end: End,
    /// Whether it ever had to wait.
    pub(crate) waited: bool,
    /// Its code, where that runs on a thread of its own and the engine has not heard of
    /// its end.
    pub(crate) left: Option<Arc<Code>>,
}

impl Over {
    fn new(end: End, waited: bool) -> Self {
        Self { end, waited, left: None }
    }
}

/// How the polling of an attempt came to its end.
pub(crate) enum End {
    /// By itself, a contained panic included.
    Ended(Result<Ended, Failure>),
    TimedOut,
    DeadlineOver,
    /// It was asked to stop, and the grace is over.
    Dropped,
    /// Nothing of what it did was kept, for no fault of its own.
    Undone,
}

/// What the attempt has been given is gone once this ends: the next step may
/// then be the only holder of what this one was lent, and take it without a
/// copy.
pub(crate) async fn run(host: &Arc<RunHost>, attempt: &Attempt, given: &mut Given) -> Over {
    let over = if let Some(end) = attempt.forestalled(host) {
        Over::new(end, false)
    } else {
        #[cfg(feature = "testing")]
        attempt.witness(host, given);
        if attempt.task.transaction || attempt.task.blocking {
            // Boxed, as few tasks do that, and a worker should be small.
            Box::pin(run_elsewhere(host, attempt, given)).await
        } else {
            run_in_place(host, attempt, given).await
        }
    };
    given.clear();
    over
}

impl Attempt {
    /// How it ends, if it is over before it has begun. Its worker may have let
    /// others go first.
    #[inline]
    fn forestalled(&self, host: &RunHost) -> Option<End> {
        if host.is_stopping() && host.lock().work.controls.is_stopped(self.key, self.epoch) {
            return Some(End::Dropped);
        }
        // As after a pause, a wait for room, or a while in which no engine ran.
        self.deadline.is_some_and(|deadline| self.began >= deadline).then_some(End::DeadlineOver)
    }

    fn timeout(&self) -> Option<Duration> {
        let policy = if self.goal == Goal::Do { self.step.policy } else { &self.task.policy };
        policy.timeout
    }

    /// Its worker has let others go first, and comes to it now.
    pub(crate) fn begins_later(&mut self, now: Timestamp, steady: Timestamp) {
        (self.began, self.steady) = (now, steady);
    }

    /// For another thread.
    pub(crate) fn span(&self) -> Span {
        self.span.as_deref().cloned().unwrap_or_else(Span::none)
    }

    /// How the attempt ended, as the run hears of it, and what it has left.
    /// `cache_key`: what later runs find that by.
    #[inline]
    pub(crate) fn told(
        &self,
        end: End,
        cache_key: &mut Option<Vec<u8>>,
        is_left: bool,
    ) -> (AttemptEnd, Option<Value>) {
        let left = is_left.then_some("its code cannot be stopped and goes on");
        let end = match end {
            End::Ended(Ok(Ended::Ok(output))) => return (AttemptEnd::Ok, Some(output)),
            End::Ended(Ok(Ended::Reused(output))) => return (AttemptEnd::Reused, Some(output)),
            End::Ended(Ok(Ended::Remember(output, key))) => {
                *cache_key = Some(key);
                return (AttemptEnd::Ok, Some(output));
            }
            End::Ended(Ok(Ended::NotDone)) => AttemptEnd::NotDone,
            End::Ended(Ok(Ended::Err(failure, retryability))) => AttemptEnd::Failed(failure, retryability),
            End::Ended(Ok(Ended::Arguments(_) | Ended::Kept(_))) => {
                let words = "a workflow was started as a task; please report this";
                AttemptEnd::Failed(Failure::new(Cause::Fatal, words), Retryability::Fatal)
            }
            End::Ended(Err(panic)) => AttemptEnd::Failed(panic, Retryability::Retry),
            End::TimedOut => timed_out(self.timeout().unwrap_or_default(), left),
            End::DeadlineOver => deadline_over(left),
            End::Dropped => AttemptEnd::Cancelled,
            End::Undone => AttemptEnd::NotBegun,
        };
        (end, None)
    }
}

/// The time that one attempt of a step has.
pub(crate) fn timeout(step: &TaskStep, goal: Goal) -> Option<Duration> {
    match goal {
        Goal::Do => step.policy.timeout,
        Goal::Undo => step.task.undo?.task.policy.timeout,
        Goal::Reconcile => step.task.reconcile?.task.policy.timeout,
    }
}

/// An attempt's time is over. `left`: what became of its code, where that goes
/// on.
pub(crate) fn timed_out(limit: Duration, left: Option<&str>) -> AttemptEnd {
    let mut failure = Failure::new(Cause::Timeout, format!("took longer than its timeout of {limit:?}"));
    failure.messages.extend(left.map(str::to_owned));
    AttemptEnd::Failed(failure, Retryability::Retry)
}

/// The same of the time that all attempts of a step have together.
pub(crate) fn deadline_over(left: Option<&str>) -> AttemptEnd {
    let mut failure = Failure::new(Cause::Timeout, "the step's deadline is over");
    failure.messages.extend(left.map(str::to_owned));
    AttemptEnd::Failed(failure, Retryability::Fatal)
}

/// Polls an attempt where its worker is. Most end at their first poll, which
/// needs no watch.
async fn run_in_place(host: &Arc<RunHost>, attempt: &Attempt, given: &mut Given) -> Over {
    let Given { env, moved } = given;
    let mut running = None;
    let first = poll_fn(|cx| {
        let _polling = Polling::begin(host, attempt, How::First, attempt.began);
        let _entered = attempt.span.as_ref().map(|span| span.enter());
        let polled = contained(|| running.insert((attempt.step.start)(env, moved)).as_mut().poll(cx));
        Poll::Ready(polled)
    });
    let over = match (first.await, &mut running) {
        (Ok(Poll::Ready(ended)), _) => Over::new(End::Ended(Ok(ended)), false),
        (Ok(Poll::Pending), Some(running)) => {
            let end = Box::pin(wait(Watch::new(host, attempt), running)).await;
            Over::new(end, true)
        }
        (Err(panic), _) => Over::new(End::Ended(Err(panic)), false),
        (Ok(Poll::Pending), None) => Over::new(End::Dropped, false),
    };
    // What is given up is dropped in the middle of something, and the user's
    // destructors are code that may not return either.
    let dropping = !matches!(over.end, End::Ended(_));
    let _polling = dropping.then(|| Polling::begin(host, attempt, How::Again, host.core.clock.now()));
    discard(running);
    over
}

/// Goes on with an attempt that has to wait.
async fn wait(mut watch: Watch<'_>, running: &mut Running<'_>) -> End {
    let (host, attempt) = (watch.host, watch.attempt);
    let span = attempt.span.as_ref();
    // The same task has polled it just now, so it has that task's waker. The
    // run has yet to know of it.
    let mut polled = true;
    poll_fn(|cx| {
        watch.poll(cx, |cx| {
            if std::mem::take(&mut polled) {
                return Poll::Pending;
            }
            let _polling = Polling::begin(host, attempt, How::Again, host.core.clock.now());
            let _entered = span.map(|span| span.enter());
            match contained(|| running.as_mut().poll(cx)) {
                Ok(polled) => polled.map(Ok),
                Err(panic) => Poll::Ready(Err(panic)),
            }
        })
    })
    .await
}

/// Runs an attempt on another thread: the store's, or one that may block.
async fn run_elsewhere(host: &Arc<RunHost>, attempt: &Attempt, given: &mut Given) -> Over {
    let mut watch = Watch::new(host, attempt);
    let transacted = if attempt.task.transaction { transaction::run(&mut watch, given).await } else { None };
    match transacted {
        Some(end) => Over::new(end, watch.has_waited()),
        None if attempt.task.blocking => run_on_thread(&mut watch, given).await,
        None => run_in_place(host, attempt, given).await,
    }
}

/// Runs a `blocking` task. A thread cannot be stopped from outside: when its
/// time is up the attempt is over, and the thread goes on to its end unheard.
async fn run_on_thread(watch: &mut Watch<'_>, given: &mut Given) -> Over {
    let Given { env, mut moved } = given.take(watch.host);
    let (start, span) = (watch.attempt.step.start, watch.attempt.span());
    let Attempt { key, epoch, .. } = *watch.attempt;
    let code = Arc::new(Code::new(env.context().step(), env.context().attempt()));
    let (code_there, host_there) = (code.clone(), watch.host.clone());
    let (answer, mut answered) = oneshot::channel();
    // Its time begins when its code does, and not while it waits for a thread.
    let starts = watch.attempt.timeout().map(|_| {
        let (started, starts) = oneshot::channel();
        watch.starts = Some(starts);
        started
    });
    watch.host.core.pools.run_users(move || {
        let now = host_there.core.clock.now();
        if !code_there.begin(now) {
            return;
        }
        if let Some(started) = starts {
            // A receiver that has given up meanwhile need not hear.
            let _ = started.send(host_there.core.clock.steady_of(now));
        }
        let entered = span.enter();
        let ended = contained(|| {
            // The function was called when the future was made or is called
            // by this poll; it never waits for anything but itself.
            let running = pin!(start(&env, &mut moved));
            match running.poll(&mut TaskContext::from_waker(Waker::noop())) {
                Poll::Ready(ended) => Ok(ended),
                Poll::Pending => Err(Failure::new(Cause::Fatal, "a blocking task waited for async code")),
            }
        });
        discard((env, moved));
        drop(entered);
        let was_left = code_there.end();
        discard(answer.send(ended.and_then(|ended| ended)));
        if was_left {
            host_there.thread_returned(key, epoch);
        }
    });
    let end = poll_fn(|cx| watch.poll(cx, |cx| hear(&mut answered, cx))).await;
    let left = (!matches!(end, End::Ended(_)) && !code.withdraw()).then_some(code);
    Over { end, waited: watch.has_waited(), left }
}

fn hear(
    answered: &mut oneshot::Receiver<Result<Ended, Failure>>,
    cx: &mut TaskContext<'_>,
) -> Poll<Result<Ended, Failure>> {
    Pin::new(answered).poll(cx).map(|answer| {
        // Panics are contained on the thread itself, so only the end of the
        // runtime is left.
        answer.unwrap_or_else(|_| Err(Failure::new(Cause::Interrupted, "the engine's runtime has ended")))
    })
}

/// What may end an attempt from outside. Costs nothing until the attempt has
/// to wait for the first time.
pub(crate) struct Watch<'a> {
    pub(crate) host: &'a Arc<RunHost>,
    pub(crate) attempt: &'a Attempt,
    /// The waker that the run knows; none before the first wait.
    waker: Option<Waker>,
    /// The earliest of what ends the attempt, and how.
    until: Option<(Instant, fn() -> End)>,
    /// Without a share in the task's budget: a task that has used its budget
    /// up must not keep its own time limit from being seen.
    sleep: Option<Pin<Box<Unconstrained<Sleep>>>>,
    /// Tells when the attempt's code begins, where that is not known yet.
    starts: Option<oneshot::Receiver<Timestamp>>,
}

impl<'a> Watch<'a> {
    fn new(host: &'a Arc<RunHost>, attempt: &'a Attempt) -> Self {
        Self { host, attempt, waker: None, until: None, sleep: None, starts: None }
    }

    /// Whether the attempt ever had to wait.
    fn has_waited(&self) -> bool {
        self.waker.is_some()
    }

    pub(crate) fn poll(
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
                self.host.pause_worker(self.attempt);
                self.arm_limits();
            }
            self.waker = Some(cx.waker().clone());
        }
        if !known || self.host.is_stopping() {
            let Attempt { key, epoch, .. } = *self.attempt;
            let mut inner = self.host.lock();
            if let Some(at) = inner.work.controls.attend(key, epoch, cx.waker(), Instant::now()) {
                drop(inner);
                self.arm(at, || End::Dropped);
            }
        }
        if let Some(starts) = &mut self.starts
            && let Poll::Ready(began) = Pin::new(starts).poll(cx)
        {
            self.starts = None;
            if let Ok(began) = began {
                self.arm_timeout(began);
            }
        }
        if let (Some(sleep), Some((_, end))) = (&mut self.sleep, self.until) {
            return sleep.as_mut().poll(cx).map(|()| end());
        }
        Poll::Pending
    }

    fn arm_limits(&mut self) {
        if self.starts.is_none() {
            self.arm_timeout(self.attempt.steady);
        }
        if let Some(deadline) = self.attempt.deadline {
            // Never longer than it was meant to be, where the clock was set
            // back since the first attempt.
            let most = self.attempt.step.policy.deadline.unwrap_or(FAR);
            let left = deadline.since(self.host.core.clock.now()).min(most);
            self.arm(Instant::now() + left.min(FAR), || End::DeadlineOver);
        }
    }

    fn arm_timeout(&mut self, began: Timestamp) {
        if let Some(timeout) = self.attempt.timeout() {
            self.arm(self.host.core.clock.steady_instant(began.after(timeout)), || End::TimedOut);
        }
    }

    fn arm(&mut self, at: Instant, end: fn() -> End) {
        if self.until.is_none_or(|(earlier, _)| at < earlier) {
            self.until = Some((at, end));
            self.sleep = Some(Box::pin(unconstrained(sleep_until(at))));
        }
    }
}
