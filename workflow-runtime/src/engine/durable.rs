//! Runs that outlive the process: what a run hands to its store, what it does
//! once that is committed, and how it is read back.
//!
//! The order is always the same: hear, decide, commit, act. A batch holds all
//! that was decided under one hold of the run's lock, so the end of a step and
//! the starts of its dependants are one transaction.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use tokio::sync::oneshot;

use super::core::Core;
use super::driver::is_visible;
use super::host::{After, Inner, RunEnd, RunHost};
use super::journal::{self, StoredEvent};
use super::record;
use super::registry::Registry;
use crate::definition::Graph;
use crate::error::Error;
use crate::run::{Action, AttemptEnd, Event, Key, RunState};
use crate::store::{self, Batch, Created, Entry, NewRun, Payload, RunRef, Store, StoreError, StoredRun};
use crate::value::Value;

/// Where a run is kept.
pub(crate) struct Journal {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) run: RunRef,
}

/// What a run has decided and not handed to its store yet.
#[derive(Default)]
pub(crate) struct Uncommitted {
    pub(crate) entries: Vec<Entry>,
    /// What is to be done once the entries are committed.
    pub(crate) actions: Vec<Action>,
    /// Who wants to hear of the commit.
    pub(crate) waiters: Vec<oneshot::Sender<Result<(), StoreError>>>,
    /// The number of the next entry.
    pub(crate) seq: u64,
    /// The state that the store was last told.
    state: Option<RunState>,
    /// Batches on their way to the store, in order.
    outbox: VecDeque<Outgoing>,
    /// Whether somebody is handing them over.
    sending: bool,
}

/// A batch, and what follows its commit.
struct Outgoing {
    batch: Batch,
    actions: Vec<Action>,
    /// For observers.
    told: Vec<record::Entry>,
    waiters: Vec<oneshot::Sender<Result<(), StoreError>>>,
}

impl RunHost {
    /// Makes a batch of what is uncommitted. All of it was decided under one
    /// hold of the run's lock, which is still held.
    pub(super) fn seal(self: &Arc<Self>, inner: &mut Inner) {
        let Some(journal) = &self.journal else { return };
        if inner.uncommitted.entries.is_empty() {
            // What they asked for was refused, so there is nothing to wait for.
            inner.uncommitted.waiters.clear();
            return;
        }
        let entries = std::mem::take(&mut inner.uncommitted.entries);
        let actions = std::mem::take(&mut inner.uncommitted.actions);
        let waiters = std::mem::take(&mut inner.uncommitted.waiters);
        let first_seq = inner.uncommitted.seq;
        inner.uncommitted.seq += entries.len() as u64;
        let end = actions.iter().find_map(|action| match action {
            Action::Finish { state, cause } => Some(self.run_end(inner, *state, cause.clone())),
            _ => None,
        });
        let end = end.map(|end| self.stored_end(inner, &end));
        let state = inner.machine.run_state();
        let told = inner.uncommitted.state.replace(state);
        let state = (end.is_none() && told != Some(state)).then_some(state);
        let batch = Batch { run: journal.run, first_seq, entries, state, end };
        let told = inner.log.take_held();
        inner.uncommitted.outbox.push_back(Outgoing { batch, actions, told, waiters });
    }

    /// Hands sealed batches to the store, in order. No lock is held meanwhile,
    /// since the store may answer at once; whoever seals another batch during
    /// that leaves it to us.
    pub(super) fn send(self: &Arc<Self>) {
        let Some(journal) = &self.journal else { return };
        let mut ours = false;
        loop {
            let outgoing = {
                let mut inner = self.lock();
                let uncommitted = &mut inner.uncommitted;
                if uncommitted.sending && !ours {
                    return;
                }
                let next = uncommitted.outbox.pop_front();
                ours = next.is_some();
                uncommitted.sending = ours;
                next
            };
            let Some(Outgoing { batch, actions, told, waiters }) = outgoing else { return };
            let host = self.clone();
            let done = move |result: Result<(), StoreError>| {
                host.committed(actions, told, &result);
                for waiter in waiters {
                    // Whoever asked may have stopped waiting.
                    let _ = waiter.send(result.clone());
                }
            };
            journal.store.append(batch, Box::new(done));
        }
    }

    /// The store has answered: act, or give the run up in this process.
    fn committed(
        self: &Arc<Self>,
        actions: Vec<Action>,
        told: Vec<record::Entry>,
        result: &Result<(), StoreError>,
    ) {
        self.with(|inner, after| match result {
            Ok(()) => {
                for record::Entry { at, what } in told {
                    inner.log.tell(at, what);
                }
                after.changed = true;
                self.act_committed(inner, after, actions);
                self.call_workers(inner, after);
            }
            Err(error) if inner.end.is_none() => {
                // What the machine decided is not durable, so nothing of it
                // may be acted upon. The next process goes on from what is.
                tracing::error!(parent: &self.span, %error, "the run stops here: its store failed");
                self.finish(inner, after, RunEnd::Unstored(error.clone()));
                after.wakers.extend(inner.controls.stop_everything(tokio::time::Instant::now()));
            }
            Err(_) => {}
        });
    }

    fn stored_end(&self, inner: &Inner, end: &RunEnd) -> store::RunEnd {
        let mut error = match end {
            RunEnd::Failed(error) => Some(error.clone()),
            _ => None,
        };
        let result = match (end, &inner.result) {
            (RunEnd::Succeeded, Some(value)) => {
                let codec = &self.graph.output;
                match (codec.encode)(value) {
                    Ok(bytes) => Some(Payload { type_name: (codec.type_name)().into(), bytes }),
                    Err(failed) => {
                        let failure = crate::error::Failure::from_error(crate::Cause::Fatal, &failed);
                        error = Some(crate::StepError::new(self.graph.name.to_owned(), 0, failure));
                        None
                    }
                }
            }
            _ => None,
        };
        store::RunEnd { state: end.state(), at: inner.now, result, error }
    }

    /// Makes a run of what a store holds of it: hears all its events again,
    /// without acting, and then deals with what was under way.
    pub(crate) fn restore(
        core: Arc<Core>,
        registry: Weak<Registry>,
        graph: &'static Graph,
        store: Arc<dyn Store>,
        stored: StoredRun,
    ) -> Result<Arc<Self>, Error> {
        let blocked = |reason: String| Error::Blocked {
            workflow: graph.name.to_owned(),
            id: stored.id.clone(),
            reason,
        };
        if stored.fingerprint != graph.fingerprint {
            return Err(blocked("the workflow has changed since the run started".to_owned()));
        }
        let params = decode_params(graph, &stored.params).map_err(blocked)?;
        let entries = store.journal(stored.run).map_err(|error| blocked(error.to_string()))?;
        let journal = Journal { store, run: stored.run };
        let host =
            Self::of(core, registry, graph, stored.id.clone(), stored.key.clone(), params, Some(journal));
        let mut after = After::default();
        {
            let mut inner = host.lock();
            inner.started_at = stored.created_at;
            let mut open = Open::default();
            for entry in entries {
                inner.uncommitted.seq += 1;
                inner.now = entry.at;
                let event: StoredEvent = serde_json::from_str(&entry.event)
                    .map_err(|error| blocked(format!("an entry of its journal cannot be read: {error}")))?;
                open.interrupted = event == StoredEvent::ShutDown;
                let Some(event) = event.event(graph) else { continue };
                let value = match &entry.value {
                    Some(payload) => journal::decode(&inner, &event, payload)
                        .map_err(|error| blocked(error.to_string()))?,
                    None => None,
                };
                open.hear(&event);
                host.hear_again(&mut inner, &mut after, event, value, &mut open);
            }
            inner.uncommitted.state = Some(stored.state);
            inner.log.holds = true;
            host.resume(&mut inner, &mut after, open);
            host.seal(&mut inner);
        }
        host.send();
        host.settle(after);
        Ok(host)
    }

    /// Hears a stored event. Values move about as they did the first time;
    /// the answers of expressions are in the journal, so only what they put in
    /// place is wanted of them.
    fn hear_again(
        self: &Arc<Self>,
        inner: &mut Inner,
        after: &mut After,
        event: Event,
        value: Option<Value>,
        open: &mut Open,
    ) {
        let Some(mut effects) = self.hear(inner, event, value) else { return };
        let closed_before = after.garbage.len();
        for action in effects.actions.drain(..) {
            if is_visible(&action) {
                open.actions.push(action);
            } else {
                self.perform(inner, after, action);
            }
        }
        inner.answers.clear();
        self.note_changes(inner, after, &mut effects, closed_before);
        inner.effects = effects;
    }

    /// Goes on from where the journal ends.
    fn resume(self: &Arc<Self>, inner: &mut Inner, after: &mut After, open: Open) {
        let Open { actions, interrupted } = open;
        if inner.uncommitted.seq == 0 {
            return;
        }
        for action in actions {
            match action {
                Action::Start { key, epoch, .. } | Action::Undo { key, epoch, .. } => {
                    let end = if interrupted { AttemptEnd::Interrupted } else { AttemptEnd::Lost };
                    self.handle(inner, after, Event::AttemptEnded { key, epoch, end, roll: 0.5 }, None);
                }
                Action::AwaitGrace => self.handle(inner, after, Event::GraceOver, None),
                // Whatever could be stopped is gone with its process.
                Action::Stop { .. } | Action::Abort { .. } | Action::Release { .. } => {}
                action => self.perform(inner, after, action),
            }
            if let Some(end) = inner.ending.take() {
                self.finish(inner, after, end);
            }
        }
        self.call_workers(inner, after);
    }
}

/// Creates a run in the store, or finds the one that has the key.
pub(crate) async fn start(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    store: &Arc<dyn Store>,
    graph: &'static Graph,
    key: Option<String>,
    params: Vec<Value>,
) -> Result<Arc<RunHost>, Error> {
    if registry.is_closed() {
        return Err(Error::ShutDown);
    }
    let encoded = encode_params(graph, &params)?;
    let now = core.clock.now();
    let new = NewRun {
        id: core.random.run_id(now),
        workflow: graph.name.to_owned(),
        key: key.clone(),
        fingerprint: graph.fingerprint,
        params: encoded.clone(),
        created_at: now,
        state: RunState::Queued,
        entries: Vec::new(),
    };
    let id = new.id.clone();
    let (answer, answered) = oneshot::channel();
    let (core_there, registry_there, store_there) = (core.clone(), registry.clone(), store.clone());
    let created = Box::new(move |created: Result<Created, StoreError>| {
        // Taken in before the store answers the next caller, who may have the
        // same key and must find the run here.
        let outcome = created.map(|created| match created {
            Created::New(run) => {
                let journal = Journal { store: store_there, run };
                let registry = Arc::downgrade(&registry_there);
                let host = RunHost::of(core_there, registry, graph, id, key, params, Some(journal));
                host.lock().log.holds = true;
                Ok(registry_there.adopt(host))
            }
            Created::Existing(stored) => Err(stored),
        });
        let _ = answer.send(outcome);
    });
    store.create(new, created);
    match answered.await.unwrap_or(Err(StoreError::Closed))? {
        Ok(host) => {
            host.begin();
            Ok(host)
        }
        Err(stored) => {
            let holder = if stored.workflow != graph.name {
                Some(format!("a run of workflow `{}`", stored.workflow))
            } else if stored.params != encoded {
                Some(format!("a run of `{}` with other arguments", stored.workflow))
            } else {
                None
            };
            match holder {
                Some(holder) => Err(Error::KeyInUse { key: stored.key.unwrap_or_default(), holder }),
                None => attach(core, registry, store, graph, *stored).await,
            }
        }
    }
}

/// A run that the store has: as it is in this process, or read back.
async fn attach(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    store: &Arc<dyn Store>,
    graph: &'static Graph,
    stored: StoredRun,
) -> Result<Arc<RunHost>, Error> {
    if let Some(host) = registry.find(&stored.id) {
        return Ok(host);
    }
    let (core, registry, store) = (core.clone(), registry.clone(), store.clone());
    let restored = core.runtime.clone().spawn_blocking(move || {
        let host = RunHost::restore(core, Arc::downgrade(&registry), graph, store, stored)?;
        Ok(registry.adopt(host))
    });
    restored.await.unwrap_or(Err(Error::ShutDown))
}

/// Goes on with every unfinished run of the workflows that this program has.
pub(crate) fn recover(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    store: &Arc<dyn Store>,
    workflows: &[&'static Graph],
) -> Result<(), Error> {
    let mut after = None;
    loop {
        let page = store.unfinished(after, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.run);
        for stored in page {
            recover_one(core, registry, store, workflows, stored);
        }
    }
}

/// How many runs are read at a time when an engine starts.
const PAGE: usize = 1_000;

fn recover_one(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    store: &Arc<dyn Store>,
    workflows: &[&'static Graph],
    stored: StoredRun,
) {
    let Some(graph) = workflows.iter().find(|graph| graph.name == stored.workflow) else {
        tracing::warn!(
            run = stored.id,
            workflow = stored.workflow,
            "an unfinished run waits: its workflow is not registered with this engine"
        );
        return;
    };
    let id = stored.id.clone();
    match RunHost::restore(core.clone(), Arc::downgrade(registry), graph, store.clone(), stored) {
        Ok(host) => {
            let begun = host.lock().uncommitted.seq > 0;
            let host = registry.adopt(host);
            if !begun {
                // The process died between creating the run and its first event.
                host.begin();
            }
        }
        Err(error) => tracing::error!(run = id, %error, "an unfinished run does not go on"),
    }
}

/// What a journal leaves under way: actions whose end is not in it.
#[derive(Default)]
struct Open {
    actions: Vec<Action>,
    /// Whether the process before ended in good order.
    interrupted: bool,
}

impl Open {
    /// An event is the end of the action that led to it.
    fn hear(&mut self, event: &Event) {
        let (key, epoch) = match event {
            Event::AttemptEnded { key, epoch, .. }
            | Event::TimerFired { key, epoch }
            | Event::Granted { key, epoch } => (*key, *epoch),
            Event::GraceOver => {
                self.actions.retain(|action| !matches!(action, Action::AwaitGrace));
                return;
            }
            _ => return,
        };
        let ends = |action: &Action| match event {
            Event::AttemptEnded { .. } => matches!(action, Action::Start { .. } | Action::Undo { .. }),
            Event::TimerFired { .. } => matches!(action, Action::Timer { .. }),
            _ => matches!(action, Action::Acquire { .. }),
        };
        if let Some(place) =
            self.actions.iter().position(|action| ends(action) && about(action) == Some((key, epoch)))
        {
            self.actions.remove(place);
        }
    }
}

fn about(action: &Action) -> Option<(Key, u32)> {
    match action {
        Action::Start { key, epoch, .. }
        | Action::Undo { key, epoch, .. }
        | Action::Timer { key, epoch, .. }
        | Action::Acquire { key, epoch } => Some((*key, *epoch)),
        _ => None,
    }
}

/// The parameters as one JSON array, which people can read.
pub(crate) fn encode_params(graph: &'static Graph, params: &[Value]) -> Result<Vec<u8>, Error> {
    let mut array = vec![b'['];
    for (param, value) in graph.params.iter().zip(params) {
        if array.len() > 1 {
            array.push(b',');
        }
        array.extend((param.codec.encode)(value).map_err(|error| Error::Codec(Arc::new(error)))?);
    }
    array.push(b']');
    Ok(array)
}

fn decode_params(graph: &'static Graph, bytes: &[u8]) -> Result<Vec<Value>, String> {
    let values: Vec<Box<serde_json::value::RawValue>> =
        serde_json::from_slice(bytes).map_err(|error| format!("its parameters cannot be read: {error}"))?;
    if values.len() != graph.params.len() {
        return Err(format!(
            "it was started with {} parameters, and the workflow has {}",
            values.len(),
            graph.params.len()
        ));
    }
    let decoded = graph.params.iter().zip(values).map(|(param, value)| {
        (param.codec.decode)(value.get().as_bytes())
            .map_err(|error| format!("parameter `{}`: {error}", param.name))
    });
    decoded.collect()
}
