//! One run in this process: its machine, its values, and what is under way.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;
use tracing::Span;

use crate::engine::attempts::Work;
use crate::engine::commit::{Journal, Uncommitted};
use crate::engine::instance::deferred::After;
use crate::engine::instance::spares::Parts;
use crate::engine::instance::standing::{RunEnd, Stop};
use crate::engine::instance::waiters::Waiters;
use crate::engine::registry::Registry;
use crate::engine::shared::Core;
use crate::engine::time::{Request, TimerId, When};
use crate::error::Error;
use crate::execution;
use crate::execution::{Aim, Execution};
use crate::lookup::KnownSignal;
use crate::operation::{Asker, By};
use crate::run::{Event, Key, Timestamp};
use crate::store::{Answer, StoreError};
use crate::task::definition::Graph;
use crate::value::Payload;
use crate::value::Value;

/// One run. Held by its handles, by the engine while it has not ended, and by
/// whatever will go on with it: workers, waits, requests for room.
pub(crate) struct RunHost {
    pub(crate) core: Arc<Core>,
    pub(crate) id: String,
    pub(crate) key: Option<String>,
    pub(crate) graph: &'static Graph,
    pub(crate) span: Span,
    /// How many [`Run`](crate::engine::Run)s there are. When the last one is awaited
    /// it may have the result itself instead of a copy.
    pub(crate) handles: AtomicUsize,
    /// Whether a thread is about to leave the run to its rows. Two would wait
    /// for each other to let go of it.
    pub(crate) leaving: AtomicBool,
    /// Whether any attempt was ever asked to stop. Most runs never set it, so
    /// that their attempts need not take the lock to ask.
    stopping: AtomicBool,
    /// Tells of every change, the run's end included: for observers, who
    /// register by [`Self::watch`].
    pub(crate) changed: Notify,
    /// Never held across an `.await`, and never while another run's is taken.
    inner: Mutex<Inner>,
    /// Where the run is kept; `None` in memory.
    pub(crate) journal: Option<Journal>,
    /// The same run, read back after it had to stop here.
    pub(crate) successor: OnceLock<Arc<RunHost>>,
}

/// The part of a run that changes.
pub(crate) struct Inner {
    pub(crate) run: Execution,
    /// What is under way.
    pub(crate) work: Work,
    pub(crate) timers: HashSet<TimerId>,
    /// How far the wall clock was set back after the run had fallen asleep,
    /// where it was read back for that.
    pub(crate) set_back: Duration,
    /// Whether anybody waits for the next change.
    pub(crate) watched: bool,
    /// Who awaits the end: they are not woken at every step.
    pub(crate) awaiting: Waiters,
    /// What the output of the attempt that has just ended is remembered under.
    pub(crate) cache_key: Option<Vec<u8>>,
    /// Who wanted the event that is heard next.
    pub(crate) by: Option<By>,
    /// The value of the event that is heard next, where it was encoded to see
    /// that it can be saved.
    pub(crate) saved: Option<Payload>,
    /// What has been decided and not been handed to the store.
    pub(crate) uncommitted: Uncommitted,
    /// Set by the action that ends the run, until the run has ended.
    pub(crate) ending: Option<RunEnd>,
    pub(crate) end: Option<RunEnd>,
    /// What becomes of a run whose end is none: its store has failed.
    pub(crate) stop: Stop,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
}

/// How long after its time a wait has ended late: no engine was there, or the
/// machine slept.
const LATE: Duration = Duration::from_secs(1);

/// How long a caller that asks something of a run waits for an expression that it
/// evaluates, and how often it is looked whether that has returned.
const EXPRESSION: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(10);

/// Which run it is.
pub(crate) struct Identity {
    pub(crate) id: String,
    pub(crate) key: Option<String>,
    pub(crate) started_at: Timestamp,
}

impl RunHost {
    /// A new run.
    pub(crate) fn new(
        core: Arc<Core>,
        graph: &'static Graph,
        key: Option<String>,
        params: Vec<Value>,
    ) -> Arc<Self> {
        let started_at = core.clock.now();
        let identity = Identity { id: core.random.run_id(started_at), key, started_at };
        Self::of(core, graph, identity, params, None)
    }

    /// A run that has heard no event yet.
    pub(crate) fn of(
        core: Arc<Core>,
        graph: &'static Graph,
        identity: Identity,
        params: Vec<Value>,
        journal: Option<Journal>,
    ) -> Arc<Self> {
        let Identity { id, key, started_at } = identity;
        let span = tracing::info_span!("run", workflow = graph.name, id = %id);
        let Parts { run, ready } = core.spares.take(graph);
        let mut run = Execution::of(graph, run, params, started_at);
        run.saves = journal.as_ref().map(|_| core.largest_value);
        let inner = Inner {
            run,
            work: Work { ready, ..Work::default() },
            timers: HashSet::new(),
            set_back: Duration::ZERO,
            watched: false,
            awaiting: Waiters::default(),
            cache_key: None,
            by: None,
            saved: None,
            uncommitted: Uncommitted::default(),
            ending: None,
            end: None,
            stop: Stop::default(),
            started_at,
            ended_at: None,
        };
        Arc::new(Self {
            core,
            id,
            key,
            graph,
            span,
            handles: AtomicUsize::new(0),
            leaving: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            changed: Notify::new(),
            inner: Mutex::new(inner),
            journal,
            successor: OnceLock::new(),
        })
    }

    /// For looking; a caller that changes something goes through [`Self::with`].
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        // What panics under the lock is the user's and contained there.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, unless another thread holds it just now.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, Inner>> {
        match self.inner.try_lock() {
            Ok(inner) => Some(inner),
            Err(TryLockError::Poisoned(inner)) => Some(inner.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Whether a thread holds its lock just now.
    pub(crate) fn is_locked(&self) -> bool {
        self.try_lock().is_none()
    }

    /// Whether the run can be asked anything by then: an expression that does
    /// not return has its lock.
    pub(crate) async fn can_be_asked(&self, by: Instant) -> bool {
        while self.is_locked() {
            if Instant::now() >= by {
                return false;
            }
            self.core.reach(Instant::now() + LOOK).await;
        }
        true
    }

    /// Registers for the next change. What changed before can be seen then.
    pub(crate) fn watch(&self, changed: Pin<&mut Notified<'_>>) {
        changed.enable();
        self.lock().watched = true;
    }

    pub(crate) fn registry(&self) -> Option<Arc<Registry>> {
        self.core.registry.upgrade()
    }

    /// Reports `event` at a time.
    pub(crate) fn deliver_at(self: &Arc<Self>, inner: &mut Inner, when: When, event: Event) {
        let host = self.clone();
        let due = move |id| {
            host.with(|inner, after| {
                inner.timers.remove(&id);
                let now = host.core.clock.now();
                let late = when.wall().is_some_and(|at| now.since(at) > LATE);
                let event = match event {
                    Event::TimerFired { key, epoch }
                        if late && inner.run.machine.is_over_budget(key, now) =>
                    {
                        Event::BudgetOver { key, epoch }
                    }
                    event => event,
                };
                host.handle(inner, after, event, None);
                host.call_workers(inner, after);
            });
        };
        inner.timers.insert(self.core.timers.add(when, Box::new(due)));
    }

    /// What an attempt has asked for is there.
    pub(crate) fn grant(self: &Arc<Self>, key: Key, epoch: u32) {
        self.with(|inner, after| {
            let event = match inner.run.machine.is_over_budget(key, self.core.clock.now()) {
                true => Event::BudgetOver { key, epoch },
                false => Event::Granted { key, epoch },
            };
            self.handle(inner, after, event, None);
            self.call_workers(inner, after);
        });
    }

    pub(crate) async fn cancel(self: &Arc<Self>, asker: impl Into<Asker>) -> Result<(), Error> {
        self.ask(asker.into(), |_| Ok((Event::CancelRequested, None))).await
    }

    pub(crate) async fn signal(
        self: &Arc<Self>,
        known: &KnownSignal,
        aim: &Aim,
        value: Value,
        asker: impl Into<Asker>,
    ) -> Result<(), Error> {
        let event = |inner: &Inner| match inner.run.aim(known, aim) {
            Ok(event) => Ok((event, Some(value))),
            Err(reason) => Err(Error::Refused { id: self.id.clone(), reason }),
        };
        self.ask(asker.into(), event).await
    }

    /// Has the run hear something from outside, and waits until that is
    /// committed: what was accepted is not lost. `event` looks at the run for
    /// what it is to hear, and may refuse. A request is answered with the same
    /// commit.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        asker: Asker,
        event: impl FnOnce(&Inner) -> Result<(Event, Option<Value>), Error>,
    ) -> Result<(), Error> {
        // Before the run has heard of it, so that it can be asked again.
        if let Some(error) = self.journal.as_ref().and_then(|_| self.core.health.lasts()) {
            return Err(Error::Store(error));
        }
        if !self.can_be_asked(Instant::now() + EXPRESSION).await {
            let reason = format!(
                "hears nothing now: an expression of `{}` has not returned for {EXPRESSION:?}; code that takes \
                 long belongs into a task, and until it returns only the end of its process ends it",
                self.graph.name
            );
            return Err(Error::Refused { id: self.id.clone(), reason });
        }
        let (committed, hear) = tokio::sync::oneshot::channel();
        let is_request = asker.request.is_some();
        self.with(|inner, after| {
            self.check_open(inner)?;
            let (event, value) = event(inner)?;
            let value = self.save_sent(inner, &event, value)?;
            if self.journal.is_some() {
                inner.uncommitted.waiters.push(committed);
            }
            inner.by = asker.by;
            inner.uncommitted.answer = self.answer_to(asker.request);
            self.handle(inner, after, event, value);
            inner.by = None;
            self.call_workers(inner, after);
            Ok::<_, Error>(())
        })?;
        if self.journal.is_none() {
            return Ok(());
        }
        // What another process has asked for would be looked for again, and
        // done twice.
        if is_request {
            return hear.await.unwrap_or(Err(StoreError::Closed)).map_err(Error::Store);
        }
        tokio::select! {
            biased;
            committed = hear => committed.unwrap_or(Err(StoreError::Closed)).map_err(Error::Store),
            error = self.core.health.lasting() => {
                Err(Error::Unconfirmed { workflow: self.graph.name.to_owned(), id: self.id.clone(), error })
            }
        }
    }

    /// The answer to a request, once what it wants of this run is done.
    pub(crate) fn answer_to(&self, request: Option<i64>) -> Option<(i64, Answer)> {
        request.map(|number| (number, Answer { at: self.core.clock.now(), result: Ok(self.id.clone()) }))
    }

    /// Saves a value that was sent to the run, for the event that it hears
    /// next: one that cannot be saved is refused. Gives it as it is read back.
    pub(crate) fn save_sent(
        &self,
        inner: &mut Inner,
        event: &Event,
        mut value: Option<Value>,
    ) -> Result<Option<Value>, Error> {
        if self.journal.is_some()
            && let Some(given) = &mut value
            && let Some((payload, read)) = self.save_value(inner, event, given)?
        {
            inner.saved = Some(payload);
            if let Some(read) = read {
                *given = read;
            }
        }
        Ok(value)
    }

    /// The value that comes with an event, as it is saved and read back.
    fn save_value(
        &self,
        inner: &Inner,
        event: &Event,
        value: &Value,
    ) -> Result<Option<(Payload, Option<Value>)>, Error> {
        let saved = execution::encode(&inner.run, event, value, self.core.largest_value);
        saved.map_err(|failure| Error::Unsaved {
            workflow: self.graph.name.to_owned(),
            reason: format!("{}: {failure}", execution::bringer(&inner.run, event)),
        })
    }

    /// Drops every attempt.
    pub(crate) fn stop_all(&self, inner: &mut Inner, after: &mut After) {
        self.stopping.store(true, Ordering::Release);
        after.rare().wakers.extend(inner.work.controls.stop_everything(Instant::now()));
    }

    /// Asks an attempt to stop; it is dropped at `abort_at` if given.
    pub(crate) fn stop(
        &self,
        inner: &mut Inner,
        after: &mut After,
        key: Key,
        epoch: u32,
        abort_at: Option<Instant>,
    ) {
        self.stopping.store(true, Ordering::Release);
        after.rare().wakers.extend(inner.work.controls.stop(key, epoch, abort_at));
        // It may be one of those that wait for code to return.
        inner.work.ready.extend(inner.work.left_behind.release());
    }

    /// Whether any attempt was ever asked to stop.
    #[inline]
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Gives back the room of an attempt that ended, or of a request that is
    /// not needed any more.
    #[inline]
    pub(crate) fn release(self: &Arc<Self>, inner: &mut Inner, after: &mut After, key: Key, epoch: u32) {
        if inner.work.room.is_empty() {
            return;
        }
        self.end_turn(inner, after, key, epoch);
        if let Some(room) = inner.work.room.remove(&(key, epoch))
            && let Some(task) = room.task
        {
            let request = Request { host: self.clone(), key, epoch };
            let granted = self.core.limits.release(&self.core, task, &request);
            after.rare().granted.extend(granted);
        }
    }

    /// The run as it goes on now, and how often it was read back since.
    pub(crate) fn current(self: &Arc<Self>) -> (&Arc<Self>, usize) {
        let (mut host, mut depth) = (self, 0);
        while let Some(next) = host.successor.get() {
            (host, depth) = (next, depth + 1);
        }
        (host, depth)
    }
}
