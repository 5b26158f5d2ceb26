//! Runs taken up again in a new life: after a retry, with a step settled by
//! hand, under changed code, or as a fork of another run.
//!
//! What was stored is not touched. The journal goes on with an entry that says
//! so, and from there a fresh machine asks, step by step, what is left of the
//! lives before.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::after::After;
use super::core::Core;
use super::durable::Journal;
use super::host::{Identity, Inner, RunHost};
use super::journal::{self, StoredEvent, Why};
use super::leftovers::{Kept, Leftovers, payload_at};
use super::params::coded;
use super::past::{self, blueprint_of};
use super::registry::{Adopted, Known, Registry};
use super::replay::Unread;
use crate::blueprint::{Comparison, Difference, Verdict, compare};
use crate::definition::Graph;
use crate::error::Result;
use crate::history::History;
use crate::lookup::find_signal;
use crate::operation::By;
use crate::run::{Event, Machine};
use crate::store::{Entry, Payload, Store, StoreError, StoredEntry, StoredRun};
use crate::value::Value;

/// A new life of a run, about to begin.
pub(super) struct TakeUp {
    why: Why,
    by: Option<By>,
    /// The paths of steps of which nothing is left.
    dropped: Vec<String>,
    /// What is left by somebody's word, or of another run.
    pub(super) kept: Vec<Kept>,
    leftovers: Leftovers,
    /// Signals that came and nobody took.
    signals: Vec<(String, Payload)>,
    paused: bool,
    /// The hash of the blueprint that was followed until now.
    before: u64,
    known: Arc<Known>,
    /// How many entries the journal has.
    next: u64,
}

impl TakeUp {
    /// Of a run whose workflow has changed, where that does not touch what the
    /// run has done. The error says what does.
    pub(super) fn changed(
        known: &Arc<Known>,
        store: &dyn Store,
        stored: &StoredRun,
        entries: &[StoredEntry],
    ) -> std::result::Result<Self, Unread> {
        let past = past::read(known, store, stored, entries)?;
        if past.is_ending() {
            let state = past.state;
            return Err(format!(
                "its workflow has changed while it was {state}; let the program that started it end it, or \
                 `cancel` it"
            )
            .into());
        }
        let anew = judge(known, store, stored, &past)?;
        if let Some(path) = past.failed_child() {
            return Err(format!(
                "its workflow has changed, and the failure of `{path}`, a workflow of its own, cannot be kept: \
                 it would run again; {CHOICE}"
            )
            .into());
        }
        let leftovers = past.leftovers(entries);
        leftovers.check(known.graph).map_err(|reason| format!("{reason}; {CHOICE}"))?;
        Ok(Self::of(known, stored, entries, past, leftovers, anew, Why::Changed, None))
    }

    /// Of a run that has ended without success, or is blocked, for an
    /// operator. Only an adoption overlooks what has changed.
    pub(super) fn again(
        known: &Arc<Known>,
        store: &dyn Store,
        stored: &StoredRun,
        entries: &[StoredEntry],
        why: Why,
        by: By,
    ) -> std::result::Result<Self, Unread> {
        let past = past::read(known, store, stored, entries)?;
        let anew = match why {
            Why::Adopted => Vec::new(),
            _ => judge(known, store, stored, &past)
                .map_err(|unread| unread.map(|reason| format!("cannot go on: {reason}")))?,
        };
        let leftovers = past.leftovers(entries);
        leftovers
            .check(known.graph)
            .map_err(|reason| format!("cannot go on: {reason}; `fork` it from there, or `rerun` it"))?;
        Ok(Self::of(known, stored, entries, past, leftovers, anew, why, Some(by)))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one thing, put together in one place")]
    fn of(
        known: &Arc<Known>,
        stored: &StoredRun,
        entries: &[StoredEntry],
        past: History,
        mut leftovers: Leftovers,
        dropped: Vec<String>,
        why: Why,
        by: Option<By>,
    ) -> Self {
        leftovers.drop(&dropped);
        let signals = past.left.signals.iter();
        let signals = signals.filter_map(|(name, seq)| Some((name.clone(), payload_at(entries, *seq)?)));
        Self {
            why,
            by,
            dropped,
            kept: Vec::new(),
            leftovers,
            signals: signals.collect(),
            paused: past.paused && stored.end.is_none(),
            before: stored.fingerprint,
            known: known.clone(),
            next: entries.len() as u64,
        }
    }

    /// Of a new run that keeps what another one has done, but for one step,
    /// and for what has changed since.
    pub(super) fn fork(
        known: &Arc<Known>,
        store: &dyn Store,
        stored: &StoredRun,
        entries: &[StoredEntry],
        from: &str,
        by: By,
    ) -> std::result::Result<Self, Unread> {
        let past = past::read(known, store, stored, entries)?;
        let comparison = compared(known, store, stored)?;
        let changed: HashSet<&str> = match &comparison {
            Some(comparison) => {
                let changed = comparison
                    .steps
                    .iter()
                    .filter(|step| !matches!(step.difference, Difference::Unchanged | Difference::Policy(_)));
                changed.map(|step| &*step.path).collect()
            }
            None => HashSet::new(),
        };
        let is_kept = |path: &str| {
            let fixed = past.left.steps.get(path).map_or("", |left| &*left.static_path);
            !is_within(path, from) && !changed.contains(fixed)
        };
        let leftovers = past.leftovers(entries);
        leftovers.check(known.graph).map_err(|reason| format!("cannot be forked: {reason}"))?;
        Ok(Self {
            why: Why::Forked,
            by: Some(by),
            dropped: Vec::new(),
            kept: leftovers.take(is_kept),
            leftovers: Leftovers::default(),
            signals: Vec::new(),
            paused: false,
            before: known.hash(),
            known: known.clone(),
            next: 0,
        })
    }
}

/// How a run's workflow has changed, if it has.
pub(super) fn compared(
    known: &Known,
    store: &dyn Store,
    stored: &StoredRun,
) -> std::result::Result<Option<Comparison>, Unread> {
    if known.is_followed_by(stored) {
        return Ok(None);
    }
    blueprint_of(store, stored.fingerprint).map(|old| Some(compare(&old, known.blueprint())))
}

/// Whether a run can go on under today's graph. Gives the paths of steps that
/// changed before they had a result.
fn judge(
    known: &Known,
    store: &dyn Store,
    stored: &StoredRun,
    past: &History,
) -> std::result::Result<Vec<String>, Unread> {
    let Some(comparison) = compared(known, store, stored)? else { return Ok(Vec::new()) };
    let verdict = Verdict::of(&comparison, |path| past.progress(path));
    if !verdict.goes_on() {
        return Err(verdict.to_string().into());
    }
    let anew: HashSet<&str> = verdict.anew.iter().map(String::as_str).collect();
    let changed = past.left.steps.iter().filter(|(_, left)| anew.contains(&*left.static_path));
    Ok(changed.map(|(path, _)| path.clone()).collect())
}

/// What an operator can do with a run that does not go on by itself.
const CHOICE: &str = "`adopt` goes on with it all the same, `rerun` starts anew, `cancel` ends it";

/// Whether a step's path is this one, or lies within it.
fn is_within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '[']))
}
impl RunHost {
    /// Begins a new life: what it decides first is committed together with the
    /// word that it has begun.
    pub(super) fn begin_anew(self: &Arc<Self>, inner: &mut Inner, after: &mut After, anew: TakeUp) {
        self.take_up(inner, after, anew);
        self.call_workers(inner, after);
    }

    /// Has the engine take the run in and begin a new life of it, and waits for
    /// that commit, which answers a request.
    pub(super) async fn begun_anew(
        self: &Arc<Self>,
        registry: &Registry,
        anew: TakeUp,
        request: Option<i64>,
    ) -> Result<Adopted> {
        let (committed, hear) = oneshot::channel();
        // Whoever finds it from now on waits until it has begun.
        let adopted = self.with(|inner, after| {
            let adopted = registry.adopt(self);
            if let Adopted::New = adopted {
                registry.came(self);
                inner.uncommitted.waiters.push(committed);
                inner.uncommitted.answer = self.answer_to(request);
                self.begin_anew(inner, after, anew);
            }
            adopted
        });
        if let Adopted::New = adopted {
            hear.await.unwrap_or(Err(StoreError::Closed))?;
        }
        Ok(adopted)
    }

    /// A run of the store, about to begin a new life.
    pub(super) fn stored(
        core: &Arc<Core>,
        graph: &'static Graph,
        store: &Arc<dyn Store>,
        stored: &StoredRun,
        params: Vec<Value>,
    ) -> Arc<Self> {
        let journal = Some(Journal::of(store.clone(), stored.run));
        let (id, key, started_at) = (stored.id.clone(), stored.key.clone(), stored.created_at);
        let identity = Identity { id, key, started_at };
        let host = Self::of(core.clone(), graph, identity, params, journal);
        host.lock().log.holds = true;
        host
    }

    /// The same, for whoever holds the lock.
    pub(super) fn take_up(self: &Arc<Self>, inner: &mut Inner, after: &mut After, anew: TakeUp) {
        let TakeUp { why, by, dropped, kept, mut leftovers, signals, paused, before, known, next } = anew;
        inner.now = self.core.clock.now();
        let at = inner.now;
        let uncommitted = &mut inner.uncommitted;
        uncommitted.seq = next;
        for (path, recalled, value) in kept {
            let from = Some(uncommitted.seq + uncommitted.entries.len() as u64);
            let event = journal::text(&StoredEvent::Kept { path: path.clone(), recalled: recalled.clone() });
            uncommitted.entries.push(Entry { at, event, value: value.clone(), changes: Vec::new() });
            leftovers.keep(path, recalled, from, value, why == Why::Set);
        }
        let event = StoredEvent::TakenUp { why, before, blueprint: known.hash(), dropped, by };
        let event = journal::text(&event);
        uncommitted.entries.push(Entry { at, event, value: None, changes: Vec::new() });
        uncommitted.blueprint = (before != known.hash()).then(|| (known.hash(), known.text()));
        (uncommitted.restate, uncommitted.unsure) = (true, true);
        inner.leftovers = Some(Box::new(leftovers));
        inner.machine = Machine::resuming(self.graph);
        self.hear_first(inner, after, paused);
        for (name, payload) in signals {
            // One that nobody can wait for any more is left behind.
            let Some((name, codec)) = find_signal(self.graph, &name) else { continue };
            match coded(|| (codec.decode)(&payload.bytes)) {
                Ok(value) => self.handle(inner, after, Event::Signalled { name }, Some(value)),
                Err(failure) => {
                    tracing::warn!(parent: &self.span, signal = name, %failure, "a signal cannot be read any more");
                }
            }
        }
    }
}
