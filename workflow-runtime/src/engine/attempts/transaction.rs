//! Attempts of tasks with `transaction`: on the thread that writes the store,
//! in a transaction of its own, so that what they write and their success are
//! one commit.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};

use tokio::sync::oneshot;
use tracing::Span;

use crate::engine::attempts::attempt::{End, Given, Watch};
use crate::engine::attempts::long_polls::Polling;
use crate::engine::instance::RunHost;
use crate::engine::recover::Open;
use crate::execution::coded::coded;
use crate::execution::coded::payload;
use crate::failure::{Cause, Failure};
use crate::panics::contained;
use crate::run::{Action, Key};
use crate::store::{RunRef, Store, StoreError, Transact, Transacted};
use crate::task::context::Context;
use crate::task::definition::{Kind, Start, TaskDef};
use crate::task::transaction::interrupted_by;
use crate::task::{Ended, Retryability};
use crate::value::Payload;
use crate::value::Value;

/// What transactions gave back whose end the run has not heard of: by the step
/// and the attempt's epoch.
pub(crate) type Done = HashMap<(Key, u32), Value>;

impl RunHost {
    /// The store, if tasks can write into it, and the run's number there.
    fn transactions(&self) -> Option<(Arc<dyn Store>, RunRef)> {
        let run = *self.journal.as_ref()?.run.get()?;
        let store = self.core.store.clone()?;
        store.has_transactions().then_some((store, run))
    }

    /// The attempts that a process left under way, and whose transaction is
    /// committed all the same: they are not lost.
    pub(crate) fn transacted(self: &Arc<Self>, open: &Open) -> Done {
        let Some((store, run)) = self.transactions() else { return HashMap::new() };
        let mut asked = Vec::new();
        let inner = self.lock();
        for action in open.actions.values() {
            let (key, epoch, undo) = match action {
                Action::Start { key, epoch, .. } => (*key, *epoch, false),
                Action::Undo { key, epoch, .. } => (*key, *epoch, true),
                _ => continue,
            };
            let Some((frame, step)) = inner.run.frames.step(key) else { continue };
            let Kind::Task(task) = step.kind else { continue };
            let task = if undo { task.task.undo.map(|by| by.task) } else { Some(task.task) };
            if let Some(task) = task.filter(|task| task.transaction) {
                let mut context = Context::new(self.clone(), key, epoch, 1);
                context.renew(key, epoch, 1, undo, &frame.scope);
                asked.push((key, epoch, task, context));
            }
        }
        drop(inner);
        let mut found = HashMap::new();
        for (key, epoch, task, context) in asked {
            let effect = store.effect(run, &context.idempotency_key()).unwrap_or_else(|error| {
                // The next attempt finds it.
                tracing::warn!(parent: &self.span, %error, "could not look for a transaction's result");
                None
            });
            if let Some(Ok(value)) = effect.map(|effect| coded(|| (task.output.decode)(&effect.bytes))) {
                found.insert((key, epoch), value);
            }
        }
        found
    }
}

/// `None` where the store has no transactions for tasks. The attempt then runs
/// like any other, and only a stand-in for the task gets to its end.
pub(crate) async fn run(watch: &mut Watch<'_>, given: &mut Given) -> Option<End> {
    let (store, run) = watch.host.transactions()?;
    let (attempt, task) = (watch.attempt, watch.attempt.task);
    let given = given.take(watch.host);
    let key = given.env.context().idempotency_key();
    let call = Arc::new(Call::default());
    let work = Work {
        call: call.clone(),
        start: attempt.step.start,
        given,
        task,
        host: watch.host.clone(),
        key: attempt.key,
        epoch: attempt.epoch,
        span: attempt.span(),
    };
    let (answer, mut answered) = oneshot::channel();
    let work = Transact { run, key, work: Box::new(move || work.perform()) };
    let hold = watch.host.core.clock.hold(&*store, &watch.host.core.runtime);
    let done = move |outcome| {
        let _ = answer.send(outcome);
        drop(hold);
    };
    store.transact(work, Box::new(done));
    let end = poll_fn(|cx| watch.poll(cx, |cx| hear(&mut answered, cx, &call, task))).await;
    let end = if matches!(end, End::Ended(_)) || call.withdraw() {
        end
    } else {
        // It has begun, so what it does is real, even if the run no longer waits for it.
        // Its statements can be ended, and then it has done nothing.
        call.interrupted.store(true, Ordering::Release);
        match poll_fn(|cx| hear(&mut answered, cx, &call, task)).await {
            Ok(Ended::Err(..)) | Err(_) if call.is_cut_short.load(Ordering::Acquire) => end,
            done => End::Ended(done),
        }
    };
    Some(if call.undone.load(Ordering::Acquire) { End::Undone } else { end })
}

/// The task's call, as both threads see it.
#[derive(Default)]
struct Call {
    state: AtomicU8,
    ended: Mutex<Option<Result<Ended, Failure>>>,
    /// Whether the store could not keep what it did, in a way that may pass.
    undone: AtomicBool,
    /// Whether its time is over, so that its statements end.
    interrupted: AtomicBool,
    /// Whether one of them has.
    is_cut_short: AtomicBool,
}

const QUEUED: u8 = 0;
const BEGUN: u8 = 1;
const WITHDRAWN: u8 = 2;

impl Call {
    fn begin(&self) -> bool {
        self.state.compare_exchange(QUEUED, BEGUN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Keeps it from being called. False when it is too late.
    fn withdraw(&self) -> bool {
        self.state.compare_exchange(QUEUED, WITHDRAWN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn end(&self, ended: Result<Ended, Failure>) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
    }

    fn take(&self) -> Option<Result<Ended, Failure>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What is done on the store's thread.
struct Work {
    call: Arc<Call>,
    start: Start,
    given: Given,
    task: &'static TaskDef,
    host: Arc<RunHost>,
    key: Key,
    epoch: u32,
    span: Span,
}

impl Work {
    fn perform(self) -> Option<Payload> {
        let Self { call, start, given, task, host, key, epoch, span } = self;
        if !call.begin() {
            return None;
        }
        let core = &host.core;
        let _polling = Polling::begin_transaction(&host, key, epoch, core.clock.now());
        let _entered = span.enter();
        let Given { env, mut moved } = given;
        let asked = call.clone();
        let is_over = move || {
            let is_over = asked.interrupted.load(Ordering::Acquire);
            asked.is_cut_short.fetch_or(is_over, Ordering::AcqRel);
            is_over
        };
        let ended = interrupted_by(is_over, || {
            contained(|| {
                let running = pin!(start(&env, &mut moved));
                match running.poll(&mut TaskContext::from_waker(Waker::noop())) {
                    Poll::Ready(ended) => Ok(ended),
                    Poll::Pending => Err(Failure::new(Cause::Fatal, "a transaction waited for async code")),
                }
            })
        });
        drop((env, moved));
        let ended = ended.and_then(|ended| ended);
        let payload = match &ended {
            Ok(Ended::Ok(value)) => {
                payload(&task.output, value, core.largest_value).map(|(payload, _)| Some(payload))
            }
            _ => Ok(None),
        };
        match payload {
            Ok(payload) => {
                call.end(ended);
                payload
            }
            Err(failure) => {
                call.end(Ok(Ended::Err(failure, Retryability::Fatal)));
                None
            }
        }
    }
}

type Answer = Result<Transacted, StoreError>;

fn hear(
    answered: &mut oneshot::Receiver<Answer>,
    cx: &mut TaskContext<'_>,
    call: &Call,
    task: &'static TaskDef,
) -> Poll<Result<Ended, Failure>> {
    let answer = Pin::new(answered).poll(cx);
    answer.map(|answer| end(answer.unwrap_or(Err(StoreError::Closed)), call, task))
}

/// What the store's answer means to the attempt.
fn end(answer: Answer, call: &Call, task: &'static TaskDef) -> Result<Ended, Failure> {
    match answer {
        Ok(Transacted::Done | Transacted::Nothing) => call.take().unwrap_or_else(|| {
            // Withdrawn, or dropped by its store.
            Err(Failure::new(Cause::Interrupted, "the transaction was not begun"))
        }),
        Ok(Transacted::Before(payload)) => match coded(|| (task.output.decode)(&payload.bytes)) {
            Ok(value) => Ok(Ended::Ok(value)),
            Err(failure) => Ok(Ended::Err(failure, Retryability::Fatal)),
        },
        Ok(Transacted::Ended) => {
            let words = "the transaction was ended before its task was, by a COMMIT, a ROLLBACK or a conflict \
                         that rolls back, so nothing of it was kept; leave its end to the engine, and use \
                         savepoints within it";
            Ok(Ended::Err(Failure::new(Cause::Fatal, words), Retryability::Fatal))
        }
        Err(StoreError::Closed) => {
            Err(Failure::new(Cause::Interrupted, "the store was closed before the transaction was done"))
        }
        Err(error) => {
            call.undone.store(error.is_passing(), Ordering::Release);
            Err(Failure::from_error(Cause::Error, &error))
        }
    }
}
