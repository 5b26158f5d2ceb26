//! Runs that outlive the process: what a run hands to its store, and what it
//! does once that is committed. How it is read back is in `recovery`.
//!
//! The order is always the same: hear, decide, commit, act. A batch holds all
//! that was decided under one hold of the run's lock, so the end of a step and
//! the starts of its dependants are one transaction, and so are a run and its
//! first steps.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};

use tokio::sync::oneshot;

use super::core::Core;
use super::host::{After, Inner, RunEnd, RunHost};
use super::journal::{self, StoredEvent};
use super::panics::contained;
use super::record;
use super::recovery;
use super::registry::{Adopted, Registry};
use crate::definition::{Graph, Kind};
use crate::error::{Cause, Error, Failure, StepError};
use crate::run::{Action, Event, RunState, StepState};
use crate::store::{self, Batch, Created, Entry, NewRun, RunRef, Store, StoreError, StoredRun};
use crate::value::Value;

/// Where a run is kept.
pub(crate) struct Journal {
    store: Arc<dyn Store>,
    /// Set once the run is created there. Nothing is appended before.
    run: OnceLock<RunRef>,
}

impl Journal {
    /// Of a run that is about to be created.
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, run: OnceLock::new() }
    }

    /// Of a run that the store has.
    pub(super) fn of(store: Arc<dyn Store>, run: RunRef) -> Self {
        Self { store, run: OnceLock::from(run) }
    }
}

/// What a run has decided and its store has not confirmed yet.
#[derive(Default)]
pub(crate) struct Uncommitted {
    pub(crate) entries: Vec<Entry>,
    /// What is to be done once the entries are committed.
    pub(crate) actions: Vec<Action>,
    /// Who wants to hear of the commit.
    pub(crate) waiters: Vec<Waiter>,
    /// The number of the next entry.
    pub(crate) seq: u64,
    /// The state that the store was last told.
    pub(super) told: Option<RunState>,
    /// Whether the store is to hear of the state, whatever else there is.
    pub(super) restate: bool,
    /// The state at the latest commit: what observers see.
    pub(super) committed: Option<RunState>,
    /// Batches on their way to the store, in order.
    outbox: VecDeque<Outgoing>,
    /// Whether somebody is handing them over.
    sending: bool,
    /// How many batches the store has not answered.
    unanswered: usize,
    /// The numbers of the next batch, and of the next that is acted upon.
    next: (u64, u64),
    /// Answers that came before those to earlier batches.
    early: BTreeMap<u64, (Then, Result<(), StoreError>)>,
    /// Whether the run's end is among them.
    ending: bool,
}

type Waiter = oneshot::Sender<Result<(), StoreError>>;

impl Uncommitted {
    /// Whether anything waits for the store.
    pub(super) fn is_pending(&self) -> bool {
        self.unanswered > 0
    }

    /// The number of a batch that is about to be sent.
    fn next_number(&mut self) -> u64 {
        self.unanswered += 1;
        self.next.0 += 1;
        self.next.0 - 1
    }
}

/// A batch, and what follows its commit.
struct Outgoing {
    /// Counts the batches, from 0.
    number: u64,
    first_seq: u64,
    entries: Vec<Entry>,
    state: Option<RunState>,
    end: Option<store::RunEnd>,
    then: Then,
}

/// What follows a commit.
#[derive(Default)]
struct Then {
    actions: Vec<Action>,
    end: Option<RunEnd>,
    waiters: Vec<Waiter>,
    /// The run's state then; `None` leaves it as it is.
    state: Option<RunState>,
    /// For observers.
    told: Vec<record::Entry>,
}

/// Waits for the store's answer. A store that drops it without answering has
/// failed, and nobody is left waiting.
struct Answer {
    host: Arc<RunHost>,
    number: u64,
    then: Option<Then>,
}

impl Answer {
    fn hear(mut self, result: Result<(), StoreError>) {
        if let Some(then) = self.then.take() {
            self.host.committed(self.number, then, result);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(then) = self.then.take() {
            self.host.committed(self.number, then, Err(StoreError::Closed));
        }
    }
}

impl RunHost {
    /// Makes a batch of what is uncommitted. All of it was decided under one
    /// hold of the run's lock, which is still held.
    pub(super) fn seal(self: &Arc<Self>, inner: &mut Inner) {
        if self.journal.is_none() {
            return;
        }
        match self.take_uncommitted(inner) {
            Some(outgoing) => inner.uncommitted.outbox.push_back(outgoing),
            // What they asked for was refused, so there is nothing to wait for.
            None => inner.uncommitted.waiters.drain(..).for_each(|waiter| tell(waiter, Ok(()))),
        }
    }

    fn take_uncommitted(&self, inner: &mut Inner) -> Option<Outgoing> {
        let uncommitted = &mut inner.uncommitted;
        let finish = uncommitted.actions.iter().position(|action| matches!(action, Action::Finish { .. }));
        let restate = std::mem::take(&mut uncommitted.restate);
        if uncommitted.entries.is_empty() && finish.is_none() && !restate {
            return None;
        }
        let first_seq = uncommitted.seq;
        let entries = std::mem::take(&mut uncommitted.entries);
        uncommitted.seq += entries.len() as u64;
        let finish = finish.map(|place| uncommitted.actions.remove(place));
        let actions = std::mem::take(&mut uncommitted.actions);
        let waiters = std::mem::take(&mut uncommitted.waiters);
        let number = uncommitted.next_number();
        uncommitted.ending |= finish.is_some();
        // The machine of a run that was interrupted is gone, and its state
        // with it; the store keeps the one before.
        let now = inner.end.is_none().then(|| inner.machine.run_state());
        let state = now.filter(|state| !state.is_ended() && uncommitted.told.replace(*state) != Some(*state));
        let (end, ended) = match finish {
            Some(Action::Finish { state, cause }) => {
                let (stored, end) = self.conclude(inner, state, cause);
                (Some(stored), Some(end))
            }
            _ => (None, None),
        };
        let then = Then { actions, end: ended, waiters, state: now, told: inner.log.take_held() };
        Some(Outgoing { number, first_seq, entries, state, end, then })
    }

    /// Hands sealed batches to the store, in order. No lock is held meanwhile,
    /// since the store may answer at once; whoever seals another batch during
    /// that leaves it to us.
    pub(super) fn send(self: &Arc<Self>) {
        let Some(journal) = &self.journal else { return };
        let Some(run) = journal.run.get() else { return };
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
            let Some(Outgoing { number, first_seq, entries, state, end, then }) = outgoing else { return };
            let batch = Batch { run: *run, first_seq, entries, state, end };
            let answer = Answer { host: self.clone(), number, then: Some(then) };
            journal.store.append(batch, Box::new(move |result| answer.hear(result)));
        }
    }

    /// The store has answered. Answers are acted upon in the order of the
    /// batches, whichever comes first.
    fn committed(self: &Arc<Self>, number: u64, then: Then, result: Result<(), StoreError>) {
        let told = self.with(|inner, after| {
            inner.uncommitted.early.insert(number, (then, result));
            let mut told = Vec::new();
            while let Some((mut then, result)) = inner.uncommitted.early.remove(&inner.uncommitted.next.1) {
                inner.uncommitted.next.1 += 1;
                inner.uncommitted.unanswered -= 1;
                told.extend(then.waiters.drain(..).map(|waiter| (waiter, result.clone())));
                match result {
                    Ok(()) => self.act_on(inner, after, then),
                    Err(error) => {
                        let unsent = self.give_up(inner, after, &error);
                        told.extend(unsent.into_iter().map(|waiter| (waiter, Err(error.clone()))));
                    }
                }
            }
            after.changed = true;
            told
        });
        told.into_iter().for_each(|(waiter, result)| tell(waiter, result));
    }

    /// Does what waited for a commit.
    fn act_on(self: &Arc<Self>, inner: &mut Inner, after: &mut After, then: Then) {
        let Then { actions, end, waiters: _, state, told } = then;
        inner.uncommitted.committed = state.or(inner.uncommitted.committed);
        told.into_iter().for_each(|record::Entry { at, what }| inner.log.tell(at, what));
        self.act_committed(inner, after, actions);
        if let Some(end) = end.filter(|_| inner.end.is_none()) {
            self.finish(inner, after, end);
        }
        self.call_workers(inner, after);
    }

    /// What the machine decided is not durable, so nothing of it may be acted
    /// upon. The next engine goes on from what is. Gives back who waits for
    /// what is not even sent.
    fn give_up(self: &Arc<Self>, inner: &mut Inner, after: &mut After, error: &StoreError) -> Vec<Waiter> {
        if inner.end.is_none() {
            tracing::error!(parent: &self.span, %error, "the run stops here: its store failed");
            self.finish(inner, after, RunEnd::Unstored(error.clone()));
            self.stop_all(inner, after);
        }
        let unsent = std::mem::take(&mut inner.uncommitted.outbox);
        inner.uncommitted.unanswered -= unsent.len();
        unsent.into_iter().flat_map(|outgoing| outgoing.then.waiters).collect()
    }

    /// How the run ends, for its store and for this process. A result that
    /// cannot be saved is no success.
    fn conclude(
        &self,
        inner: &Inner,
        state: RunState,
        cause: Option<(crate::run::Key, u32, Failure)>,
    ) -> (store::RunEnd, RunEnd) {
        let mut end = self.run_end(inner, state, cause);
        let mut result = None;
        if let (RunEnd::Succeeded, Some(value)) = (&end, &inner.result) {
            match journal::payload(&self.graph.output, value, self.core.largest_value) {
                Ok(payload) => result = Some(payload),
                Err(failure) => {
                    end = RunEnd::Failed(StepError::new(self.graph.name.to_owned(), 0, failure));
                }
            }
        }
        let error = match &end {
            RunEnd::Failed(error) => Some(error.clone()),
            _ => None,
        };
        (store::RunEnd { state: end.state(), at: inner.now, result, error }, end)
    }

    /// Ends the run at once, wherever it is: its engine shuts down. A run
    /// whose end is on its way to the store is left to its commit.
    pub(crate) fn interrupt(self: &Arc<Self>) {
        self.with(|inner, after| {
            if inner.end.is_none() && !inner.uncommitted.ending {
                // What waits goes on by itself; only what runs has to be told
                // from what a crash takes away.
                if self.journal.is_some() && inner.has_attempts() {
                    let event = journal::text(&StoredEvent::ShutDown);
                    let at = self.core.clock.now();
                    inner.uncommitted.entries.push(Entry { at, event, value: None, changes: Vec::new() });
                }
                self.finish(inner, after, RunEnd::Interrupted);
            }
            self.stop_all(inner, after);
        });
    }

    /// The store is closed, so nothing more comes of the run.
    pub(super) fn abandon(self: &Arc<Self>) {
        self.with(|inner, after| {
            if inner.end.is_none() {
                self.finish(inner, after, RunEnd::Interrupted);
            }
        });
    }

    /// Has a new run decide how it begins, so that it is created together
    /// with its first steps.
    fn decide_begin(self: &Arc<Self>) -> Outgoing {
        let mut after = After::default();
        let first = {
            let mut inner = self.lock();
            self.handle(&mut inner, &mut after, Event::Begun, None);
            self.take_uncommitted(&mut inner)
        };
        self.settle(after);
        // A fresh machine takes its first event.
        first.unwrap_or(Outgoing {
            number: 0,
            first_seq: 0,
            entries: Vec::new(),
            state: None,
            end: None,
            then: Then::default(),
        })
    }

    /// The store has created the run.
    fn created(self: &Arc<Self>, run: RunRef, number: u64, end: Option<store::RunEnd>, mut then: Then) {
        if let Some(journal) = &self.journal {
            // Only ever created once.
            let _ = journal.run.set(run);
        }
        if let Some(end) = end {
            // A store creates no run that has ended; the end comes next.
            let last = Then {
                end: then.end.take(),
                state: then.state.take(),
                told: std::mem::take(&mut then.told),
                ..Then::default()
            };
            let mut inner = self.lock();
            let first_seq = inner.uncommitted.seq;
            let number = inner.uncommitted.next_number();
            inner.uncommitted.outbox.push_back(Outgoing {
                number,
                first_seq,
                entries: Vec::new(),
                state: None,
                end: Some(end),
                then: last,
            });
        }
        self.committed(number, then, Ok(()));
    }
}

impl Inner {
    /// Whether attempts are under way, or may be.
    fn has_attempts(&self) -> bool {
        self.machine.steps().any(|view| {
            matches!(view.step.kind, Kind::Task(task) if task.task.child.is_none())
                && matches!(view.state, StepState::Running | StepState::Undoing)
        })
    }
}

fn tell(waiter: Waiter, result: Result<(), StoreError>) {
    let _ = waiter.send(result);
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
    recovery::make_known(core, registry, store, graph).await?;
    let encoded = recovery::encode_params(graph, &params)?;
    let now = core.clock.now();
    let id = core.random.run_id(now);
    let journal = Some(Journal::new(store.clone()));
    let host =
        RunHost::of(core.clone(), Arc::downgrade(registry), graph, id.clone(), key.clone(), params, journal);
    host.lock().log.holds = true;
    let Outgoing { number, entries, end, then, .. } = host.decide_begin();
    let state = then.state.filter(|state| !state.is_ended()).unwrap_or(RunState::Running);
    let new = NewRun {
        id,
        workflow: graph.name.to_owned(),
        key,
        fingerprint: graph.fingerprint,
        params: encoded.clone(),
        created_at: now,
        state,
        entries,
    };
    let (answer, answered) = oneshot::channel();
    let registry_there = registry.clone();
    // All that follows is done here and not by whoever asked: that one may
    // have stopped waiting, and the next caller with the same key must find
    // the run.
    let created = Box::new(move |created: Result<Created, StoreError>| {
        let outcome = created.map_err(Error::Store).and_then(|created| match created {
            Created::New(run) => match registry_there.adopt(&host) {
                Adopted::New | Adopted::Known(_) => {
                    host.created(run, number, end, then);
                    Ok(Ok(host))
                }
                Adopted::Closed => {
                    host.created_too_late(run);
                    Err(Error::ShutDown)
                }
            },
            Created::Existing(stored) => {
                super::panics::discard(host);
                Ok(Err(*stored))
            }
        });
        let _ = answer.send(outcome);
    });
    store.create(new, created);
    match answered.await.unwrap_or(Err(Error::Store(StoreError::Closed)))? {
        Ok(host) => Ok(host),
        Err(stored) => match holder(graph, &stored, &encoded) {
            Some(holder) => Err(Error::KeyInUse { key: stored.key.unwrap_or_default(), holder }),
            None => recovery::attach(core, registry, store, graph, stored).await,
        },
    }
}

impl RunHost {
    /// The store has created the run, and the engine has shut down meanwhile:
    /// the next one begins it.
    fn created_too_late(self: &Arc<Self>, run: RunRef) {
        if let Some(journal) = &self.journal {
            let _ = journal.run.set(run);
        }
        self.interrupt();
    }
}

/// Who has the key, in words, where it is not this invocation.
fn holder(graph: &Graph, stored: &StoredRun, params: &[u8]) -> Option<String> {
    if stored.workflow != graph.name {
        Some(format!("a run of workflow `{}`", stored.workflow))
    } else if stored.params != params {
        Some(format!("a run of `{}` with other arguments", stored.workflow))
    } else {
        None
    }
}

/// Calls code of the user's that reads or writes a value, where a panic is an
/// error like any other.
pub(super) fn coded<T>(call: impl FnOnce() -> Result<T, crate::codec::CodecError>) -> Result<T, Failure> {
    match contained(call) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Failure::from_error(Cause::Fatal, &error)),
        Err(panic) => Err(panic),
    }
}
