//! The engine as its users hold it.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::codec::Durable;
use crate::engine::builder::EngineBuilder;
use crate::engine::commit::{Beginning, Sent, create_run};
use crate::engine::instance::{Run, RunHost};
use crate::engine::registry::Registry;
use crate::engine::schedules::World;
use crate::engine::shared::Core;
use crate::error::Result;
use crate::resources::{NoResources, Resources};
use crate::task::definition::Graph;
use crate::task::{RunsOn, Task};
use crate::workflow::{Invocation, SignalTarget, Workflow};

/// How long a shutdown waits for the futures of interrupted attempts to be
/// dropped, which takes until their current poll returns.
const DROP_TIME: Duration = Duration::from_secs(1);

/// How long it waits at least for the store to write what is queued.
const CLOSE_TIME: Duration = Duration::from_secs(5);

/// Runs workflows. A handle: clones are the same engine.
///
/// When the last handle is dropped, runs go on until they end; only what
/// can no longer be reached is dropped, such as a run that waits for a
/// signal and has no [`Run`] left.
pub struct Engine<R = NoResources> {
    core: Arc<Core>,
    registry: Arc<Registry>,
    workflows: Arc<[&'static Graph]>,
    resources: PhantomData<fn() -> R>,
}

impl Engine<NoResources> {
    /// An engine that keeps its runs in memory: they end with the process,
    /// and nothing is encoded on the way from step to step.
    pub fn in_memory() -> EngineBuilder<NoResources> {
        EngineBuilder::in_memory()
    }

    /// An engine that keeps its runs in a file, so that they outlive the
    /// process: what is committed is never lost, and what is finished never
    /// runs twice. The file is an SQLite database; it is made if it is not
    /// there, and belongs to one process at a time.
    pub fn open(path: impl Into<std::path::PathBuf>) -> EngineBuilder<NoResources> {
        EngineBuilder::file(path.into())
    }

    /// An engine that keeps its runs in a store of another kind.
    pub fn with_store(store: Arc<dyn crate::store::Store>) -> EngineBuilder<NoResources> {
        EngineBuilder::store(store)
    }
}

impl<R: Resources> Engine<R> {
    pub(crate) fn new(
        core: Arc<Core>,
        registry: Arc<Registry>,
        workflows: Vec<&'static Graph>,
        resources: PhantomData<fn() -> R>,
    ) -> Self {
        Self { core, registry, workflows: workflows.into(), resources }
    }

    pub(crate) fn world(&self) -> World {
        World { core: self.core.clone(), registry: self.registry.clone() }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Starts a run once the returned builder is awaited:
    /// `engine.start(nightly(day)).await?`.
    pub fn start<W: Workflow + RunsOn<R>>(&self, invocation: Invocation<W>) -> Start<W> {
        Start {
            core: self.core.clone(),
            registry: self.registry.clone(),
            invocation,
            key: None,
            signals: Ok(Vec::new()),
        }
    }

    /// The workflows that were registered.
    #[must_use]
    pub fn workflows(&self) -> &[&'static Graph] {
        &self.workflows
    }

    /// How many attempts are over whose code goes on, since it cannot be stopped
    /// from outside: of `blocking` tasks, and polls that do not return. What
    /// such code was given room for, as the `concurrency` of its task, stays
    /// taken until it returns. [`RunSnapshot::stuck`](crate::RunSnapshot::stuck)
    /// names those of a run.
    #[must_use]
    pub fn left_behind(&self) -> usize {
        self.core.left_behind.load(Ordering::Relaxed)
    }

    /// Ends the engine. No run is started from now on. Runs that are at work,
    /// or will be by themselves before the grace time is over, are given that
    /// time to end. The rest is interrupted: attempts are dropped, and a caller that
    /// awaits the run gets [`Error::ShutDown`](crate::Error::ShutDown).
    /// Code that does not return is not waited for: threads of `blocking` tasks
    /// go on until it does, or the process ends.
    pub async fn shutdown(&self) {
        self.shutdown_in(self.core.grace).await;
    }

    /// The same without any grace.
    #[cfg(feature = "app")]
    pub(crate) async fn shutdown_at_once(&self) {
        self.shutdown_in(Duration::ZERO).await;
    }

    async fn shutdown_in(&self, grace: Duration) {
        self.registry.close();
        let grace_over = Instant::now() + grace;
        // Both over all runs, not for each: the time is common to all.
        let mut over = pin!(self.core.reach(grace_over));
        for host in self.registry.live() {
            if !host.can_be_asked(grace_over).await {
                continue;
            }
            tokio::select! {
                biased;
                () = until(&host, |host| !host.is_busy_until(grace_over)) => {}
                () = &mut over => break,
            }
        }
        let (mut left, asked_by) = (Vec::new(), Instant::now() + DROP_TIME);
        for host in self.registry.live() {
            if host.can_be_asked(asked_by).await {
                host.interrupt();
                left.push(host);
            } else {
                let what = "an expression of the workflow does not return, and its run was left behind";
                tracing::warn!(parent: &host.span, "{what}");
            }
        }
        let mut dropped = pin!(self.core.reach(Instant::now() + DROP_TIME));
        let mut is_late = false;
        for host in &left {
            if !is_late {
                tokio::select! {
                    biased;
                    () = until(host, |host| host.lock().work.attempts == 0) => {}
                    () = &mut dropped => is_late = true,
                }
            }
            let inner = host.lock();
            if inner.work.attempts > 0 {
                let steps: Vec<_> = inner.work.left_behind.stuck().map(|stuck| &*stuck.step).collect();
                tracing::warn!(parent: &host.span, ?steps, "an attempt does not return from its poll and was left behind");
            }
        }
        self.close_store().await;
        // A store that has closed answers nothing more.
        left.iter().for_each(|host| host.abandon());
        self.registry.stopped().iter().for_each(|host| host.stop_for_good());
    }

    /// Waits for what is queued; not for a transaction that does not return.
    async fn close_store(&self) {
        let Some(store) = self.core.store.clone() else { return };
        let closed = self.core.pools.run_ours(move || store.close());
        let late = Instant::now() + self.core.grace.max(CLOSE_TIME);
        tokio::select! {
            biased;
            _ = closed => {}
            () = self.core.reach(late) => {
                tracing::warn!("the store does not close: a transaction has not returned, or the disk is slow");
            }
        }
    }
}

/// Waits until a run is as wanted.
async fn until(host: &RunHost, reached: impl Fn(&RunHost) -> bool) {
    loop {
        // Registered before looking, so that no change is missed.
        let mut changed = std::pin::pin!(host.changed.notified());
        host.watch(changed.as_mut());
        if reached(host) {
            return;
        }
        changed.await;
    }
}

impl<R> Clone for Engine<R> {
    fn clone(&self) -> Self {
        Self {
            core: self.core.clone(),
            registry: self.registry.clone(),
            workflows: self.workflows.clone(),
            resources: PhantomData,
        }
    }
}

impl<R> fmt::Debug for Engine<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

/// A run about to start; made by [`Engine::start`]. Await it.
#[must_use = "a run starts when this is awaited"]
pub struct Start<W: Workflow> {
    core: Arc<Core>,
    registry: Arc<Registry>,
    invocation: Invocation<W>,
    key: Option<String>,
    signals: Result<Vec<Sent>>,
}

impl<W: Workflow> Start<W> {
    /// Sends the run a signal with its start, in one commit. Where the run of
    /// the [`key`](Self::key) is there already, that one is sent it: so whoever
    /// sends need not know whether the run has been started.
    ///
    /// ```
    /// use workflow_runtime::{Engine, workflow};
    ///
    /// workflow! {
    ///     fn cart(customer: u64) -> Result<String> {
    ///         let first = signal::<String>("item");
    ///         #[after(first)]
    ///         let second = signal::<String>("item");
    ///         Ok(format!("{customer}: {first}, {second}"))
    ///     }
    /// }
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let engine = Engine::in_memory().start().await?;
    /// let add = |item: &str| engine.start(cart(7)).key("cart/7").signal(cart::item, item.to_owned());
    /// add("tea").await?;
    /// assert_eq!(add("milk").await?.await?, "7: tea, milk");
    /// # Ok::<(), workflow_runtime::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// Awaiting the start is an error where the signal is none of the
    /// workflow's, where the value cannot be saved, and where the run has ended
    /// or [is not sent it](crate::AnyRun::signal).
    pub fn signal<T: Durable, S: SignalTarget<T>>(mut self, signal: S, value: T) -> Self {
        if let Ok(signals) = &mut self.signals {
            match Sent::of(W::GRAPH, &signal, value) {
                Ok(sent) => signals.push(sent),
                Err(error) => self.signals = Err(error),
            }
        }
        self
    }

    /// Names the run: starting the same workflow with the same arguments and
    /// the same key again gives the same run, also after it has ended. A key
    /// with anything else is an error, and so is one of more than a MiB.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}

impl<W: Workflow> IntoFuture for Start<W> {
    type Output = Result<Run<W::Ok>>;
    type IntoFuture = Starting<W>;

    fn into_future(self) -> Starting<W> {
        Starting(Some(match self.core.store.clone() {
            None if matches!(&self.signals, Ok(none) if none.is_empty()) => Stage::Here(self),
            None => Stage::Created(Box::pin(async move {
                let Self { core, registry, invocation, key, signals } = self;
                let signals = signals?;
                let host = registry.start(core, W::GRAPH, key, invocation.into_params())?;
                for signal in &signals {
                    signal.to(&host).await?;
                }
                Ok(Run::new(host))
            })),
            Some(store) => Stage::Created(Box::pin(async move {
                let Self { core, registry, invocation, key, signals } = self;
                let (params, signals) = (invocation.into_params(), signals?);
                let beginning = Beginning { key, params, signals, ..Beginning::default() };
                create_run(&core, &registry, &store, W::GRAPH, beginning).await.map(Run::new)
            })),
        }))
    }
}

type Creating<W> = Pin<Box<dyn Future<Output = Result<Run<<W as Task>::Ok>>> + Send>>;

/// A run that starts: what awaiting a [`Start`] awaits.
#[must_use = "a future does nothing unless it is awaited"]
pub struct Starting<W: Workflow>(Option<Stage<W>>);

enum Stage<W: Workflow> {
    /// In memory, which takes no time.
    Here(Start<W>),
    Created(Creating<W>),
}

impl<W: Workflow> Future for Starting<W> {
    type Output = Result<Run<W::Ok>>;

    /// # Panics
    /// When it is polled again after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self(stage) = self.get_mut();
        let started = match stage.take() {
            Some(Stage::Here(Start { core, registry, invocation, key, .. })) => {
                registry.start(core, W::GRAPH, key, invocation.into_params()).map(Run::new)
            }
            Some(Stage::Created(mut starting)) => match starting.as_mut().poll(cx) {
                Poll::Ready(started) => started,
                Poll::Pending => {
                    *stage = Some(Stage::Created(starting));
                    return Poll::Pending;
                }
            },
            None => panic!("the start of a run was polled after it was ready"),
        };
        Poll::Ready(started)
    }
}

impl<W: Workflow> fmt::Debug for Starting<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Starting").field("workflow", &W::GRAPH.name).finish_non_exhaustive()
    }
}

impl<W: Workflow> fmt::Debug for Start<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start").field("workflow", &W::GRAPH.name).field("key", &self.key).finish()
    }
}
