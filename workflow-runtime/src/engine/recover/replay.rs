//! Runs read back from a store: a fresh machine hears the journal again,
//! without acting, and then goes on from where it ends. A run whose workflow
//! has changed is taken up anew instead (`new_life`), if that is safe.
//!
//! Nothing that is stored is trusted. A journal that cannot be read, or that
//! this program's code does not follow, blocks its run, and no other.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::engine::attempts::Done;
use crate::engine::commit::Suspension;
use crate::engine::instance::{After, Inner, RunEnd, RunHost};
use crate::engine::recover::in_flight::Open;
use crate::engine::recover::new_life::TakeUp;
use crate::engine::recover::prior_lives;
use crate::engine::registry::Known;
use crate::engine::shared::Core;
use crate::execution;
use crate::execution::coded::coded;
use crate::execution::coded::decode_params;
use crate::execution::is_visible;
use crate::failure::{Cause, Failure, StepError};
use crate::journal::{Holds, StoredEvent};
use crate::panics::contained;
use crate::run::{Action, Answer, AttemptEnd, Event, Key, RunState, StepState};
use crate::store::{self, Store, StoreError, StoredEntry, StoredRun};
use crate::value::Value;

/// How a run goes on once the engine has taken it in.
pub(crate) enum GoOn {
    /// From where its journal ends.
    From(Open),
    /// In a new life.
    Anew(Box<TakeUp>),
    /// Not at all: it has ended.
    Ended,
}

/// Why a run is not read back.
pub(crate) enum Unread {
    /// It cannot be followed, which only an operator can settle.
    Blocked(String),
    /// Its store failed just now. That may pass.
    Store(StoreError),
}

impl From<String> for Unread {
    fn from(reason: String) -> Self {
        Self::Blocked(reason)
    }
}

impl From<StoreError> for Unread {
    fn from(error: StoreError) -> Self {
        if error.is_damage() { Self::Blocked(error.to_string()) } else { Self::Store(error) }
    }
}

impl Unread {
    /// The same, with more to say where it is blocked.
    pub(crate) fn map(self, say: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Blocked(reason) => Self::Blocked(say(reason)),
            Self::Store(error) => Self::Store(error),
        }
    }
}

impl RunHost {
    /// Makes a run of what a store holds of it. It does nothing yet: that
    /// begins with [`Self::go_on`], once the engine has taken it in.
    pub(crate) fn read_back(
        core: &Arc<Core>,
        known: &Arc<Known>,
        store: &Arc<dyn Store>,
        stored: &StoredRun,
        journal: Result<Vec<StoredEntry>, StoreError>,
    ) -> Result<(Arc<Self>, GoOn), Unread> {
        let graph = known.graph;
        let params = decode_params(graph, &stored.params);
        // What has ended stays as it ended, whatever became of its code.
        let params = if stored.end.is_some() { params.unwrap_or_default() } else { params? };
        let host = Self::stored(core, graph, store, stored, params);
        host.lock().run.log.holds = false;
        let mut after = Box::<After>::default();
        let go_on = host.read_journal(&mut after, known, store, stored, journal);
        let mut inner = host.lock();
        inner.run.log.holds = true;
        inner.uncommitted.told = Some(stored.state);
        if stored.asleep {
            inner.uncommitted.suspension = Suspension::Unknown;
        }
        inner.uncommitted.told_suspected = stored.suspected;
        drop(inner);
        // No handle or observer has seen the run yet, so there is none to tell.
        after.garbage.into_iter().for_each(crate::panics::discard);
        Ok((host, go_on?))
    }

    fn read_journal(
        self: &Arc<Self>,
        after: &mut After,
        known: &Arc<Known>,
        store: &Arc<dyn Store>,
        stored: &StoredRun,
        entries: Result<Vec<StoredEntry>, StoreError>,
    ) -> Result<GoOn, Unread> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        if let Some(end) = &stored.end {
            // For the story alone, which another program's code may not give.
            if let (Ok(entries), true) = (entries, known.is_followed_by(stored)) {
                let _ = contained(|| self.replay(inner, after, known, store.as_ref(), stored, &entries));
            }
            self.ended(inner, after, end)?;
            return Ok(GoOn::Ended);
        }
        let entries = entries?;
        if known.is_followed_by(stored) {
            let replayed = contained(|| self.replay(inner, after, known, store.as_ref(), stored, &entries));
            let replayed = replayed
                .unwrap_or_else(|panic| Err(format!("its journal cannot be followed: {panic}").into()));
            return replayed.map(GoOn::From);
        }
        TakeUp::changed(known, store.as_ref(), stored, &entries).map(|anew| GoOn::Anew(Box::new(anew)))
    }

    /// Hears the journal again, from where the run's present life begins.
    fn replay(
        self: &Arc<Self>,
        inner: &mut Inner,
        after: &mut After,
        known: &Known,
        store: &dyn Store,
        stored: &StoredRun,
        entries: &[StoredEntry],
    ) -> Result<Open, Unread> {
        let mut open = Open::default();
        let begin = last_life(entries);
        if begin > 0 {
            let past = prior_lives::read(known, store, stored, &entries[..begin])?;
            inner.run.leftovers = Some(Box::new(past.leftovers(entries)));
            let (holds, undoes_held) = holds(&entries[begin - 1]);
            inner.run.machine = holds.machine(self.graph, undoes_held);
        }
        inner.uncommitted.seq = begin as u64;
        // An expression is evaluated before the entry is heard that says what it
        // gave then.
        for entry in entries[begin..].iter().filter(|entry| entry.event.starts_with(COMPUTED)) {
            if let (Ok(StoredEvent::Computed { path }), Some(value)) =
                (serde_json::from_str(&entry.event), &entry.value)
            {
                inner.run.stored.insert(path, value.clone());
            }
        }
        for (number, entry) in (begin as u64..).zip(&entries[begin..]) {
            let of = |problem: &dyn fmt::Display| format!("entry {number} of its journal {problem}");
            if entry.seq != number {
                return Err(of(&"is missing").into());
            }
            let event: StoredEvent = serde_json::from_str(&entry.event)
                .map_err(|error| of(&format_args!("cannot be read: {error}")))?;
            inner.uncommitted.seq = number + 1;
            open.interrupted = event == StoredEvent::ShutDown;
            open.not_begun = event == StoredEvent::NotBegun;
            if open.interrupted
                || open.not_begun
                || matches!(event, StoredEvent::LeftBehind { .. } | StoredEvent::Computed { .. })
            {
                continue;
            }
            if let (Some(key), Some(arguments)) = (event.given_to(), &entry.value) {
                inner.run.give(key, arguments);
                continue;
            }
            let is_kept = event.is_kept();
            let Some(event) = event.event(self.graph) else {
                return Err(of(&"is a signal that the workflow does not have").into());
            };
            inner.run.now = entry.at;
            let stored = execution::decode(&inner.run, &event, entry.value.as_ref())?;
            let kept = entry
                .value
                .as_ref()
                .filter(|_| matches!(event, Event::Answered { .. } | Event::Yielded { .. }));
            let recalled = self
                .check_answer(inner, &event, is_kept || kept.is_some())
                .map_err(|problem| of(&problem))?;
            // The journal has it, or is of before such values were kept.
            drop(inner.run.take_kept(&event));
            if let Some(kept) = kept {
                inner
                    .run
                    .restore(&event, kept)
                    .map_err(|problem| of(&format_args!("cannot be followed: {problem}")))?;
            }
            open.hear(&event);
            inner
                .run
                .hear(event, stored.or(recalled))
                .map_err(|refused| of(&format_args!("does not follow from those before: {refused}")))?;
            let closed_before = after.garbage.len();
            let mut actions = std::mem::take(&mut inner.run.effects.actions);
            for action in actions.drain(..) {
                if is_visible(&action) {
                    open.take(action, inner.run.now);
                } else {
                    self.perform(inner, after, action);
                }
            }
            inner.run.effects.actions = actions;
            self.note_changes(inner, after, closed_before);
            if let Some(reason) = inner.run.leftovers.as_ref().and_then(|left| left.unreadable.clone()) {
                return Err(reason.into());
            }
        }
        inner.run.stored = HashMap::new();
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
        inner.run.result =
            match &stored.result {
                Some(payload) => {
                    let value = coded(|| (self.graph.output.decode)(&payload.bytes));
                    Some(value.map_err(|failure| {
                        format!("its result, stored as `{}`: {failure}", payload.type_name)
                    })?)
                }
                None => None,
            };
        inner.run.now = stored.at;
        let end = match (stored.state, &stored.error) {
            (RunState::Succeeded, _) => RunEnd::Succeeded,
            (RunState::Failed, Some(error)) => RunEnd::Failed(error.clone()),
            (RunState::Failed, None) => {
                let failure = Failure::new(Cause::Error, "the run failed");
                RunEnd::Failed(StepError::new(self.graph.name.to_owned(), 0, failure))
            }
            _ => RunEnd::Cancelled,
        };
        inner.run.answers.clear();
        self.finish(inner, after, end);
        Ok(())
    }

    /// Goes on from where the journal ends: what was under way when the last
    /// process ended did not get to its end, and what waited waits again.
    pub(crate) fn go_on(self: &Arc<Self>, inner: &mut Inner, after: &mut After, open: Open, mut done: Done) {
        let end = open.attempts_end();
        let Open { actions, since, finish, grace, .. } = open;
        inner.uncommitted.committed = Some(inner.run.machine.run_state());
        if inner.uncommitted.seq == 0 {
            // Created by a process that did not let it begin.
            self.handle(inner, after, Event::Begun, None);
            return;
        }
        // In the journal already, but its end is not.
        inner.uncommitted.actions.extend(finish);
        if let Some((answer, value)) = inner.run.answers.pop_front() {
            self.handle(inner, after, answer, value);
        }
        for action in actions.into_values() {
            match action {
                Action::Start { key, epoch, .. }
                | Action::Undo { key, epoch, .. }
                | Action::Reconcile { key, epoch, .. } => {
                    let value = done.remove(&(key, epoch));
                    let end = if value.is_some() { AttemptEnd::Ok } else { end.clone() };
                    let roll = self.core.random.roll();
                    self.handle(inner, after, Event::AttemptEnded { key, epoch, end, roll }, value);
                }
                // Whatever does not wait any more is left out.
                Action::Timer { key, .. } | Action::Acquire { key, .. } if !is_waited_for(inner, key) => {}
                Action::Timer { key, epoch, at } => {
                    let since = since.get(&(key, epoch)).copied().unwrap_or(inner.run.now);
                    self.await_time(inner, key, epoch, at, since);
                }
                Action::Acquire { .. } => self.perform(inner, after, action),
                Action::OpenMore { .. } => self.perform(inner, after, action),
                _ => {}
            }
        }
        self.open_more(inner, after);
        if grace {
            // Whatever could be stopped is gone with its process.
            self.handle(inner, after, Event::GraceOver, None);
        }
        // An engine that could not go on with it may have said so.
        let state = inner.run.machine.run_state();
        inner.uncommitted.restate = inner.uncommitted.told != Some(state) && !state.is_ended();
        self.call_workers(inner, after);
        // One that only waits falls asleep, unless a caller gets a handle of it.
        inner.uncommitted.wants_sleep = self.may_sleep(inner);
    }

    /// Expressions are evaluated again for what they put in place, and answer as
    /// they did the first time. What cannot have been heard is left behind. Gives
    /// the value that an answer brings.
    fn check_answer(
        self: &Arc<Self>,
        inner: &mut Inner,
        event: &Event,
        is_kept: bool,
    ) -> Result<Option<Value>, String> {
        match event {
            Event::Answered { .. }
            | Event::Yielded { .. }
            | Event::Recalled { .. }
            | Event::HeldRecalled { .. } => {}
            // Heard before the answers when a paused run is taken up.
            Event::Paused => return Ok(None),
            // All that was asked before had been answered by then.
            _ => {
                inner.run.answers.clear();
                return Ok(None);
            }
        }
        while let Some((now, value)) = inner.run.answers.pop_front() {
            let (key, then, now) = match (event, &now) {
                (Event::Answered { key, answer: then }, Event::Answered { key: asked, answer: now })
                    if key == asked =>
                {
                    (key, then, now)
                }
                (
                    Event::Yielded { frame, result: Ok(()) },
                    Event::Yielded { frame: asked, result: Err(failure) },
                ) if frame == asked && !is_kept => {
                    return Err(format!(
                        "cannot be followed: a value was computed, and is not any more: {failure}"
                    ));
                }
                (Event::Yielded { frame, .. }, Event::Yielded { frame: asked, .. }) if frame == asked => {
                    return Ok(None);
                }
                (Event::HeldRecalled { frame, .. }, Event::HeldRecalled { frame: asked, .. })
                    if frame == asked =>
                {
                    return Ok(None);
                }
                (Event::Recalled { key, .. }, Event::Recalled { key: asked, .. }) if key == asked => {
                    return Ok(value);
                }
                // Earlier versions kept no outcome of a workflow, and ran it anew.
                (Event::Answered { key, .. }, Event::Recalled { key: asked, .. }) if key == asked => {
                    let now = inner.run.evaluate(self, *key, 0);
                    inner.run.answers.push_front((Event::Answered { key: *key, answer: now }, None));
                    continue;
                }
                _ => continue,
            };
            if is_kept {
                return Ok(None);
            }
            let step = || inner.run.machine.path(*key).unwrap_or_default();
            return match (then, now) {
                (Ok(Answer::Items(then)), Ok(Answer::Items(now))) if then != now => Err(format!(
                    "cannot be followed: `{}` went over {then} items, and finds {now} now",
                    step()
                )),
                (Ok(_), Err(failure)) => Err(format!(
                    "cannot be followed: `{}` was evaluated, and is not any more: {failure}",
                    step()
                )),
                _ => Ok(None),
            };
        }
        Ok(None)
    }
}

/// Whether a step still waits for what it asked for.
fn is_waited_for(inner: &Inner, key: Key) -> bool {
    let state = inner.run.machine.state(key);
    matches!(state, Some(StepState::Waiting(_) | StepState::Undoing | StepState::OutcomeUnknown))
}

/// Where the run's present life begins: after the last entry that says that
/// it was taken up.
pub(crate) fn last_life(entries: &[StoredEntry]) -> usize {
    let taken_up = |entry: &StoredEntry| entry.event.starts_with(TAKEN_UP);
    entries.iter().rposition(taken_up).map_or(0, |place| place + 1)
}

/// What the life holds that begins after such an entry, and whether it undoes
/// that where it has not come to it.
fn holds(entry: &StoredEntry) -> (Holds, bool) {
    match serde_json::from_str(&entry.event) {
        Ok(StoredEvent::TakenUp { holds, undoes_held, .. }) => (holds, undoes_held),
        _ => (Holds::default(), false),
    }
}

/// How the text of such an entry begins; the tag comes first.
const TAKEN_UP: &str = "{\"event\":\"taken_up\"";
const COMPUTED: &str = "{\"event\":\"computed\"";
