//! One run as its users hold it.

use std::fmt;
use std::future::{IntoFuture, poll_fn};
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll};

#[cfg(feature = "testing")]
use tokio::time::Instant;

use crate::codec::Durable;
use crate::engine::instance::events::Events;
use crate::engine::instance::host::RunHost;
use crate::engine::instance::standing::RunEnd;
use crate::error::{Error, Result};
use crate::execution::Aim;
use crate::lookup::{KnownSignal, find_signal_where};
#[cfg(feature = "testing")]
use crate::observe::Trace;
use crate::run::RunState;
#[cfg(feature = "testing")]
use crate::run::Timestamp;
use crate::store::StoreError;
use crate::task::definition::Graph;
use crate::value::{Codec, Value};
use crate::view::RunSnapshot;
use crate::workflow::SignalTarget;

/// A run: awaited, it gives the workflow's result. What can be asked of a run
/// whatever its result is, is [`AnyRun`]'s, which it derefs to.
///
/// A handle: clones are the same run, and dropping it does not stop the run.
#[must_use = "a run goes on by itself; await it for its result"]
pub struct Run<T> {
    any: AnyRun,
    output: PhantomData<fn() -> T>,
}

/// A run whose result may be of any type: what [`Engine::run`] finds by an id.
///
/// [`Engine::run`]: crate::engine::Engine::run
///
/// A handle: clones are the same run, and dropping it does not stop the run.
pub struct AnyRun {
    host: Arc<RunHost>,
}

impl<T> Run<T> {
    pub(crate) fn new(host: Arc<RunHost>) -> Self {
        Self { any: AnyRun::new(host), output: PhantomData }
    }
}

impl<T> Deref for Run<T> {
    type Target = AnyRun;

    fn deref(&self) -> &AnyRun {
        &self.any
    }
}

impl AnyRun {
    pub(crate) fn new(host: Arc<RunHost>) -> Self {
        host.handles.fetch_add(1, Ordering::Relaxed);
        Self { host }
    }

    pub(crate) fn host(&self) -> &Arc<RunHost> {
        self.host.current().0
    }

    /// The run's id, a UUID.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.host.id
    }

    /// The key it was started with.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.host.key.as_deref()
    }

    /// The workflow's name.
    #[must_use]
    pub fn workflow(&self) -> &'static str {
        self.host.graph.name
    }

    /// The run's state now: that of its latest commit, where it is kept in a
    /// store. A run that its engine's shutdown interrupted counts as cancelled.
    #[must_use]
    pub fn state(&self) -> RunState {
        self.host().state()
    }

    /// The run and all its steps as they are now.
    ///
    /// Its steps may be a commit ahead of [`state`](Self::state) and
    /// [`events`](Self::events), where the run is kept in a store: they are as
    /// the run has decided, and the commit of that may be on its way. The engine
    /// does not act on a decision before its commit, so a step that will start then is
    /// shown as [`Waiting`](crate::run::StepState::Waiting) for its
    /// [`Turn`](crate::run::Wait::Turn); one that has ended is shown as ended.
    /// If the process dies before the commit, the next engine decides again.
    #[must_use]
    pub fn snapshot(&self) -> RunSnapshot {
        RunSnapshot::of(self.host())
    }

    /// Everything that happens to the run, from its start on, in the same
    /// order for everyone who asks.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::of(self.host().clone())
    }

    /// The same run, for a caller that knows what type its result is of. `None` when
    /// it is of another type than that.
    #[must_use]
    pub fn typed<T: Durable>(&self) -> Option<Run<T>> {
        let is_it = (self.host.graph.output.type_name)() == std::any::type_name::<T>();
        is_it.then(|| Run::new(self.host().clone()))
    }

    /// Why the run does not go on for now, as in its snapshot.
    #[cfg(feature = "app")]
    pub(crate) fn why_stopped(&self) -> Option<String> {
        self.host().why_stopped()
    }

    /// When the runtime's clock shows a time of the run's.
    #[cfg(feature = "testing")]
    pub(crate) fn instant(&self, at: Timestamp) -> Instant {
        self.host.core.clock.instant(at)
    }

    /// What has happened so far, for a test to assert on. With the feature
    /// `testing`.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.host().trace()
    }

    /// Waits until the run has ended, however it does. Await a [`Run`] itself
    /// for its result.
    pub async fn wait(&self) {
        let mut waiting = Waiting { run: self, place: Place::default() };
        poll_fn(|cx| waiting.run.poll_end(&mut waiting.place, cx)).await;
    }

    /// Whether the run has ended. If not, `cx` is woken when it does; it is
    /// known by its place until then.
    fn poll_end(&self, place: &mut Place, cx: &TaskContext<'_>) -> Poll<()> {
        let (host, depth) = self.host.current();
        if depth != place.depth {
            // It was woken where it has waited before.
            *place = Place { depth, number: None };
        }
        let mut inner = host.lock();
        if host.is_over(&inner) {
            return Poll::Ready(());
        }
        let replaced = inner.awaiting.register(&mut place.number, cx.waker());
        drop(inner);
        drop(replaced);
        // Read back meanwhile.
        if host.successor.get().is_some() {
            return self.poll_end(place, cx);
        }
        Poll::Pending
    }

    /// The waiter that has this place is not to be woken any more.
    fn stop_waiting(&self, place: Place) {
        let (host, depth) = self.host.current();
        if let Some(number) = place.number.filter(|_| depth == place.depth) {
            let gone = host.lock().awaiting.forget(number);
            drop(gone);
        }
    }

    /// The run's result as JSON, once it has ended: `None` before that.
    ///
    /// # Errors
    /// How the run ended, where it did not succeed, and when its result cannot
    /// be written.
    #[must_use]
    pub fn result(&self) -> Option<Result<Vec<u8>>> {
        let host = self.host();
        let inner = host.lock();
        let end = inner.end.as_ref()?;
        let result = host.outcome(end).and_then(|()| {
            let value = inner.run.result.clone().unwrap_or_else(|| Value::new(()));
            (host.graph.output.encode)(&value).map_err(|error| Error::Codec(Arc::new(error)))
        });
        Some(result)
    }

    /// Asks the run to stop. Its attempts are told at once and dropped when
    /// the grace time is over; awaiting the run then gives
    /// [`Error::Cancelled`].
    ///
    /// # Errors
    /// When the run has ended.
    pub async fn cancel(&self) -> Result<()> {
        self.host().cancel(None).await
    }

    /// Sends the run a signal: `run.signal(nightly::review, verdict)`, or
    /// `run.signal(orders::approval.key(17), verdict)` where it has a
    /// [key](crate::KeyedSignal). A signal that nothing waits for yet is kept
    /// until something does.
    ///
    /// # Errors
    /// When the run has ended, when the workflow and those it uses have no such
    /// signal, and when several steps wait for it and none of them is named
    /// ([`Signal::at`](crate::Signal::at)).
    pub async fn signal<T: Durable, S: SignalTarget<T>>(&self, signal: S, value: T) -> Result<()> {
        let (known, aim) = aimed(self.host.graph, &signal)?;
        self.host().signal(&known, &aim, Value::new(value), None).await
    }
}

/// The signal of a graph that a handle stands for, and for whom it is.
pub(crate) fn aimed<T: Durable, S: SignalTarget<T>>(
    graph: &'static Graph,
    signal: &S,
) -> Result<(KnownSignal, Aim)> {
    // The handle of another workflow may have the same name and carry another
    // type.
    let is_meant = |name: &str, codec: &Codec| {
        name == signal.name() && (codec.type_name)() == std::any::type_name::<T>()
    };
    let Some(known) = find_signal_where(graph, &is_meant) else {
        let (workflow, signal) = (graph.name.to_owned(), signal.name().to_owned());
        return Err(Error::UnknownSignal { workflow, signal });
    };
    let (key, step) = (signal.key().map(str::to_owned), signal.step().map(str::to_owned));
    Ok((known, Aim { key, step }))
}

impl<T: Durable> IntoFuture for Run<T> {
    type Output = Result<T>;
    type IntoFuture = RunResult<T>;

    fn into_future(self) -> RunResult<T> {
        RunResult { run: Some(self), place: Place::default() }
    }
}

/// A caller that waits for a run to end, until it stops waiting.
struct Waiting<'a> {
    run: &'a AnyRun,
    place: Place,
}

/// Where a caller waits for the end of a run.
#[derive(Clone, Copy, Default)]
struct Place {
    /// How often the run was read back before.
    depth: usize,
    number: Option<u64>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.run.stop_waiting(self.place);
    }
}

/// The result of a [`Run`], once it has ended: what awaiting a run awaits.
#[must_use = "a future does nothing unless it is awaited"]
pub struct RunResult<T> {
    /// `None` once it was ready.
    run: Option<Run<T>>,
    place: Place,
}

impl<T: Durable> Future for RunResult<T> {
    type Output = Result<T>;

    /// # Panics
    /// When it is polled again after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<T>> {
        let Self { run, place } = self.get_mut();
        if run.as_ref().is_some_and(|run| run.poll_end(place, cx).is_pending()) {
            return Poll::Pending;
        }
        match run.take() {
            Some(run) => Poll::Ready(run.take_result()),
            None => panic!("the result of a run was polled after it was ready"),
        }
    }
}

impl<T> Drop for RunResult<T> {
    fn drop(&mut self) {
        if let Some(run) = &self.run {
            run.stop_waiting(self.place);
        }
    }
}

impl<T> fmt::Debug for RunResult<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunResult").field("run", &self.run).finish_non_exhaustive()
    }
}

impl<T: Durable> Run<T> {
    pub(crate) fn take_result(self) -> Result<T> {
        let host = self.any.host();
        // A caller that has the key may ask again, and so may another handle.
        let only = host.key.is_none() && host.handles.load(Ordering::Acquire) == 1;
        let mut inner = host.lock();
        if let Some(end) = &inner.end {
            host.outcome(end)?;
        }
        let value = if only { inner.run.result.take() } else { inner.run.result.clone() };
        drop(inner);
        match value.unwrap_or_else(|| Value::new(())).into_inner::<T>() {
            Ok(value) => Ok(value),
            Err(shared) => copy(&*shared),
        }
    }
}

impl RunHost {
    /// An error, where the run did not end well.
    fn outcome(&self, end: &RunEnd) -> Result<()> {
        let workflow = || self.graph.name.to_owned();
        match end {
            RunEnd::Failed(error) => Err(Error::Failed { workflow: workflow(), error: error.clone() }),
            RunEnd::Cancelled => Err(Error::Cancelled { workflow: workflow() }),
            RunEnd::Interrupted => Err(Error::ShutDown),
            RunEnd::Unstored(error) => Err(self.stopped(error)),
            RunEnd::Succeeded => Ok(()),
        }
    }

    pub(crate) fn stopped(&self, error: &StoreError) -> Error {
        Error::Stopped { workflow: self.graph.name.to_owned(), id: self.id.clone(), error: error.clone() }
    }
}

/// A copy of a value of any type: by way of its bytes, since results need not
/// be `Clone`.
fn copy<T: Durable>(value: &T) -> Result<T> {
    let copy = value.encode().and_then(|bytes| T::decode(&bytes));
    copy.map_err(|error| Error::Codec(Arc::new(error)))
}

impl<T> Clone for Run<T> {
    fn clone(&self) -> Self {
        Self { any: self.any.clone(), output: PhantomData }
    }
}

impl Clone for AnyRun {
    fn clone(&self) -> Self {
        Self::new(self.host().clone())
    }
}

impl Drop for AnyRun {
    fn drop(&mut self) {
        if self.host.handles.fetch_sub(1, Ordering::Release) == 1 {
            self.host.consider_sleep();
        }
    }
}

impl<T> fmt::Debug for Run<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.any.fmt(f)
    }
}

impl fmt::Debug for AnyRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("workflow", &self.workflow())
            .field("id", &self.id())
            .field("key", &self.key())
            .field("state", &self.state())
            .finish()
    }
}
