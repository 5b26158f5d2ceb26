//! How an engine is set up.

use std::any::TypeId;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

#[cfg(feature = "testing")]
use crate::engine::attempts::Witness;
use crate::engine::attempts::{Paces, Pools, Results, supervise};
use crate::engine::commit::Health;
use crate::engine::handle::Engine;
use crate::engine::instance::Spares;
use crate::engine::operate::watch_requests;
use crate::engine::recover::{Again, Sleepers, introduce, keep_to_retention, recover_runs, shorten_backoffs};
use crate::engine::registry::{Passing, Registry};
use crate::engine::schedules;
use crate::engine::schedules::Backfills;
use crate::engine::shared::{Core, Mode};
use crate::engine::time::{Clock, Limits, Random, RuntimeEnd, Timers, Turns};
use crate::error::{Error, Result};
use crate::resources::{NoResources, Resources};
#[cfg(feature = "testing")]
use crate::run::Timestamp;
#[cfg(feature = "app")]
use crate::store::Ownership;
use crate::store::{Durability, Sqlite, Store, StoreError, check_clear, check_keys};
#[cfg(feature = "encryption")]
use crate::store::{Encrypted, KeyRing};
use crate::task::definition::Graph;
#[cfg(feature = "testing")]
use crate::task::{Mock, Task};
use crate::task::{RunsOn, Shared};
use crate::workflow::Workflow;

/// How long attempts that were asked to stop may go on, unless
/// [`EngineBuilder::grace`] says otherwise.
const GRACE: Duration = Duration::from_secs(30);

/// How many bytes a saved value may have, unless
/// [`EngineBuilder::largest_value`] says otherwise: what the SQLite store
/// takes, less than what encryption adds.
pub(crate) const LARGEST_VALUE: usize = (256 << 20) - 1024;

/// Sets an engine up; made by [`Engine::in_memory`].
#[must_use = "an engine runs nothing until it is started"]
pub struct EngineBuilder<R = NoResources> {
    resources: R,
    settings: Settings,
}

/// All that is set beside the resources, whose type is the builder's.
struct Settings {
    workflows: Vec<&'static Graph>,
    mocks: HashMap<TypeId, Box<Shared>>,
    grace: Duration,
    store: Keep,
    largest_value: usize,
    recover: bool,
    mode: Mode,
    heard_by: Option<UnboundedSender<Passing>>,
    keep: Option<Duration>,
    layer: Layer,
    schedules: bool,
    #[cfg(feature = "testing")]
    test: Test,
}

/// What comes between an engine and its store, once that is open.
type Layer = Box<dyn FnOnce(Arc<dyn Store>) -> Result<Arc<dyn Store>, StoreError> + Send + Sync>;

/// Nothing comes between; then the store needs no keys.
fn clear(store: Arc<dyn Store>) -> Result<Arc<dyn Store>, StoreError> {
    let keys = store.keys()?;
    check_keys(&keys, store.was_encrypted()?)?;
    check_clear(&keys)?;
    Ok(store)
}

/// What the test kit wants of an engine.
#[cfg(feature = "testing")]
#[derive(Default)]
struct Test {
    wall: Option<Timestamp>,
    witness: Option<Witness>,
}

/// Where an engine keeps its runs.
enum Keep {
    InMemory,
    File(PathBuf, Durability),
    /// A file that is taken already.
    #[cfg(feature = "app")]
    Owned(Ownership, Durability),
    Store(Arc<dyn Store>),
}

impl EngineBuilder<NoResources> {
    fn on(store: Keep) -> Self {
        let settings = Settings {
            workflows: Vec::new(),
            mocks: HashMap::new(),
            grace: GRACE,
            store,
            largest_value: LARGEST_VALUE,
            recover: true,
            mode: Mode::Works,
            heard_by: None,
            keep: None,
            layer: Box::new(clear),
            schedules: true,
            #[cfg(feature = "testing")]
            test: Test::default(),
        };
        Self { resources: NoResources, settings }
    }

    pub(crate) fn in_memory() -> Self {
        Self::on(Keep::InMemory)
    }

    pub(crate) fn file(path: PathBuf) -> Self {
        Self::on(Keep::File(path, Durability::default()))
    }

    /// On a file that this process has taken already.
    #[cfg(feature = "app")]
    pub(crate) fn owned(owned: Ownership) -> Self {
        Self::on(Keep::Owned(owned, Durability::default()))
    }

    pub(crate) fn store(store: Arc<dyn Store>) -> Self {
        Self::on(Keep::Store(store))
    }

    /// Gives the engine what its tasks borrow: a struct with
    /// `#[derive(Resources)]`. Before [`register`](Self::register), which
    /// checks that every resource of a workflow is there.
    pub fn resources<R: Resources>(self, resources: R) -> EngineBuilder<R> {
        EngineBuilder { resources, settings: self.settings }
    }
}

impl<R: Resources> EngineBuilder<R> {
    /// Makes a workflow known by its name. Starting an invocation does so too.
    pub fn register<W: Workflow + RunsOn<R>>(mut self) -> Self {
        if !self.settings.workflows.iter().any(|known| std::ptr::eq(*known, W::GRAPH)) {
            self.settings.workflows.push(W::GRAPH);
        }
        self
    }

    /// How long attempts may go on after they were asked to stop, and runs
    /// after [`Engine::shutdown`] was called. 30 seconds unless set.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// Has `stand_in` run in place of a task, for a test. It takes what the
    /// task takes from its caller, several arguments as a tuple, and returns
    /// what the task returns. With the feature `testing`.
    #[cfg(feature = "testing")]
    pub fn mock<T: Task>(
        mut self,
        stand_in: impl for<'a> Fn(T::Args<'a>) -> T::Return + Send + Sync + 'static,
    ) -> Self {
        self.settings.mocks.insert(TypeId::of::<T>(), Box::new(Mock::<T>(Box::new(stand_in))));
        self
    }

    /// How many bytes a value may have when it is saved: 256 MiB unless set. A
    /// task that returns more fails, and the failure says how large it was; a
    /// parameter or a signal that is larger is refused. In memory it holds for
    /// the parameters of a run with a key alone, which are compared as bytes.
    pub fn largest_value(mut self, bytes: usize) -> Self {
        self.settings.largest_value = bytes;
        self
    }

    /// How long a run is kept after it has ended: for ever unless set. Once
    /// its time is over it is removed with all that is stored of it, and its
    /// key is free again. Says nothing for an engine in memory.
    pub fn keep(mut self, time: Duration) -> Self {
        self.settings.keep = Some(time);
        self
    }

    /// Whether the engine goes on with the unfinished runs of its store and
    /// fires schedules: yes unless set. Without, it only goes on with what it is
    /// asked for, by this process or by others: as long as it owns the store,
    /// no other process can see to their requests.
    pub fn recover(mut self, all: bool) -> Self {
        self.settings.recover = all;
        self
    }

    /// Whether attempts begin in this engine. One in which they do not commits
    /// what is decided and leaves the rest to the next engine: to begin them,
    /// and to see to what other processes ask for.
    #[cfg(feature = "app")]
    pub(crate) fn begins(mut self, begins: bool) -> Self {
        self.settings.mode = if begins { Mode::Works } else { Mode::OnlyNotes };
        self
    }

    /// Who hears of the runs that come and go.
    #[cfg(feature = "app")]
    pub(crate) fn heard_by(mut self, listener: Option<UnboundedSender<Passing>>) -> Self {
        self.settings.heard_by = listener;
        self
    }

    /// Encrypts every value that is stored, with keys that only the user has:
    /// see [`Encrypted`] for what that covers, and [`KeyRing`] for how a key
    /// is changed. A store that is encrypted cannot be opened without, and one
    /// that has runs in clear only with a ring that
    /// [takes them](KeyRing::and_values_in_clear). Says nothing for an engine in
    /// memory.
    ///
    /// ```no_run
    /// use workflow_runtime::Engine;
    /// use workflow_runtime::store::{Key, KeyRing};
    ///
    /// # async fn start() -> workflow_runtime::Result<()> {
    /// let keys = KeyRing::new("2026-11", Key::from_env("WORKFLOW_KEY")?);
    /// let engine = Engine::open("runs.db").encrypt(keys).start().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "encryption")]
    pub fn encrypt(mut self, keys: KeyRing) -> Self {
        self.settings.layer = Box::new(move |store| Ok(Arc::new(Encrypted::open(store, &keys)?)));
        self
    }

    /// Whether the registered workflows start by themselves when their
    /// schedules say so: they do unless set otherwise. They do as long as a
    /// handle of the engine is left and it is not shut down.
    ///
    /// A schedule that the engine's store has never seen begins now; what was
    /// due before is not made up for.
    pub fn schedules(mut self, fire: bool) -> Self {
        self.settings.schedules = fire;
        self
    }

    /// Puts the engine on a store, in a world of the test kit.
    #[cfg(feature = "testing")]
    pub(crate) fn under_test(mut self, store: Arc<dyn Store>, wall: Timestamp, witness: Witness) -> Self {
        self.settings.store = Keep::Store(store);
        self.settings.test = Test { wall: Some(wall), witness: Some(witness) };
        // Years may pass in such a world, and what it has done is looked at.
        self.settings.keep = None;
        self
    }

    /// What the store's file survives: a power cut unless set otherwise. Says
    /// nothing for an engine in memory or with a store of its own.
    pub fn durability(mut self, wanted: Durability) -> Self {
        match &mut self.settings.store {
            Keep::File(_, durability) => *durability = wanted,
            #[cfg(feature = "app")]
            Keep::Owned(_, durability) => *durability = wanted,
            Keep::InMemory | Keep::Store(_) => {}
        }
        self
    }

    /// Starts the engine, on the tokio runtime that this is awaited in. The
    /// unfinished runs of the registered workflows go on at once.
    ///
    /// # Errors
    /// When two different workflows of one name are registered, and when the
    /// store cannot be opened or read, or needs a key; [`StoreError`] says why.
    ///
    /// # Panics
    /// Outside of a tokio runtime, or in one without time.
    pub async fn start(self) -> Result<Engine<R>> {
        let Self { resources, settings } = self;
        check_names(&settings.workflows)?;
        let runtime = tokio::runtime::Handle::current();
        let (keep, layer) = (settings.store, settings.layer);
        let open = move || {
            let store: Arc<dyn Store> = match keep {
                Keep::InMemory => return Ok(None),
                Keep::Store(store) => store,
                Keep::File(path, durability) => {
                    Arc::new(Sqlite::options().durability(durability).open(path)?)
                }
                #[cfg(feature = "app")]
                Keep::Owned(owned, durability) => {
                    Arc::new(Sqlite::options().durability(durability).open_owned(owned)?)
                }
            };
            layer(store).map(Some)
        };
        #[cfg(feature = "testing")]
        let clock = settings.test.wall.map_or_else(Clock::start, Clock::starting_at);
        #[cfg(not(feature = "testing"))]
        let clock = Clock::start();
        let clock = Arc::new(clock);
        let pools = Arc::new(Pools::start(&runtime, &clock)?);
        let store: Result<_, StoreError> = pools.run_ours(open).await.map_err(|_| Error::ShutDown)?;
        let store = store?;
        let timers = Arc::new(Timers::new(clock.clone()));
        let registry = Arc::new(Registry::heard_by(settings.heard_by));
        let core = Arc::new(Core {
            parallelism: runtime.metrics().num_workers().max(1),
            runtime,
            registry: Arc::downgrade(&registry),
            clock,
            pools,
            left_behind: AtomicUsize::new(0),
            random: Random::seeded(),
            timers,
            limits: Limits::default(),
            turns: Turns::default(),
            sleepers: Sleepers::default(),
            paces: Paces::default(),
            spares: Spares::default(),
            again: Again::default(),
            health: Health::default(),
            backfills: Backfills::default(),
            operating: tokio::sync::Mutex::default(),
            grace: settings.grace,
            mode: settings.mode,
            resources: Box::new(resources),
            mocks: settings.mocks,
            largest_value: settings.largest_value,
            #[cfg(feature = "testing")]
            witness: settings.test.witness,
            results: Results::default(),
            store,
            #[cfg(feature = "logs")]
            logs: Arc::default(),
        });
        let (driven, end) = (core.timers.clone(), RuntimeEnd::of(&core, &registry));
        let when_set = when_set(&core, &registry);
        drop(core.runtime.spawn(async move {
            let _end = end;
            driven.drive(when_set).await;
        }));
        supervise(&core, &registry).map_err(|error| Error::no_thread(&error))?;
        if let Some(store) = core.store.clone() {
            let (all, workflows) = (settings.recover, settings.workflows.clone());
            let (core_there, registry_there) = (core.clone(), registry.clone());
            let recover = move || {
                introduce(&registry_there, &workflows);
                if all { recover_runs(&core_there, &registry_there, &store) } else { Ok(()) }
            };
            core.pools.run_ours(recover).await.map_err(|_| Error::ShutDown)??;
            watch_requests(&core, &registry).map_err(|error| Error::no_thread(&error))?;
            if let Some(time) = settings.keep {
                keep_to_retention(&core, time);
            }
        } else {
            introduce(&registry, &settings.workflows);
        }
        if settings.schedules && settings.recover {
            schedules::begin(&core, &registry, &settings.workflows).await?;
        }
        Ok(Engine::new(core, registry, settings.workflows, PhantomData))
    }
}

/// What follows where the wall clock was set by so many nanoseconds. Weak: the
/// clock goes on for as long as the engine, and no longer.
fn when_set(core: &Arc<Core>, registry: &Arc<Registry>) -> impl Fn(i64) + Send + use<> {
    let (core, registry) = (Arc::downgrade(core), Arc::downgrade(registry));
    move |by| {
        let (Some(core), Some(registry)) = (core.upgrade(), registry.upgrade()) else { return };
        let length = Duration::from_nanos(by.unsigned_abs());
        let way = if by < 0 { "back" } else { "forward" };
        tracing::warn!("the wall clock was set {way} by {length:?}; what waits for a time of day follows it");
        registry.scheduled.notify_one();
        if by < 0 && core.store.is_some() {
            let there = core.clone();
            // Reads the store, so not on a thread of the runtime's.
            drop(core.pools.run_ours(move || shorten_backoffs(&there, &registry, length)));
        }
    }
}

/// Every registered workflow has a name of its own.
fn check_names(workflows: &[&'static Graph]) -> Result<()> {
    let place = |graph: &Graph| format!("{}:{}", graph.file, graph.line);
    for (index, graph) in workflows.iter().enumerate() {
        if let Some(other) = workflows[..index].iter().find(|other| other.name == graph.name) {
            let workflow = graph.name.to_owned();
            return Err(Error::TwoWorkflows { workflow, first: place(other), second: place(graph) });
        }
    }
    Ok(())
}
