//! How an engine is set up.

use std::any::TypeId;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::clock::Clock;
use super::core::Core;
use super::handle::Engine;
use super::limits::Limits;
use super::random::Random;
use super::registry::Registry;
use super::timers::Timers;
use crate::definition::Graph;
use crate::error::Result;
use crate::resources::{NoResources, Resources};
use crate::task::{Mock, RunsOn, Shared, Task};
use crate::workflow::Workflow;

/// How long attempts that were asked to stop may go on, unless
/// [`EngineBuilder::grace`] says otherwise.
const GRACE: Duration = Duration::from_secs(30);

/// Sets an engine up; made by [`Engine::in_memory`].
#[must_use = "an engine runs nothing until it is started"]
pub struct EngineBuilder<R = NoResources> {
    resources: R,
    workflows: Vec<&'static Graph>,
    mocks: HashMap<TypeId, Box<Shared>>,
    grace: Duration,
}

impl EngineBuilder<NoResources> {
    pub(crate) fn in_memory() -> Self {
        Self { resources: NoResources, workflows: Vec::new(), mocks: HashMap::new(), grace: GRACE }
    }

    /// Gives the engine what its tasks borrow: a struct with
    /// `#[derive(Resources)]`. Before [`register`](Self::register), which
    /// checks that every resource of a workflow is there.
    pub fn resources<R: Resources>(self, resources: R) -> EngineBuilder<R> {
        let Self { resources: NoResources, workflows, mocks, grace } = self;
        EngineBuilder { resources, workflows, mocks, grace }
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

    /// Starts the engine, on the tokio runtime that this is awaited in.
    ///
    /// # Errors
    /// None for an engine in memory.
    ///
    /// # Panics
    /// Outside of a tokio runtime, or in one without time.
    pub async fn start(self) -> Result<Engine<R>> {
        let runtime = tokio::runtime::Handle::current();
        let timers = Arc::new(Timers::default());
        drop(runtime.spawn(timers.clone().drive()));
        let core = Core {
            parallelism: runtime.metrics().num_workers().max(1),
            runtime,
            clock: Clock::start(),
            random: Random::seeded(),
            timers,
            limits: Limits::default(),
            grace: self.grace,
            resources: Box::new(self.resources),
            mocks: self.mocks,
        };
        Ok(Engine::new(Arc::new(core), Arc::new(Registry::default()), self.workflows, PhantomData))
    }
}
