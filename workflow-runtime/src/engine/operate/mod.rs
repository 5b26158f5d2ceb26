//! What operators do to runs: [`Operation`]s, each recorded with who wanted it
//! and why.

#[cfg(feature = "app")]
mod by_name;
mod inbox;
mod live;
mod preview;
mod request_record;
mod rows;

#[cfg(feature = "app")]
pub(crate) use self::by_name::{Outlook, Wanted, step_codec};
pub(crate) use self::inbox::watch as watch_requests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::value::RawValue;

use self::live::to_live;
use self::rows::{Asked, InRows};

use crate::engine::commit::{Beginning, create_run, params_from, queue_run};
use crate::engine::handle::Engine;
use crate::engine::instance::AnyRun;
use crate::engine::operate::request_record::Noted;
use crate::engine::recover::attach;
use crate::engine::registry::{Known, Registry};
use crate::engine::schedules::{advance_backfills_soon, backfill_parent};
use crate::engine::shared::Core;
use crate::error::{Error, Result};
use crate::execution::coded::coded;
use crate::held::{hold_in, unquoted};
use crate::operation::{By, ExactOperation, Operation};
use crate::resources::Resources;
use crate::store::{Store, StoredRun};
use crate::value::{Codec, Value};

impl<R: Resources> Engine<R> {
    /// Does what an operator wants: to the run of this id, or with `None` for
    /// [`Operation::Start`]. Returns the id of the run that it was done to, or
    /// that it made. An engine with a store records it there, with its outcome.
    ///
    /// ```
    /// # use workflow_runtime::{By, Engine, Operation, Result, workflow};
    /// # workflow! { fn waits() -> Result<u8> { let n = signal::<u8>("go"); Ok(n) } }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let engine = Engine::in_memory().start().await?;
    /// let run = engine.start(waits()).await?;
    /// let by = By { actor: "ann".to_owned(), reason: Some("the disk is full".to_owned()) };
    /// engine.operate(Some(run.id()), Operation::Cancel, by).await?;
    /// assert!(run.await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When there is no such run, or this cannot be done to it now: the message
    /// says why, and what can.
    pub async fn operate(&self, run: Option<&str>, operation: Operation, by: By) -> Result<String> {
        self.operate_exactly(run, operation.exact(), by).await
    }

    /// The same for values as they are written.
    pub(crate) async fn operate_exactly(
        &self,
        run: Option<&str>,
        operation: ExactOperation,
        by: By,
    ) -> Result<String> {
        let (core, registry) = (self.core().clone(), self.registry().clone());
        let (runtime, run, by) = (core.runtime.clone(), run.map(str::to_owned), by.bounded());
        // Also where the caller no longer waits for it: what was noted is done.
        let done =
            runtime.spawn(async move { see_to(&core, &registry, run.as_deref(), operation, by).await });
        done.await.unwrap_or(Err(Error::ShutDown))
    }

    /// The run of an id. One that has ended or sleeps is read back from the
    /// store.
    ///
    /// # Errors
    /// When there is no such run, its workflow is not known to this engine, or
    /// it is blocked.
    pub async fn run(&self, id: &str) -> Result<AnyRun> {
        let (core, registry) = (self.core(), self.registry());
        if let Some(host) = registry.find(id) {
            return Ok(AnyRun::new(host));
        }
        let read_back = async {
            let (store, known, stored) = find_stored(core, registry, id).await?;
            attach(core, registry, &store, &known, stored).await
        };
        read_back.await.map(AnyRun::new).map_err(|error| registry.explain(error))
    }
}

/// Notes what an operator wants, and does it.
async fn see_to(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    run: Option<&str>,
    operation: ExactOperation,
    by: By,
) -> Result<String> {
    let Some(store) = &core.store else {
        let _alone = core.operating.lock().await;
        return perform(core, registry, run, operation, by, None).await;
    };
    let noted = Noted::of(core, store, run, &operation, &by).await;
    let noted = noted.map_err(|error| registry.explain(error))?;
    let result = perform(core, registry, run, operation, by, Some(noted.number)).await;
    noted.answer(&result).await;
    result
}

/// Does what is wanted. A request of the store is answered with the commit
/// that does it, where there is one.
pub(crate) async fn perform(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    run: Option<&str>,
    operation: ExactOperation,
    by: By,
    request: Option<i64>,
) -> Result<String> {
    let done = match (operation, run) {
        (ExactOperation::Start { workflow, params, key }, _) => {
            start(core, registry, &workflow, params, key, request).await
        }
        (ExactOperation::Backfill { workflow, params, key, at_a_time }, _) => {
            backfill(core, registry, &workflow, params, (key, at_a_time), request).await
        }
        (operation, Some(id)) => to_run(core, registry, id, &operation, &by, request).await,
        (_, None) => Err(no_such_run("")),
    };
    done.map_err(|error| registry.explain(error))
}

/// Does it to the run of an id, wherever that is.
async fn to_run(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    id: &str,
    operation: &ExactOperation,
    by: &By,
    request: Option<i64>,
) -> Result<String> {
    let makes_another = matches!(operation, ExactOperation::Rerun | ExactOperation::Fork { .. });
    loop {
        let (host, _held) = match registry.find(id).filter(|_| !makes_another) {
            Some(host) => (host, None),
            None => {
                let (store, known, stored) = find_stored(core, registry, id).await?;
                let asked = Asked { core, registry, store, known, stored, by, request };
                match asked.in_rows(operation).await? {
                    InRows::Done(id) => return Ok(id),
                    // To be taken up was all that it needed.
                    InRows::Awake(run)
                        if matches!(operation, ExactOperation::Resume)
                            && !run.host().lock().run.machine.is_paused() =>
                    {
                        return Ok(id.to_owned());
                    }
                    InRows::Awake(run) => (run.host().clone(), Some(run)),
                }
            }
        };
        match to_live(&host, operation, by, request).await {
            // It ends just now, and then goes on after all.
            Err(Error::Ended { .. })
                if matches!(operation, ExactOperation::Retry { .. } | ExactOperation::Set { .. }) =>
            {
                AnyRun::new(host).wait().await;
            }
            done => return done.map(|()| id.to_owned()),
        }
    }
}

async fn start(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    workflow: &str,
    params: BTreeMap<String, Box<RawValue>>,
    key: Option<String>,
    request: Option<i64>,
) -> Result<String> {
    let known = registry.known(workflow).ok_or_else(|| unknown_workflow(registry, workflow))?;
    let params = params_from(known.graph, &params)?;
    let host = match core.store.clone() {
        Some(store) => {
            let beginning = Beginning { key, params, request, ..Beginning::default() };
            if !core.mode.works() {
                let queued = queue_run(core, registry, &store, known.graph, beginning).await;
                return queued.map(|queued| queued.id);
            }
            create_run(core, registry, &store, known.graph, beginning).await?
        }
        None => registry.start(core.clone(), known.graph, key, params)?,
    };
    Ok(host.id.clone())
}

/// Creates a run of a backfill, which begins when its turn comes.
async fn backfill(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    workflow: &str,
    params: BTreeMap<String, Box<RawValue>>,
    (key, at_a_time): (String, usize),
    request: Option<i64>,
) -> Result<String> {
    let Some(store) = core.store.clone() else {
        return start(core, registry, workflow, params, Some(key), request).await;
    };
    let known = registry.known(workflow).ok_or_else(|| unknown_workflow(registry, workflow))?;
    let params = params_from(known.graph, &params)?;
    let parent = Some(backfill_parent(at_a_time));
    let beginning = Beginning { key: Some(key), params, parent, request, ..Beginning::default() };
    let queued = queue_run(core, registry, &store, known.graph, beginning).await?;
    if queued.is_new {
        core.backfills.wait(workflow, queued.id.clone(), at_a_time);
        advance_backfills_soon(core, registry);
    }
    Ok(queued.id)
}

/// A run of the store, and what this program knows of its workflow.
async fn find_stored(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    id: &str,
) -> Result<(Arc<dyn Store>, Arc<Known>, StoredRun)> {
    let Some(store) = core.store.clone() else {
        return Err(match registry.find(id) {
            Some(_) => needs_store(id),
            None if registry.is_closed() => Error::ShutDown,
            None => no_such_run(id),
        });
    };
    let (asked, wanted) = (store.clone(), id.to_owned());
    let found = core.blocking(move || asked.find(&wanted)).await?;
    let stored = found.into_iter().find(|run| run.id == id).ok_or_else(|| no_such_run(id))?;
    let known =
        registry.known(&stored.workflow).ok_or_else(|| unknown_workflow(registry, &stored.workflow))?;
    Ok((store, known, stored))
}

fn no_such_run(id: &str) -> Error {
    Error::NoSuchRun { id: id.to_owned() }
}

fn unknown_workflow(registry: &Registry, name: &str) -> Error {
    Error::NoSuchWorkflow { name: name.to_owned(), known: registry.names() }
}

fn needs_store(id: &str) -> Error {
    refused(id, "is kept in memory alone; this can only be done with a store")
}

fn refused(id: &str, reason: impl Into<String>) -> Error {
    Error::Refused { id: id.to_owned(), reason: reason.into() }
}

fn from_json(id: &str, what: &str, codec: &Codec, value: &RawValue) -> Result<Value> {
    hold_in(value.get().as_bytes());
    coded(|| (codec.decode)(value.get().as_bytes())).map_err(|failure| {
        let why = unquoted(&failure.to_string(), value.get());
        refused(id, format!("cannot take this value for {what}: {why}"))
    })
}

fn value_for(id: &str, step: &str, codec: Option<&Codec>, value: &RawValue) -> Result<Value> {
    match codec {
        Some(codec) => from_json(id, &format!("step `{step}`"), codec, value),
        // A sleep is worth `()`.
        None if value.get() == "null" => Ok(Value::new(())),
        None => Err(refused(id, format!("has no value to set for step `{step}`; use null"))),
    }
}
