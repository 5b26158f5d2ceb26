//! Runs that outlive the process: what a run hands to its store, and what it
//! does once that is committed. How it is read back is in `recover`.
//!
//! The order is always the same: hear, decide, commit, act. A batch holds all
//! that was decided under one hold of the run's lock, so the end of a step and
//! the starts of its dependants are one transaction, and so are a run and its
//! first steps.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use tokio::sync::oneshot;

use crate::engine::instance::{After, Inner, RunEnd, RunHost, Stop};
use crate::engine::time::Hold;
use crate::execution::coded::payload;
use crate::execution::log;
use crate::failure::{Failure, StepError};
use crate::journal::StoredEvent;
use crate::run::{Action, RunState};
use crate::store::{self, Batch, Entry, Remembered, RunRef, Sleep, Store, StoreError};

/// Where a run is kept.
pub(crate) struct Journal {
    store: Arc<dyn Store>,
    /// Set once the run is created there. Nothing is appended before.
    pub(crate) run: OnceLock<RunRef>,
}

impl Journal {
    /// Of a run that is about to be created.
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, run: OnceLock::new() }
    }

    /// Of a run that the store has.
    pub(crate) fn of(store: Arc<dyn Store>, run: RunRef) -> Self {
        Self { store, run: OnceLock::from(run) }
    }
}

/// What a store takes a run for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Suspension {
    #[default]
    Awake,
    /// Its row says when it goes on.
    Asleep,
    /// It was read back, or taken up, and its row may still say that it sleeps.
    Unknown,
}

/// What a run has decided and its store has not confirmed yet.
#[derive(Default)]
pub(crate) struct Uncommitted {
    pub(crate) entries: Vec<Entry>,
    /// Results that later runs may use once the entries are committed.
    pub(crate) remember: Vec<Remembered>,
    /// What is to be done once the entries are committed.
    pub(crate) actions: Vec<Action>,
    /// Who wants to hear of the commit.
    pub(crate) waiters: Vec<Waiter>,
    /// What the commit answers.
    pub(crate) answer: Option<(i64, store::Answer)>,
    /// The number of the next entry.
    pub(crate) seq: u64,
    /// Whether an entry says that this process writes the journal.
    signed: bool,
    /// The blueprint that the run follows from now on.
    pub(crate) blueprint: Option<(u64, Arc<str>)>,
    /// What the store takes the run for.
    pub(crate) suspension: Suspension,
    /// Whether a commit is to be made only to tell the store that the run may
    /// fall asleep.
    pub(crate) wants_sleep: bool,
    /// Whether it was read back because its store had failed, and has
    /// committed nothing since.
    pub(crate) came_back: bool,
    /// The state that the store was last told.
    pub(crate) told: Option<RunState>,
    /// How many suspected steps the store was last told of.
    pub(crate) told_suspected: u32,
    /// Whether the store is to hear of the state, whatever else there is.
    pub(crate) restate: bool,
    /// The state at the latest commit: what observers see.
    pub(crate) committed: Option<RunState>,
    /// Batches that wait for those before them to be handed over.
    pub(crate) outbox: VecDeque<Outgoing>,
    /// Whether a thread is handing them over.
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

pub(crate) type Waiter = oneshot::Sender<Result<(), StoreError>>;

impl Uncommitted {
    /// Whether anything waits for the store.
    pub(crate) fn is_pending(&self) -> bool {
        self.unanswered > 0
    }

    /// The number of a batch that is about to be sent.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.unanswered += 1;
        self.next.0 += 1;
        self.next.0 - 1
    }
}

/// A batch, and what follows its commit.
#[derive(Default)]
pub(crate) struct Outgoing {
    /// Counts the batches, from 0.
    pub(crate) number: u64,
    /// Its run is filled in when it is sent.
    pub(crate) batch: Batch,
    pub(crate) then: Then,
}

/// What follows a commit.
#[derive(Default)]
pub(crate) struct Then {
    pub(crate) actions: Vec<Action>,
    pub(crate) end: Option<RunEnd>,
    pub(crate) waiters: Vec<Waiter>,
    /// The run's state then; `None` leaves it as it is.
    pub(crate) state: Option<RunState>,
    /// For observers.
    pub(crate) told: Vec<log::Entry>,
}

/// Waits for the store's answer. A store that drops it without answering has
/// failed, and no caller is left waiting.
struct Answer {
    host: Arc<RunHost>,
    number: u64,
    then: Option<Then>,
    _hold: Option<Hold>,
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
    /// hold of the run's lock, which is still held. Gives back what the caller
    /// is to [`send`](Self::send) once it has released the lock.
    pub(crate) fn seal(&self, inner: &mut Inner) -> Option<Outgoing> {
        let journal = self.journal.as_ref()?;
        let sealed = self.take_uncommitted(inner, true);
        if sealed.is_none() {
            // What they asked for was refused, so there is nothing to wait for.
            inner.uncommitted.waiters.drain(..).for_each(|waiter| tell(waiter, Ok(())));
        }
        let uncommitted = &mut inner.uncommitted;
        if uncommitted.sending || journal.run.get().is_none() {
            uncommitted.outbox.extend(sealed);
            return None;
        }
        let next = match uncommitted.outbox.pop_front() {
            None => sealed,
            earlier => {
                uncommitted.outbox.extend(sealed);
                earlier
            }
        };
        uncommitted.sending = next.is_some();
        next
    }

    pub(crate) fn take_uncommitted(&self, inner: &mut Inner, may_sleep: bool) -> Option<Outgoing> {
        let uncommitted = &mut inner.uncommitted;
        let finish = uncommitted.actions.iter().position(|action| matches!(action, Action::Finish { .. }));
        let restate = std::mem::take(&mut uncommitted.restate);
        let wants_sleep = std::mem::take(&mut uncommitted.wants_sleep);
        let answer = uncommitted.answer.take();
        if uncommitted.entries.is_empty() && finish.is_none() && !restate && !wants_sleep {
            return None;
        }
        let first_seq = uncommitted.seq;
        if !self.core.mode.works() && finish.is_none() && !uncommitted.entries.is_empty() {
            let event = crate::journal::text(&StoredEvent::NotBegun);
            uncommitted.entries.push(Entry { at: inner.run.now, event, value: None, changes: Vec::new() });
        }
        let mut entries = std::mem::take(&mut uncommitted.entries);
        if let Some(first) = entries.first_mut().filter(|_| !uncommitted.signed) {
            uncommitted.signed = true;
            crate::journal::signed(&mut first.event, std::process::id());
        }
        let remember = std::mem::take(&mut uncommitted.remember);
        uncommitted.seq += entries.len() as u64;
        let finish = finish.map(|place| uncommitted.actions.remove(place));
        let actions = std::mem::take(&mut uncommitted.actions);
        let waiters = std::mem::take(&mut uncommitted.waiters);
        let blueprint = uncommitted.blueprint.take();
        let number = uncommitted.next_number();
        uncommitted.ending |= finish.is_some();
        // The machine of a run that was interrupted is gone, and its state
        // with it; the store keeps the one before.
        let now = inner.end.is_none().then(|| inner.run.machine.run_state());
        // A run that is taken up after its end says so, also where it ends at
        // once.
        let going = now.map(|state| if state.is_ended() { RunState::Running } else { state });
        let state = if restate {
            going
        } else {
            now.filter(|state| !state.is_ended() && uncommitted.told != Some(*state))
        };
        uncommitted.told = state.or(uncommitted.told);
        let suspected = inner.run.machine.suspected();
        let suspected = (now.is_some() && suspected != uncommitted.told_suspected).then_some(suspected);
        uncommitted.told_suspected = suspected.unwrap_or(uncommitted.told_suspected);
        let sleep = if may_sleep { self.fall_asleep(inner, &actions) } else { Sleep::Unchanged };
        let (end, ended) = match finish {
            Some(Action::Finish { state, cause }) => {
                let (stored, end) = self.conclude(inner, state, cause);
                (Some(stored), Some(end))
            }
            _ => (None, None),
        };
        let then = Then { actions, end: ended, waiters, state: now, told: inner.run.log.take_held() };
        let run = RunRef::default();
        let batch =
            Batch { run, first_seq, entries, state, end, blueprint, sleep, suspected, remember, answer };
        Some(Outgoing { number, batch, then })
    }

    /// Hands sealed batches to the store, in order. No lock is held meanwhile,
    /// since the store may answer at once; a thread that seals another batch during
    /// that leaves it to us.
    pub(crate) fn send(self: &Arc<Self>, first: Option<Outgoing>) {
        let Some(journal) = &self.journal else { return };
        let Some(run) = journal.run.get() else { return };
        let mut next = first;
        while let Some(Outgoing { number, batch, then }) = next {
            let batch = Batch { run: *run, ..batch };
            let hold = self.core.clock.hold(&*journal.store, &self.core.runtime);
            let answer = Answer { host: self.clone(), number, then: Some(then), _hold: hold };
            journal.store.append(batch, Box::new(move |result| answer.hear(result)));
            let uncommitted = &mut self.lock().uncommitted;
            next = uncommitted.outbox.pop_front();
            uncommitted.sending = next.is_some();
        }
    }

    /// The store has answered. Answers are acted upon in the order of the
    /// batches, whichever comes first.
    pub(crate) fn committed(self: &Arc<Self>, number: u64, then: Then, result: Result<(), StoreError>) {
        let told = self.with(|inner, after| {
            let uncommitted = &mut inner.uncommitted;
            let mut next = if number == uncommitted.next.1 {
                Some((then, result))
            } else {
                uncommitted.early.insert(number, (then, result));
                None
            };
            let mut told = Vec::new();
            while let Some((mut then, result)) = next {
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
                next = inner.uncommitted.early.remove(&inner.uncommitted.next.1);
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
        if std::mem::take(&mut inner.uncommitted.came_back) {
            after.rare().came_back = true;
        }
        told.into_iter().for_each(|log::Entry { at, what }| inner.run.log.tell(at, what));
        self.act_committed(inner, after, actions);
        self.open_more(inner, after);
        if let Some(end) = end.filter(|_| inner.end.is_none()) {
            self.finish(inner, after, end);
        }
        self.call_workers(inner, after);
        after.asleep = self.is_asleep(inner);
    }

    /// What the machine decided is not known to be durable, so nothing of it
    /// may be acted upon. The run is read back, later or by the next engine,
    /// and goes on from what is. Gives back who waits for
    /// what is not even sent.
    fn give_up(self: &Arc<Self>, inner: &mut Inner, after: &mut After, error: &StoreError) -> Vec<Waiter> {
        if inner.end.is_none() {
            // One that was not created has nothing to be read back from.
            let is_stored = self.journal.as_ref().is_some_and(|journal| journal.run.get().is_some());
            let passes = is_stored && !error.is_final();
            inner.stop = if passes { Stop::ForNow } else { Stop::ForGood };
            if passes {
                tracing::debug!(parent: &self.span, %error, "the run stops: its store failed");
            } else {
                tracing::error!(parent: &self.span, %error, "the run stops here: its store failed");
            }
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
        inner: &mut Inner,
        state: RunState,
        cause: Option<(crate::run::Key, u32, Failure)>,
    ) -> (store::RunEnd, RunEnd) {
        let mut end = self.run_end(inner, state, cause);
        let mut result = None;
        if let (RunEnd::Succeeded, Some(value)) = (&end, &mut inner.run.result) {
            match payload(&self.graph.output, value, self.core.largest_value) {
                Ok((payload, read)) => {
                    result = Some(payload);
                    if let Some(read) = read {
                        *value = read;
                    }
                }
                Err(failure) => {
                    end = RunEnd::Failed(StepError::new(self.graph.name.to_owned(), 0, failure));
                }
            }
        }
        let error = match &end {
            RunEnd::Failed(error) => Some(error.clone()),
            _ => None,
        };
        (store::RunEnd { state: end.state(), at: inner.run.now, result, error }, end)
    }

    /// Ends the run at once, wherever it is: its engine shuts down. A run
    /// whose end is on its way to the store is left to its commit.
    pub(crate) fn interrupt(self: &Arc<Self>) {
        self.with(|inner, after| {
            if inner.end.is_none() && !inner.uncommitted.ending {
                // What waits goes on by itself; only what runs has to be told
                // from what a crash takes away.
                if self.journal.is_some() && self.core.mode.works() && inner.run.machine.has_attempts() {
                    let event = crate::journal::text(&StoredEvent::ShutDown);
                    let at = self.core.clock.now();
                    inner.uncommitted.entries.push(Entry { at, event, value: None, changes: Vec::new() });
                }
                self.finish(inner, after, RunEnd::Interrupted);
            }
            self.stop_all(inner, after);
        });
    }

    /// The store is not this engine's any more: the run stops where it is.
    pub(crate) fn lose(self: &Arc<Self>, error: &StoreError) {
        let unsent = self.with(|inner, after| self.give_up(inner, after, error));
        unsent.into_iter().for_each(|waiter| tell(waiter, Err(error.clone())));
    }

    /// The store is closed, so nothing more comes of the run.
    pub(crate) fn abandon(self: &Arc<Self>) {
        self.with(|inner, after| {
            if inner.end.is_none() {
                self.finish(inner, after, RunEnd::Interrupted);
            }
        });
        self.stop_for_good();
    }

    /// A caller that waits for a run that has stopped is not kept waiting: the run is not
    /// read back here.
    pub(crate) fn stop_for_good(&self) {
        let mut inner = self.lock();
        inner.stop = Stop::ForGood;
        let waiting = std::mem::take(&mut inner.awaiting);
        drop(inner);
        waiting.wake();
        self.changed.notify_waiters();
    }

    /// The run was read back, and goes on as another one, or has ended.
    pub(crate) fn succeeded_by(&self, successor: &Arc<RunHost>) {
        let mut inner = self.lock();
        inner.stop = Stop::Over;
        let waiting = std::mem::take(&mut inner.awaiting);
        drop(inner);
        if self.handles.load(Ordering::Acquire) > 0 {
            // For all of them. It does not sleep, then, nor is its result taken.
            successor.handles.fetch_add(2, Ordering::AcqRel);
        }
        // Only ever read back once.
        let _ = self.successor.set(successor.clone());
        waiting.wake();
        self.changed.notify_waiters();
    }
}

impl Inner {
    /// Whether attempts are under way of which no later engine would know whether they
    /// were done.
    #[cfg(feature = "app")]
    pub(crate) fn has_attempts_once(&self) -> bool {
        let mut open = self.run.machine.steps().filter(|view| view.state == crate::run::StepState::Running);
        open.any(
            |view| matches!(view.step.kind, crate::task::definition::Kind::Task(task) if task.task.at_most_once),
        )
    }
}

fn tell(waiter: Waiter, result: Result<(), StoreError>) {
    let _ = waiter.send(result);
}
