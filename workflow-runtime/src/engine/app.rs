//! What a program's command line asks of an engine, which knows workflows by
//! their names alone.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use serde_json::Value as Json;
use tokio::sync::oneshot;

use super::create::{self, Beginning, holder};
use super::handle::Engine;
use super::host::RunHost;
use super::journal::output_codec;
use super::leftovers::find_step;
use super::operate::{answer, blocking, note};
use super::params::encode_params;
use super::replay::{GoOn, Unread};
use super::run::AnyRun;
use super::takeup::compared;
use crate::blueprint::Comparison;
use crate::definition::Graph;
use crate::error::{Error, Result};
use crate::operation::{By, Operation};
use crate::resources::Resources;
use crate::run::RunState;
use crate::store::{Answer, Created, NewRun, Store, StoreError, StoredRun};
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
    },
}

/// A run that somebody wants.
pub(crate) struct Wanted {
    pub(crate) graph: &'static Graph,
    /// Of the parameters' types, in the workflow's order.
    pub(crate) params: Vec<Value>,
    /// The same by name, as it is recorded.
    pub(crate) json: BTreeMap<String, Json>,
    pub(crate) key: Option<String>,
    pub(crate) by: By,
}

impl Wanted {
    pub(crate) fn operation(&self) -> Operation {
        Operation::Start {
            workflow: self.graph.name.to_owned(),
            params: self.json.clone(),
            key: self.key.clone(),
        }
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
            Ok(match RunHost::read_back(&core, &registry, &known, &store, &stored) {
                Err(Unread::Blocked(reason)) => Outlook::Blocked { reason, changes: changes() },
                Err(Unread::Store(error)) => return Err(error),
                Ok((_, GoOn::Anew(_))) => changes().map_or(Outlook::GoesOn, Outlook::Changes),
                Ok((_, GoOn::From(_) | GoOn::Ended)) => Outlook::GoesOn,
            })
        };
        blocking(&asked, look).await
    }

    /// The same engine for whoever does not know what its tasks borrow. That
    /// they get it was checked when their workflows were registered.
    pub(crate) fn any(self) -> Engine {
        let (core, registry) = (self.core().clone(), self.registry().clone());
        Engine::new(core, registry, self.workflows().to_vec(), PhantomData)
    }

    /// The runs that are under way in this process.
    pub(crate) fn live(&self) -> Vec<AnyRun> {
        self.registry().live().into_iter().map(AnyRun::new).collect()
    }

    /// Starts a run, or finds the one that has the key. Only for an engine with
    /// a store.
    pub(crate) async fn start_with(&self, wanted: Wanted) -> Result<AnyRun> {
        let (core, Some(store)) = (self.core(), &self.core().store) else { return Err(Error::ShutDown) };
        let _alone = core.operating.lock().await;
        let number = note(core, store, None, &wanted.operation(), &wanted.by).await?;
        let Wanted { graph, params, key, .. } = wanted;
        let beginning = Beginning { key, params, request: Some(number), ..Beginning::default() };
        let started = create::start(core, self.registry(), store, graph, beginning).await.map(AnyRun::new);
        let result = started.as_ref().map(|run| run.id().to_owned()).map_err(Clone::clone);
        answer(core, store, number, &result).await?;
        started
    }

    /// Creates a run without beginning it, or finds the one that has the key,
    /// and returns its id: whoever goes on with the store begins it. Only for
    /// an engine with a store.
    pub(crate) async fn create_with(&self, wanted: &Wanted) -> Result<String> {
        let (core, Some(store)) = (self.core(), &self.core().store) else { return Err(Error::ShutDown) };
        let _alone = core.operating.lock().await;
        let number = note(core, store, None, &wanted.operation(), &wanted.by).await?;
        let result = self.create(store, wanted, number).await;
        answer(core, store, number, &result).await?;
        result
    }

    async fn create(&self, store: &Arc<dyn Store>, wanted: &Wanted, request: i64) -> Result<String> {
        let Wanted { graph, params, key, .. } = wanted;
        let now = self.core().clock.now();
        let encoded = encode_params(graph, params, self.core().largest_value)?;
        let id = self.core().random.run_id(now);
        let (known, _) = self.registry().introduce(graph);
        let new = NewRun {
            id: id.clone(),
            workflow: graph.name.to_owned(),
            key: key.clone(),
            fingerprint: known.hash(),
            blueprint: Some(known.text()),
            params: encoded.clone(),
            created_at: now,
            state: RunState::Queued,
            answer: Some((request, Answer { at: now, result: Ok(id.clone()) })),
            ..NewRun::default()
        };
        let (answer, answered) = oneshot::channel();
        store.create(new, Box::new(move |created| _ = answer.send(created)));
        match answered.await.unwrap_or(Err(StoreError::Closed))? {
            Created::New(_) => Ok(id),
            Created::Existing(stored) => match holder(graph, &stored, &encoded) {
                Some(holder) => Err(Error::KeyInUse { key: key.clone().unwrap_or_default(), holder }),
                None => Ok(stored.id),
            },
        }
    }
}
