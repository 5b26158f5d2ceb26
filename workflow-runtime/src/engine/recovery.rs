//! Runs read back from a store: a fresh machine hears the journal again,
//! without acting, and then goes on from where it ends.
//!
//! Nothing that is stored is trusted. A journal that cannot be read, or that
//! this program's code does not follow, blocks its run, and no other.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Weak};

use super::core::Core;
use super::driver::is_visible;
use super::durable::{Journal, coded};
use super::host::{After, Inner, RunEnd, RunHost};
use super::journal::{self, StoredEvent};
use super::panics::contained;
use super::registry::{Adopted, Registry};
use crate::definition::Graph;
use crate::error::{Cause, Error, Failure, StepError};
use crate::run::{Action, Answer, AttemptEnd, Event, Key, RunState, StepState};
use crate::store::{self, Batch, Store, StoreError, StoredEntry, StoredRun};
use crate::value::Value;

impl RunHost {
    /// Makes a run of what a store holds of it. It does nothing yet: that
    /// begins with [`Self::go_on`], once the engine has taken it in.
    fn read_back(
        core: Arc<Core>,
        registry: Weak<Registry>,
        graph: &'static Graph,
        store: Arc<dyn Store>,
        stored: &StoredRun,
    ) -> Result<(Arc<Self>, Open), String> {
        let params = Self::read_params(graph, stored);
        // What has ended stays as it ended, whatever became of its code.
        let params = if stored.end.is_some() { Ok(params.unwrap_or_default()) } else { params };
        let journal = Some(Journal::of(store.clone(), stored.run));
        let (id, key) = (stored.id.clone(), stored.key.clone());
        let host = Self::of(core, registry, graph, id, key, params?, journal);
        let entries = store.journal(stored.run).map_err(|error| error.to_string());
        let mut after = Box::<After>::default();
        let mut inner = host.lock();
        inner.started_at = stored.created_at;
        let replayed = entries.and_then(|entries| {
            contained(|| host.replay(&mut inner, &mut after, entries))
                .unwrap_or_else(|panic| Err(format!("its journal cannot be followed: {panic}")))
        });
        let open = match (&stored.end, replayed) {
            (Some(end), _) => {
                host.ended(&mut inner, &mut after, end)?;
                Open::default()
            }
            (None, replayed) => replayed?,
        };
        inner.log.holds = true;
        drop(inner);
        // Nobody has seen the run yet, so there is nobody to tell.
        after.garbage.into_iter().for_each(super::panics::discard);
        Ok((host, open))
    }

    fn read_params(graph: &'static Graph, stored: &StoredRun) -> Result<Vec<Value>, String> {
        if stored.fingerprint != graph.fingerprint {
            return Err(format!(
                "the workflow has changed since the run started (its graph was {:016x}, and is {:016x} now); \
                 go on with the program that started it, or start a new run",
                stored.fingerprint, graph.fingerprint
            ));
        }
        decode_params(graph, &stored.params)
    }

    /// Hears a whole journal again.
    fn replay(
        self: &Arc<Self>,
        inner: &mut Inner,
        after: &mut After,
        entries: Vec<StoredEntry>,
    ) -> Result<Open, String> {
        let mut open = Open::default();
        for (number, entry) in (0..).zip(entries) {
            let of = |problem: &dyn fmt::Display| format!("entry {number} of its journal {problem}");
            if entry.seq != number {
                return Err(of(&"is missing"));
            }
            let event: StoredEvent = serde_json::from_str(&entry.event)
                .map_err(|error| of(&format_args!("cannot be read: {error}")))?;
            inner.uncommitted.seq = number + 1;
            open.interrupted = event == StoredEvent::ShutDown;
            if open.interrupted {
                continue;
            }
            let Some(event) = event.event(self.graph) else {
                return Err(of(&"is a signal that the workflow does not have"));
            };
            inner.now = entry.at;
            let value = journal::decode(inner, &event, entry.value.as_ref())?;
            check_answer(inner, &event).map_err(|problem| of(&problem))?;
            open.hear(&event);
            let mut effects = self
                .hear(inner, event, value)
                .map_err(|refused| of(&format_args!("does not follow from those before: {refused}")))?;
            let closed_before = after.garbage.len();
            for action in effects.actions.drain(..) {
                if is_visible(&action) {
                    open.take(action);
                } else {
                    self.perform(inner, after, action);
                }
            }
            self.note_changes(inner, after, &mut effects, closed_before);
            inner.effects = effects;
        }
        Ok(open)
    }

    /// Takes the end from the store's row, which is there also when the code
    /// of the workflow is not any more.
    fn ended(
        self: &Arc<Self>,
        inner: &mut Inner,
        after: &mut After,
        stored: &store::RunEnd,
    ) -> Result<(), String> {
        inner.result =
            match &stored.result {
                Some(payload) => {
                    let value = coded(|| (self.graph.output.decode)(&payload.bytes));
                    Some(value.map_err(|failure| {
                        format!("its result, stored as `{}`: {failure}", payload.type_name)
                    })?)
                }
                None => None,
            };
        inner.now = stored.at;
        let end = match (stored.state, &stored.error) {
            (RunState::Succeeded, _) => RunEnd::Succeeded,
            (RunState::Failed, Some(error)) => RunEnd::Failed(error.clone()),
            (RunState::Failed, None) => {
                let failure = Failure::new(Cause::Error, "the run failed");
                RunEnd::Failed(StepError::new(self.graph.name.to_owned(), 0, failure))
            }
            _ => RunEnd::Cancelled,
        };
        inner.answers.clear();
        self.finish(inner, after, end);
        Ok(())
    }

    /// Goes on from where the journal ends: what was under way when the last
    /// process ended did not get to its end, and what waited waits again.
    fn go_on(self: &Arc<Self>, open: Open, stored: RunState) {
        let Open { actions, finish, grace, interrupted, .. } = open;
        self.with(|inner, after| {
            inner.uncommitted.told = Some(stored);
            inner.uncommitted.committed = Some(inner.machine.run_state());
            if inner.uncommitted.seq == 0 {
                // Created by somebody who did not let it begin.
                self.handle(inner, after, Event::Begun, None);
                return;
            }
            // In the journal already, but its end is not.
            inner.uncommitted.actions.extend(finish);
            if let Some(answer) = inner.answers.pop_front() {
                self.handle(inner, after, answer, None);
            }
            for action in actions.into_values() {
                match action {
                    Action::Start { key, epoch, .. } | Action::Undo { key, epoch, .. } => {
                        let end = if interrupted { AttemptEnd::Interrupted } else { AttemptEnd::Lost };
                        self.handle(inner, after, Event::AttemptEnded { key, epoch, end, roll: 0.5 }, None);
                    }
                    // Whatever does not wait any more is left out.
                    Action::Timer { key, .. } | Action::Acquire { key, .. } => {
                        if matches!(
                            inner.machine.state(key),
                            Some(StepState::Waiting(_) | StepState::Undoing)
                        ) {
                            self.perform(inner, after, action);
                        }
                    }
                    _ => {}
                }
            }
            if grace {
                // Whatever could be stopped is gone with its process.
                self.handle(inner, after, Event::GraceOver, None);
            }
            // An engine that could not go on with it may have said so.
            inner.uncommitted.restate =
                inner.machine.run_state() != stored && !inner.machine.run_state().is_ended();
            self.call_workers(inner, after);
        });
    }
}

/// Expressions are evaluated again for what they put in place, and answer as
/// they did the first time. What cannot have been heard is left behind.
fn check_answer(inner: &mut Inner, event: &Event) -> Result<(), String> {
    let (Event::Answered { .. } | Event::Yielded { .. }) = event else {
        // All that was asked before had been answered by then.
        inner.answers.clear();
        return Ok(());
    };
    while let Some(now) = inner.answers.pop_front() {
        let (then, now) = match (event, &now) {
            (Event::Answered { key, answer: then }, Event::Answered { key: asked, answer: now })
                if key == asked =>
            {
                (then, now)
            }
            (
                Event::Yielded { frame, result: Ok(()) },
                Event::Yielded { frame: asked, result: Err(failure) },
            ) if frame == asked => {
                return Err(format!(
                    "cannot be followed: a value was computed, and is not any more: {failure}"
                ));
            }
            (Event::Yielded { frame, .. }, Event::Yielded { frame: asked, .. }) if frame == asked => {
                return Ok(());
            }
            _ => continue,
        };
        let Event::Answered { key, .. } = event else { return Ok(()) };
        let step = || inner.machine.path(*key).unwrap_or_default();
        return match (then, now) {
            (Ok(Answer::Items(then)), Ok(Answer::Items(now))) if then != now => {
                Err(format!("cannot be followed: `{}` went over {then} items, and finds {now} now", step()))
            }
            (Ok(_), Err(failure)) => {
                Err(format!("cannot be followed: `{}` was evaluated, and is not any more: {failure}", step()))
            }
            _ => Ok(()),
        };
    }
    Ok(())
}

/// What a journal leaves under way: actions whose end is not in it.
#[derive(Default)]
struct Open {
    /// In order.
    actions: BTreeMap<u64, Action>,
    places: HashMap<(About, Key, u32), u64>,
    taken: u64,
    /// Whether the end of the grace time is awaited.
    grace: bool,
    /// The run's end.
    finish: Option<Action>,
    /// Whether the process before ended in good order.
    interrupted: bool,
}

/// What an action is about, beside its step.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum About {
    Attempt,
    Timer,
    Room,
}

impl Open {
    fn take(&mut self, action: Action) {
        let place = match &action {
            Action::Start { key, epoch, .. } | Action::Undo { key, epoch, .. } => {
                (About::Attempt, *key, *epoch)
            }
            Action::Timer { key, epoch, .. } => (About::Timer, *key, *epoch),
            Action::Acquire { key, epoch } => (About::Room, *key, *epoch),
            Action::Release { key, epoch } => return self.close(About::Room, *key, *epoch),
            // Given up: nobody waits for its end.
            Action::Abort { key, epoch, graceful: true } => return self.close(About::Attempt, *key, *epoch),
            Action::AwaitGrace => {
                self.grace = true;
                return;
            }
            Action::Finish { .. } => {
                self.finish = Some(action);
                return;
            }
            _ => return,
        };
        self.places.insert(place, self.taken);
        self.actions.insert(self.taken, action);
        self.taken += 1;
    }

    /// An event is the end of the action that led to it.
    fn hear(&mut self, event: &Event) {
        match event {
            Event::AttemptEnded { key, epoch, .. } => self.close(About::Attempt, *key, *epoch),
            Event::TimerFired { key, epoch } => self.close(About::Timer, *key, *epoch),
            Event::Granted { key, epoch } => self.close(About::Room, *key, *epoch),
            Event::GraceOver => self.grace = false,
            _ => {}
        }
    }

    fn close(&mut self, about: About, key: Key, epoch: u32) {
        if let Some(place) = self.places.remove(&(about, key, epoch)) {
            self.actions.remove(&place);
        }
    }
}

/// A run that the store has: as it is in this process, or read back.
pub(super) async fn attach(
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
    let runtime = core.runtime.clone();
    let restored = runtime.spawn_blocking(move || restore(&core, &registry, &store, graph, &stored));
    restored.await.unwrap_or(Err(Error::ShutDown))
}

/// Reads a run back, and goes on with it unless somebody else already does.
fn restore(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    store: &Arc<dyn Store>,
    graph: &'static Graph,
    stored: &StoredRun,
) -> Result<Arc<RunHost>, Error> {
    let blocked = |reason| Error::Blocked { workflow: graph.name.to_owned(), id: stored.id.clone(), reason };
    let read = RunHost::read_back(core.clone(), Arc::downgrade(registry), graph, store.clone(), stored);
    let (host, open) = read.map_err(blocked)?;
    if stored.end.is_some() {
        return Ok(host);
    }
    match registry.adopt(&host) {
        Adopted::New => {
            host.go_on(open, stored.state);
            Ok(host)
        }
        Adopted::Known(known) => Ok(known),
        Adopted::Closed => Err(Error::ShutDown),
    }
}

/// Goes on with every unfinished run of the workflows that this program has.
pub(crate) fn recover(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    store: &Arc<dyn Store>,
    workflows: &[&'static Graph],
) -> Result<(), Error> {
    workflows.iter().for_each(|graph| _ = registry.is_new(graph));
    for_each_unfinished(store, |stored| match workflows.iter().find(|graph| graph.name == stored.workflow) {
        Some(graph) => recover_one(core, registry, store, graph, &stored),
        None => tracing::warn!(
            run = stored.id,
            workflow = stored.workflow,
            "an unfinished run waits: its workflow is not registered with this engine"
        ),
    })
}

/// Starting a workflow registers it: its unfinished runs go on.
pub(super) async fn make_known(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    store: &Arc<dyn Store>,
    graph: &'static Graph,
) -> Result<(), Error> {
    if !registry.is_new(graph) {
        return Ok(());
    }
    let (core, registry, store) = (core.clone(), registry.clone(), store.clone());
    let runtime = core.runtime.clone();
    let recovered = runtime.spawn_blocking(move || {
        for_each_unfinished(&store, |stored| {
            if stored.workflow == graph.name {
                recover_one(&core, &registry, &store, graph, &stored);
            }
        })
    });
    recovered.await.unwrap_or(Err(Error::ShutDown))
}

fn for_each_unfinished(store: &Arc<dyn Store>, mut each: impl FnMut(StoredRun)) -> Result<(), Error> {
    let mut after = None;
    loop {
        let page = store.unfinished(after, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.run);
        page.into_iter().for_each(&mut each);
    }
}

/// How many runs are read at a time when an engine starts.
const PAGE: usize = 1_000;

fn recover_one(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    store: &Arc<dyn Store>,
    graph: &'static Graph,
    stored: &StoredRun,
) {
    if let Err(error) = restore(core, registry, store, graph, stored) {
        tracing::error!(run = stored.id, %error, "an unfinished run does not go on");
        if matches!(error, Error::Blocked { .. }) && stored.state != RunState::Blocked {
            mark_blocked(store, stored);
        }
    }
}

/// Has the store say so, for whoever looks there. What goes on with the run
/// later says that too.
fn mark_blocked(store: &Arc<dyn Store>, stored: &StoredRun) {
    let Ok(entries) = store.journal(stored.run) else { return };
    let first_seq = entries.last().map_or(0, |last| last.seq.saturating_add(1));
    let state = Some(RunState::Blocked);
    let batch = Batch { run: stored.run, first_seq, entries: Vec::new(), state, end: None };
    let id = stored.id.clone();
    let done = move |result: Result<(), StoreError>| {
        if let Err(error) = result {
            tracing::warn!(run = id, %error, "the store does not say that the run is blocked");
        }
    };
    store.append(batch, Box::new(done));
}

/// The parameters as one JSON array, which people can read.
pub(super) fn encode_params(graph: &'static Graph, params: &[Value]) -> Result<Vec<u8>, Error> {
    let mut array = vec![b'['];
    for (param, value) in graph.params.iter().zip(params) {
        if array.len() > 1 {
            array.push(b',');
        }
        let encoded = contained(|| (param.codec.encode)(value)).map_err(|panic| Error::Failed {
            workflow: graph.name.to_owned(),
            error: StepError::new(format!("{}({})", graph.name, param.name), 0, panic),
        })?;
        array.extend(encoded.map_err(|error| Error::Codec(Arc::new(error)))?);
    }
    array.push(b']');
    Ok(array)
}

fn decode_params(graph: &'static Graph, bytes: &[u8]) -> Result<Vec<Value>, String> {
    let values: Vec<Box<serde_json::value::RawValue>> =
        serde_json::from_slice(bytes).map_err(|error| format!("its parameters cannot be read: {error}"))?;
    if values.len() != graph.params.len() {
        let count = |count| if count == 1 { "1 parameter".to_owned() } else { format!("{count} parameters") };
        return Err(format!(
            "it was started with {}, and the workflow has {}",
            count(values.len()),
            count(graph.params.len())
        ));
    }
    let decoded = graph.params.iter().zip(values).map(|(param, value)| {
        coded(|| (param.codec.decode)(value.get().as_bytes()))
            .map_err(|failure| format!("parameter `{}`: {failure}", param.name))
    });
    decoded.collect()
}
