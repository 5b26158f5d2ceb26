//! What a program's command line asks of an engine, which knows workflows by
//! their names alone.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use serde_json::value::RawValue;

use tokio::time::Instant;

use crate::blueprint::{Adoption, Comparison, Preview};
use crate::engine::commit::{Beginning, create_run, queue_run};
use crate::engine::handle::Engine;
use crate::engine::instance::{AnyRun, RunHost};
use crate::engine::operate::inbox;
use crate::engine::operate::preview::preview;
use crate::engine::operate::request_record::Noted;
use crate::engine::recover::{Advice, GoOn, Unread, compared};
use crate::engine::schedules::backfill_parent;
use crate::error::{Error, Result};
use crate::execution::output_codec;
use crate::lookup::find_step;
use crate::operation::{By, ExactOperation};
use crate::resources::Resources;
use crate::run::Timestamp;
use crate::store::{Store, StoreError, StoredRun};
use crate::task::definition::Graph;
use crate::value::{Codec, Value};

/// How the value of the step of a path is read.
pub(crate) fn step_codec(graph: &'static Graph, path: &str) -> Option<&'static Codec> {
    find_step(graph, path).and_then(output_codec)
}

/// What an engine would do with an unfinished run.
pub(crate) enum Outlook {
    /// Go on with it where it is.
    GoesOn,
    /// Take it up under the changed graph.
    Changes(Comparison),
    /// Leave it blocked.
    Blocked {
        /// What is in the way, and what to do.
        reason: String,
        /// How its workflow has changed, where it has and that is known.
        changes: Option<Comparison>,
        /// What an adoption would make of its steps, where there can be one.
        adoption: Option<Adoption>,
    },
}

/// A run that a caller wants.
pub(crate) struct Wanted {
    pub(crate) graph: &'static Graph,
    /// Of the parameters' types, in the workflow's order.
    pub(crate) params: Vec<Value>,
    /// The same by name, as it is recorded.
    pub(crate) json: BTreeMap<String, Box<RawValue>>,
    pub(crate) key: Option<String>,
    /// For a run that a backfill makes: how many of those may be unfinished at
    /// a time.
    pub(crate) backfill: Option<usize>,
    pub(crate) by: By,
}

impl Wanted {
    pub(crate) fn operation(&self) -> ExactOperation {
        let (workflow, params) = (self.graph.name.to_owned(), self.json.clone());
        match (&self.key, self.backfill) {
            (Some(key), Some(at_a_time)) => {
                ExactOperation::Backfill { workflow, params, key: key.clone(), at_a_time }
            }
            (key, _) => ExactOperation::Start { workflow, params, key: key.clone() },
        }
    }

    fn beginning(self, noted: &Noted<'_>) -> (&'static Graph, Beginning) {
        let Self { graph, params, key, backfill, .. } = self;
        let parent = backfill.map(backfill_parent);
        (graph, Beginning { key, params, parent, request: Some(noted.number), ..Beginning::default() })
    }
}

impl<R: Resources> Engine<R> {
    /// What an engine would do with an unfinished run of its store, found out
    /// by the very function that does it: the run is read back, and then left.
    /// Only for an engine with a store.
    pub(crate) async fn outlook(&self, graph: &'static Graph, stored: StoredRun) -> Result<Outlook> {
        let (core, registry) = (self.core().clone(), self.registry().clone());
        let Some(store) = core.store.clone() else { return Err(Error::ShutDown) };
        let (known, _) = registry.introduce(graph);
        let asked = core.clone();
        let look = move || {
            let changes = || compared(&known, &*store, &stored).ok().flatten();
            let journal = store.journal(stored.run);
            Ok(match RunHost::read_back(&core, &known, &store, &stored, journal) {
                Err(Unread::Blocked(reason)) => {
                    let advice = Advice::of(&known, &*store, &stored);
                    let reason = format!("{reason}; {}", advice.words());
                    Outlook::Blocked { reason, changes: changes(), adoption: advice.adoption }
                }
                Err(Unread::Store(error)) => return Err(error),
                Ok((_, GoOn::Anew(_))) => changes().map_or(Outlook::GoesOn, Outlook::Changes),
                Ok((_, GoOn::From(_) | GoOn::Ended)) => Outlook::GoesOn,
            })
        };
        asked.blocking(look).await
    }

    /// What an operation would make of the steps of a run of its store. Only for an
    /// engine with one.
    pub(crate) async fn preview_of(
        &self,
        graph: &'static Graph,
        stored: StoredRun,
        operation: &ExactOperation,
    ) -> Result<Preview> {
        let (core, registry) = (self.core(), self.registry());
        let store = core.store.clone().ok_or(Error::ShutDown)?;
        let (known, _) = registry.introduce(graph);
        preview(core, registry, store, known, stored, operation).await
    }

    /// The same engine for a caller that does not know what its tasks borrow. That
    /// they get it was checked when their workflows were registered.
    pub(crate) fn any(self) -> Engine {
        let (core, registry) = (self.core().clone(), self.registry().clone());
        Engine::new(core, registry, self.workflows().to_vec(), PhantomData)
    }

    /// When the next run that sleeps goes on by itself.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn wakes_at(&self) -> Result<Option<Timestamp>> {
        let Some(store) = &self.core().store else { return Ok(None) };
        // One that is due is about to be woken.
        Ok(store.next_wake(Timestamp(0))?)
    }

    /// Whether runs of backfills wait for their turn.
    pub(crate) fn has_backfills_waiting(&self) -> bool {
        self.core().backfills.any_wait(self.registry())
    }

    /// The runs that are under way in this process.
    pub(crate) fn live(&self) -> Vec<AnyRun> {
        self.registry().live().into_iter().map(AnyRun::new).collect()
    }

    /// Starts a run, or finds the one that has the key. Only for an engine with
    /// a store.
    pub(crate) async fn start_with(&self, wanted: Wanted) -> Result<AnyRun> {
        let (core, registry) = (self.core(), self.registry());
        let store = core.store.as_ref().ok_or(Error::ShutDown)?;
        let noted = self.note(store, &wanted).await?;
        let (graph, beginning) = wanted.beginning(&noted);
        let started = create_run(core, registry, store, graph, beginning).await.map(AnyRun::new);
        noted.answer(&started.as_ref().map(|run| run.id().to_owned()).map_err(Clone::clone)).await;
        started
    }

    /// Creates a run without beginning it, or finds the one that has the key,
    /// and returns its id: the engine that goes on with the store begins it. Only for
    /// an engine with a store.
    pub(crate) async fn create_with(&self, wanted: Wanted) -> Result<String> {
        let (core, registry) = (self.core(), self.registry());
        let store = core.store.as_ref().ok_or(Error::ShutDown)?;
        let noted = self.note(store, &wanted).await?;
        let (graph, beginning) = wanted.beginning(&noted);
        let created = queue_run(core, registry, store, graph, beginning).await.map(|queued| queued.id);
        noted.answer(&created).await;
        created
    }

    /// Does what a request of the store wants, as if this engine had been asked: the
    /// engine that was asked is gone. `None` where it was seen to already.
    pub(crate) async fn see_to_request(&self, number: i64) -> Result<Option<String>> {
        match inbox::see_to_one(self.core(), self.registry(), number).await? {
            Some(done) => done.map(Some),
            None => Ok(None),
        }
    }

    /// Does what the requests of the store want: those who ask need not wait
    /// until they own it.
    pub(crate) async fn see_to_requests(&self) -> Result<()> {
        inbox::see_to_all(self.core(), self.registry()).await
    }

    /// Whether runs are at work here that are better left to end: all of them
    /// until their time is over, then only those with an attempt of which
    /// no later engine would know whether it was done.
    pub(crate) fn has_work(&self, since: Instant) -> bool {
        let now = Instant::now();
        let is_over = now > since + self.core().grace;
        let is_left =
            |host: &RunHost| host.is_busy_until(now) && (!is_over || host.lock().has_attempts_once());
        self.registry().live().iter().any(|host| is_left(host))
    }

    /// Why the engine has stopped, if its store was taken from it.
    pub(crate) fn lost(&self) -> Option<StoreError> {
        self.registry().lost()
    }

    async fn note<'a>(&'a self, store: &'a Arc<dyn Store>, wanted: &Wanted) -> Result<Noted<'a>> {
        let noted = Noted::of(self.core(), store, None, &wanted.operation(), &wanted.by).await;
        noted.map_err(|error| self.registry().explain(error))
    }
}
