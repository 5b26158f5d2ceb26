//! What operators do to runs: [`Operation`]s, each recorded with who wanted it
//! and why.

use std::sync::Arc;

use serde_json::Value as Json;

use super::core::Core;
use super::create::{self, Beginning};
use super::handle::Engine;
use super::host::{Inner, RunHost};
use super::journal::{find_signal, output_codec, payload};
use super::leftovers::find_step;
use super::params::{coded, decode_params, params_from};
use super::recovery;
use super::registry::{Adopted, Known, Registry};
use super::replay::Unread;
use super::run::AnyRun;
use super::takeup::TakeUp;
use crate::definition::Kind;
use crate::error::{Error, Result};
use crate::operation::{Asker, By, Operation};
use crate::resources::Resources;
use crate::run::{Event, Key, RunState, StepState, Wait};
use crate::store::{
    Answer, Batch, Entry, Parent, Request, RunEnd, Store, StoreError, StoredEntry, StoredRun,
};
use crate::value::{Codec, Value};

use super::journal::{self, StoredEvent, StoredRecalled, Why};

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
        let (core, registry) = (self.core().clone(), self.registry().clone());
        let (runtime, run) = (core.runtime.clone(), run.map(str::to_owned));
        // Also where nobody waits for it any more: what was noted is done.
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
            recovery::attach(core, registry, &store, &known, stored).await
        };
        read_back.await.map(AnyRun::new).map_err(|error| registry.explain(error))
    }
}

/// Notes what an operator wants, and does it.
async fn see_to(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    run: Option<&str>,
    operation: Operation,
    by: By,
) -> Result<String> {
    // One after the other, and not while requests are looked for: what is
    // noted here is done here.
    let _alone = core.operating.lock().await;
    let Some(store) = core.store.clone() else {
        return perform(core, registry, run, operation, by, None).await;
    };
    let number = note(core, &store, run, &operation, &by).await;
    let number = number.map_err(|error| registry.explain(error))?;
    let result = perform(core, registry, run, operation, by, Some(number)).await;
    if let Err(error) = answer(core, &store, number, &result).await {
        // What was done was answered with its commit.
        tracing::warn!(%error, request = number, "what became of a request is not noted");
    }
    result
}

/// Notes who wants what, and returns the request's number.
pub(super) async fn note(
    core: &Arc<Core>,
    store: &Arc<dyn Store>,
    run: Option<&str>,
    operation: &Operation,
    by: &By,
) -> Result<i64> {
    let request = Request {
        run: run.map(str::to_owned),
        operation: serde_json::to_string(operation).unwrap_or_default(),
        actor: by.actor.clone(),
        reason: by.reason.clone(),
        at: core.clock.now(),
    };
    let store = store.clone();
    blocking(core, move || store.request(request)).await
}

/// Notes what became of a request.
pub(super) async fn answer(
    core: &Arc<Core>,
    store: &Arc<dyn Store>,
    number: i64,
    result: &Result<String>,
) -> Result<()> {
    let result = result.clone().map_err(|error| error.to_string());
    let (store, answer) = (store.clone(), Answer { at: core.clock.now(), result });
    blocking(core, move || store.answer(number, answer)).await
}

/// Asks the store, away from the runtime's threads.
pub(super) async fn blocking<T: Send + 'static>(
    core: &Core,
    ask: impl FnOnce() -> std::result::Result<T, StoreError> + Send + 'static,
) -> Result<T> {
    core.runtime.spawn_blocking(ask).await.unwrap_or(Err(StoreError::Closed)).map_err(Error::Store)
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
    let found = blocking(core, move || asked.find(&wanted)).await?;
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

/// Does what is wanted. A request of the store is answered with the commit
/// that does it, where there is one.
pub(super) async fn perform(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    run: Option<&str>,
    operation: Operation,
    by: By,
    request: Option<i64>,
) -> Result<String> {
    let done = match (operation, run) {
        (Operation::Start { workflow, params, key }, _) => {
            start(core, registry, &workflow, params, key, request).await
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
    operation: &Operation,
    by: &By,
    request: Option<i64>,
) -> Result<String> {
    let makes_another = matches!(operation, Operation::Rerun | Operation::Fork { .. });
    loop {
        let (host, _held) = match registry.find(id).filter(|_| !makes_another) {
            Some(host) => (host, None),
            None => {
                let (store, known, stored) = find_stored(core, registry, id).await?;
                let asked = Asked { core, registry, store, known, stored, by, request };
                match asked.in_rows(operation).await? {
                    InRows::Done(id) => return Ok(id),
                    InRows::Awake(run) => (run.host().clone(), Some(run)),
                }
            }
        };
        match to_live(&host, operation, by, request).await {
            // It ends just now, and then goes on after all.
            Err(Error::Ended { .. })
                if matches!(operation, Operation::Retry { .. } | Operation::Set { .. }) =>
            {
                AnyRun::new(host).wait().await;
            }
            done => return done.map(|()| id.to_owned()),
        }
    }
}

fn needs_store(id: &str) -> Error {
    refused(id, "is kept in memory alone; this can only be done with a store")
}

fn refused(id: &str, reason: impl Into<String>) -> Error {
    Error::Refused { id: id.to_owned(), reason: reason.into() }
}

/// Does to a run of this process what can be done to one that goes on.
async fn to_live(host: &Arc<RunHost>, operation: &Operation, by: &By, request: Option<i64>) -> Result<()> {
    let asker = Asker { by: Some(by.clone()), request };
    match operation {
        Operation::Cancel => host.cancel(asker).await?,
        Operation::Pause => {
            let event = |inner: &Inner| match inner.machine.is_paused() {
                true => Err(refused(&host.id, "is paused already")),
                false => Ok((Event::Paused, None)),
            };
            host.ask(asker, event).await?;
        }
        Operation::Resume => {
            let event = |inner: &Inner| match inner.machine.is_paused() {
                true => Ok((Event::Resumed, None)),
                false => Err(refused(&host.id, "is not paused")),
            };
            host.ask(asker, event).await?;
        }
        Operation::Signal { name, value } => {
            let Some((name, codec)) = find_signal(host.graph, &|wanted, _| wanted == name) else {
                let (workflow, signal) = (host.graph.name.to_owned(), name.clone());
                return Err(Error::UnknownSignal { workflow, signal });
            };
            let value = from_json(&host.id, &format!("signal `{name}`"), codec, value)?;
            host.signal(name, value, asker).await?;
        }
        Operation::Set { step, value } => {
            let event = |inner: &Inner| {
                let (key, state) = open_step(host, inner, step)?;
                let waits = matches!(state, StepState::Waiting(wait) if wait != Wait::Dependencies);
                if !waits && state != StepState::OutcomeUnknown {
                    let reason =
                        format!("cannot set `{step}`: it is {state}; wait until it has ended, or cancel");
                    return Err(refused(&host.id, reason));
                }
                let codec = inner.machine.step(key).and_then(output_codec);
                let value = value_for(&host.id, step, codec, value)?;
                Ok((Event::Set { key }, Some(value)))
            };
            host.ask(asker, event).await?;
        }
        Operation::Retry { step: Some(step) } => {
            let event = |inner: &Inner| {
                let (key, state) = open_step(host, inner, step)?;
                if !may_retry(state) {
                    return Err(refused(&host.id, format!("cannot retry `{step}`: it is {state}")));
                }
                Ok((Event::RetryRequested { key }, None))
            };
            host.ask(asker, event).await?;
        }
        Operation::Retry { step: None } => {
            let waiting: Vec<Key> = {
                let inner = host.lock();
                host.check_open(&inner)?;
                let steps = inner.machine.steps().filter(|view| may_retry(view.state));
                steps.map(|view| view.key).collect()
            };
            if waiting.is_empty() {
                return Err(refused(
                    &host.id,
                    "goes on by itself: none of its steps waits for another attempt",
                ));
            }
            // The last one answers: until then something is left to do.
            let last = waiting.last().copied();
            for key in waiting {
                let request = asker.request.filter(|_| Some(key) == last);
                let asker = Asker { request, ..asker.clone() };
                host.ask(asker, |_| Ok((Event::RetryRequested { key }, None))).await?;
            }
        }
        Operation::Adopt => return Err(refused(&host.id, "is not blocked")),
        // Made of what a store holds.
        Operation::Rerun | Operation::Fork { .. } | Operation::Start { .. } => {
            return Err(needs_store(&host.id));
        }
    }
    Ok(())
}

fn may_retry(state: StepState) -> bool {
    matches!(state, StepState::Waiting(Wait::Backoff { .. }) | StepState::OutcomeUnknown)
}

/// The open step of a path, and its state.
fn open_step(host: &RunHost, inner: &Inner, path: &str) -> Result<(Key, StepState)> {
    let mut steps = inner.machine.steps();
    let found = steps.find(|view| inner.machine.path(view.key).as_deref() == Some(path));
    found.map(|view| (view.key, view.state)).ok_or_else(|| {
        refused(&host.id, format!("has no step `{path}` that is under way; `show` lists its steps"))
    })
}

fn from_json(id: &str, what: &str, codec: &Codec, value: &Json) -> Result<Value> {
    coded(|| (codec.decode)(value.to_string().as_bytes()))
        .map_err(|failure| refused(id, format!("cannot take this value for {what}: {failure}")))
}

fn value_for(id: &str, step: &str, codec: Option<&Codec>, value: &Json) -> Result<Value> {
    match codec {
        Some(codec) => from_json(id, &format!("step `{step}`"), codec, value),
        // A sleep is worth `()`.
        None if value.is_null() => Ok(Value::new(())),
        None => Err(refused(id, format!("has no value to set for step `{step}`; use null"))),
    }
}

async fn start(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    workflow: &str,
    params: std::collections::BTreeMap<String, Json>,
    key: Option<String>,
    request: Option<i64>,
) -> Result<String> {
    let known = registry.known(workflow).ok_or_else(|| unknown_workflow(registry, workflow))?;
    let params = params_from(known.graph, &params)?;
    let host = match core.store.clone() {
        Some(store) => {
            let beginning = Beginning { key, params, request, ..Beginning::default() };
            create::start(core, registry, &store, known.graph, beginning).await?
        }
        None => registry.start(core, known.graph, key, params)?,
    };
    Ok(host.id.clone())
}

/// Something that is wanted of a run that the store has.
struct Asked<'a> {
    core: &'a Arc<Core>,
    registry: &'a Arc<Registry>,
    store: Arc<dyn Store>,
    known: Arc<Known>,
    stored: StoredRun,
    by: &'a By,
    request: Option<i64>,
}

/// What became of something that is wanted of a run of the store.
enum InRows {
    Done(String),
    /// It can be done now that the run goes on here. Held, so that it does not
    /// fall asleep again in between.
    Awake(AnyRun),
}

impl Asked<'_> {
    /// Does what is done to the rows of a run, or has it go on.
    async fn in_rows(self, operation: &Operation) -> Result<InRows> {
        let done = match operation {
            Operation::Rerun => self.rerun().await,
            Operation::Fork { from } => self.fork(from).await,
            Operation::Retry { .. } if self.stored.end.is_some() => self.retry().await,
            Operation::Set { step, value } if self.stored.end.is_some() => self.set(step, value).await,
            Operation::Adopt if self.stored.end.is_some() => {
                Err(self.refused("has ended; `retry` goes on with it, `rerun` runs it again"))
            }
            _ if self.stored.end.is_some() => {
                Err(self.refused(format!("has ended: it is {}", self.stored.state)))
            }
            operation => {
                let stored = self.stored.clone();
                match recovery::attach(self.core, self.registry, &self.store, &self.known, stored).await {
                    Ok(host) => return Ok(InRows::Awake(AnyRun::new(host))),
                    Err(Error::Blocked { .. }) if *operation == Operation::Cancel => {
                        self.cancel_blocked().await
                    }
                    Err(Error::Blocked { .. }) if *operation == Operation::Adopt => self.adopt().await,
                    Err(error) => Err(error),
                }
            }
        };
        done.map(InRows::Done)
    }

    fn refused(&self, reason: impl Into<String>) -> Error {
        refused(&self.stored.id, reason)
    }

    fn not_read(&self, unread: Unread) -> Error {
        match unread {
            Unread::Blocked(reason) => self.refused(reason),
            Unread::Store(error) => Error::Store(error),
        }
    }

    async fn entries(&self) -> Result<Vec<StoredEntry>> {
        let (store, run) = (self.store.clone(), self.stored.run);
        blocking(self.core, move || store.journal(run)).await
    }

    fn params(&self) -> Result<Vec<Value>> {
        decode_params(self.known.graph, &self.stored.params).map_err(|reason| {
            self.refused(format!("cannot go on under today's code: {reason}; start a new run"))
        })
    }

    async fn rerun(self) -> Result<String> {
        let parent = Some(Parent { id: self.stored.id.clone(), how: "rerun".into() });
        let request = self.request;
        let beginning = Beginning { params: self.params()?, parent, request, ..Beginning::default() };
        self.create(beginning).await
    }

    async fn fork(self, from: &str) -> Result<String> {
        if find_step(self.known.graph, from).is_none() {
            return Err(self.refused(format!("has no step `{from}`; `show` lists its steps")));
        }
        let entries = self.entries().await?;
        let anew = TakeUp::fork(&self.known, &*self.store, &self.stored, &entries, from, self.by.clone());
        let anew = Some(anew.map_err(|unread| self.not_read(unread))?);
        let parent = Some(Parent { id: self.stored.id.clone(), how: "fork".into() });
        let request = self.request;
        let beginning = Beginning { params: self.params()?, parent, request, anew, ..Beginning::default() };
        self.create(beginning).await
    }

    async fn create(&self, beginning: Beginning) -> Result<String> {
        let graph = self.known.graph;
        let host = create::start(self.core, self.registry, &self.store, graph, beginning).await?;
        Ok(host.id.clone())
    }

    async fn retry(self) -> Result<String> {
        if self.stored.state == RunState::Succeeded {
            return Err(self.refused("has succeeded; `rerun` runs it again, `fork` a part of it"));
        }
        let entries = self.entries().await?;
        let anew =
            TakeUp::again(&self.known, &*self.store, &self.stored, &entries, Why::Retried, self.by.clone());
        self.take_up(anew).await
    }

    async fn set(self, step: &str, value: &Json) -> Result<String> {
        if self.stored.state == RunState::Succeeded {
            return Err(self.refused("has succeeded; `fork` runs a part of it again"));
        }
        let Some(found) = find_step(self.known.graph, step) else {
            return Err(self.refused(format!("has no step `{step}`; `show` lists its steps")));
        };
        let codec = match found.kind {
            Kind::Sleep(_) => None,
            _ => Some(output_codec(found).ok_or_else(|| {
                self.refused(format!("cannot set `{step}`: it is made of other steps; set those"))
            })?),
        };
        let value = value_for(&self.stored.id, step, codec, value)?;
        let stored = codec.map(|codec| payload(codec, &value, self.core.largest_value)).transpose();
        let stored = stored.map_err(|failure| self.refused(failure.to_string()))?;
        let entries = self.entries().await?;
        let anew =
            TakeUp::again(&self.known, &*self.store, &self.stored, &entries, Why::Set, self.by.clone());
        let anew = anew.map(|mut anew| {
            anew.kept.push((step.to_owned(), StoredRecalled::Value, stored));
            anew
        });
        self.take_up(anew).await
    }

    async fn adopt(self) -> Result<String> {
        let entries = self.entries().await?;
        let anew =
            TakeUp::again(&self.known, &*self.store, &self.stored, &entries, Why::Adopted, self.by.clone());
        self.take_up(anew).await
    }

    /// Begins a new life of the run.
    async fn take_up(self, anew: std::result::Result<TakeUp, Unread>) -> Result<String> {
        let anew = anew.map_err(|unread| self.not_read(unread))?;
        let host = RunHost::stored(
            self.core,
            self.registry,
            self.known.graph,
            &self.store,
            &self.stored,
            self.params()?,
        );
        match host.begun_anew(self.registry, anew, self.request).await? {
            Adopted::New => {}
            Adopted::Known(_) => return Err(self.refused("goes on already")),
            Adopted::Closed => return Err(Error::ShutDown),
        }
        Ok(self.stored.id)
    }

    /// Ends a run that nobody can go on with. Nothing of it is undone, since
    /// the code that would do it is gone.
    async fn cancel_blocked(self) -> Result<String> {
        let first_seq = self.entries().await?.len() as u64;
        let at = self.core.clock.now();
        let event = journal::text(&StoredEvent::CancelRequested { by: Some(self.by.clone()) });
        let entries = vec![Entry { at, event, value: None, changes: Vec::new() }];
        let end = Some(RunEnd { state: RunState::Cancelled, at, result: None, error: None });
        let answer = self.request.map(|number| (number, Answer { at, result: Ok(self.stored.id.clone()) }));
        let batch = Batch { run: self.stored.run, first_seq, entries, end, answer, ..Batch::default() };
        let (done, hear) = tokio::sync::oneshot::channel();
        self.store.append(batch, Box::new(move |result| _ = done.send(result)));
        hear.await.unwrap_or(Err(StoreError::Closed))?;
        Ok(self.stored.id)
    }
}
