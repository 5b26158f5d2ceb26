//! How an engine is set up.

use std::any::TypeId;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::clock::Clock;
use super::core::{Core, Witness};
use super::handle::Engine;
use super::limits::Limits;
use super::random::Random;
use super::recovery;
use super::registry::Registry;
use super::timers::Timers;
use crate::definition::Graph;
use crate::error::{Error, Result};
use crate::resources::{NoResources, Resources};
use crate::run::Timestamp;
use crate::store::{Durability, Sqlite, Store};
use crate::task::{Mock, RunsOn, Shared, Task};
use crate::workflow::Workflow;

/// How long attempts that were asked to stop may go on, unless
/// [`EngineBuilder::grace`] says otherwise.
const GRACE: Duration = Duration::from_secs(30);

/// How many bytes a saved value may have, unless
/// [`EngineBuilder::largest_value`] says otherwise: what the SQLite store takes.
const LARGEST_VALUE: usize = 256 << 20;

/// Sets an engine up; made by [`Engine::in_memory`].
#[must_use = "an engine runs nothing until it is started"]
pub struct EngineBuilder<R = NoResources> {
    resources: R,
    workflows: Vec<&'static Graph>,
    mocks: HashMap<TypeId, Box<Shared>>,
    grace: Duration,
    store: Keep,
    largest_value: usize,
    test: Test,
}

/// What the test kit wants of an engine.
#[derive(Default)]
struct Test {
    wall: Option<Timestamp>,
    witness: Option<Witness>,
}

/// Where an engine keeps its runs.
enum Keep {
    InMemory,
    File(PathBuf, Durability),
    Store(Arc<dyn Store>),
}

impl EngineBuilder<NoResources> {
    pub(crate) fn in_memory() -> Self {
        let (resources, workflows, mocks) = (NoResources, Vec::new(), HashMap::new());
        Self {
            resources,
            workflows,
            mocks,
            grace: GRACE,
            store: Keep::InMemory,
            largest_value: LARGEST_VALUE,
            test: Test::default(),
        }
    }

    pub(crate) fn file(path: PathBuf) -> Self {
        Self { store: Keep::File(path, Durability::default()), ..Self::in_memory() }
    }

    pub(crate) fn store(store: Arc<dyn Store>) -> Self {
        Self { store: Keep::Store(store), ..Self::in_memory() }
    }

    /// Gives the engine what its tasks borrow: a struct with
    /// `#[derive(Resources)]`. Before [`register`](Self::register), which
    /// checks that every resource of a workflow is there.
    pub fn resources<R: Resources>(self, resources: R) -> EngineBuilder<R> {
        let Self { resources: NoResources, workflows, mocks, grace, store, largest_value, test } = self;
        EngineBuilder { resources, workflows, mocks, grace, store, largest_value, test }
    }
}

impl<R: Resources> EngineBuilder<R> {
    /// Makes a workflow known by its name. Starting an invocation does so too.
    pub fn register<W: Workflow + RunsOn<R>>(mut self) -> Self {
        if !self.workflows.iter().any(|known| std::ptr::eq(*known, W::GRAPH)) {
            self.workflows.push(W::GRAPH);
        }
        self
    }

    /// How long attempts may go on after they were asked to stop, and runs
    /// after [`Engine::shutdown`] was called. 30 seconds unless set.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Has `stand_in` run in place of a task, for a test. It takes what the
    /// task takes from its caller, several arguments as a tuple, and returns
    /// what the task returns.
    pub fn mock<T: Task>(
        mut self,
        stand_in: impl for<'a> Fn(T::Args<'a>) -> T::Return + Send + Sync + 'static,
    ) -> Self {
        self.mocks.insert(TypeId::of::<T>(), Box::new(Mock::<T>(Box::new(stand_in))));
        self
    }

    /// How many bytes a value may have when it is saved: 256 MiB unless set. A
    /// task that returns more fails, and the failure says how large it was.
    /// Says nothing for an engine in memory.
    pub fn largest_value(mut self, bytes: usize) -> Self {
        self.largest_value = bytes;
        self
    }

    /// Puts the engine on a store, in a world of the test kit.
    pub(crate) fn under_test(mut self, store: Arc<dyn Store>, wall: Timestamp, witness: Witness) -> Self {
        self.store = Keep::Store(store);
        self.test = Test { wall: Some(wall), witness: Some(witness) };
        self
    }

    /// What the store's file survives: a power cut unless set otherwise. Says
    /// nothing for an engine in memory or with a store of its own.
    pub fn durability(mut self, wanted: Durability) -> Self {
        if let Keep::File(_, durability) = &mut self.store {
            *durability = wanted;
        }
        self
    }

    /// Starts the engine, on the tokio runtime that this is awaited in. The
    /// unfinished runs of the registered workflows go on at once.
    ///
    /// # Errors
    /// When two different workflows of one name are registered, and when the
    /// store cannot be opened or read; [`crate::store::StoreError`] says why.
    ///
    /// # Panics
    /// Outside of a tokio runtime, or in one without time.
    pub async fn start(self) -> Result<Engine<R>> {
        check_names(&self.workflows)?;
        let runtime = tokio::runtime::Handle::current();
        let store: Option<Arc<dyn Store>> = match self.store {
            Keep::InMemory => None,
            Keep::Store(store) => Some(store),
            Keep::File(path, durability) => {
                let open = move || Sqlite::options().durability(durability).open(path);
                let store = runtime.spawn_blocking(open).await.map_err(|_| Error::ShutDown)??;
                Some(Arc::new(store))
            }
        };
        let timers = Arc::new(Timers::default());
        drop(runtime.spawn(timers.clone().drive()));
        let core = Core {
            parallelism: runtime.metrics().num_workers().max(1),
            runtime,
            clock: self.test.wall.map_or_else(Clock::start, Clock::starting_at),
            random: Random::seeded(),
            timers,
            limits: Limits::default(),
            grace: self.grace,
            resources: Box::new(self.resources),
            mocks: self.mocks,
            largest_value: self.largest_value,
            witness: self.test.witness,
            store,
        };
        let (core, registry) = (Arc::new(core), Arc::new(Registry::default()));
        if let Some(store) = core.store.clone() {
            let (core, registry, workflows) = (core.clone(), registry.clone(), self.workflows.clone());
            let recover = move || recovery::recover(&core, &registry, &store, &workflows);
            tokio::task::spawn_blocking(recover).await.map_err(|_| Error::ShutDown)??;
        }
        Ok(Engine::new(core, registry, self.workflows, PhantomData))
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
