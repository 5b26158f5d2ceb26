//! Runs taken up again in a new life: after a retry, with a step settled by
//! hand, under changed code, or as a fork of another run.
//!
//! What was stored is not touched. The journal goes on with an entry that says
//! so, and from there a fresh machine asks, step by step, what is left of the
//! lives before.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::blueprint::{
    Adoption, Again, Blueprint, Comparison, Obstacle, Progress, Verdict, after, compare, renumbered,
};
use crate::engine::commit::Suspension;
use crate::engine::commit::{Journal, journal_computed};
use crate::engine::instance::{After, Identity, Inner, RunHost};
use crate::engine::recover::prior_lives;
use crate::engine::recover::prior_lives::{blueprint_of, payload_at};
use crate::engine::recover::replay::Unread;
use crate::engine::registry::{Adopted, Known, Registry};
use crate::engine::shared::Core;
use crate::error::Result;
use crate::execution::coded::coded;
use crate::execution::coded::decode_params;
use crate::execution::{self, Kept, Leftovers};
use crate::history::{History, KeptSignal, Left};
use crate::journal::{Holds, StoredEvent, StoredRecalled, Why};
use crate::lookup::{find_signal, find_step, static_path};
use crate::operation::By;
use crate::run::{Event, SignalId};
use crate::store::{Entry, Store, StoreError, StoredEntry, StoredRun};
use crate::task::definition::{Graph, OnFailure};
use crate::value::Payload;
use crate::value::Value;

/// A new life of a run, about to begin.
pub(crate) struct TakeUp {
    why: Why,
    by: Option<By>,
    /// The paths of steps of which nothing is left.
    dropped: Vec<String>,
    /// What of the rest is kept whatever comes before it.
    holds: Holds,
    /// What an operator's order leaves, or what is left of another run.
    pub(crate) kept: Vec<Kept>,
    /// What another run has listed, whose results are known by their numbers.
    lists: Vec<(String, Payload)>,
    /// What it has computed once.
    computed: Vec<(String, Payload)>,
    leftovers: Leftovers,
    /// Signals that came and no step took.
    signals: Vec<(KeptSignal, Payload)>,
    pub(super) paused: bool,
    /// Whether a `for` opens all its items at once, for a caller that only looks.
    pub(super) opens_all: bool,
    /// The hash of the blueprint that was followed until now.
    before: u64,
    known: Arc<Known>,
    /// How many entries the journal has.
    next: u64,
}

impl TakeUp {
    /// Of a run whose workflow has changed, where that does not touch what the
    /// run has done. The error says what does.
    pub(crate) fn changed(
        known: &Arc<Known>,
        store: &dyn Store,
        stored: &StoredRun,
        entries: &[StoredEntry],
    ) -> std::result::Result<Self, Unread> {
        let past = prior_lives::read(known, store, stored, entries)?;
        if past.is_ending() {
            let state = past.state;
            return Err(format!("its workflow has changed while it was {state}").into());
        }
        let anew = judge(known, store, stored, &past)?;
        let wanted = (Why::Changed, None);
        Self::of(known, stored, entries, past, (anew, Holds::Once), wanted).map_err(Unread::from)
    }

    /// Of a run that has ended without success, for an operator.
    pub(crate) fn again(
        known: &Arc<Known>,
        store: &dyn Store,
        stored: &StoredRun,
        entries: &[StoredEntry],
        why: Why,
        by: By,
    ) -> std::result::Result<Self, Unread> {
        let past = prior_lives::read(known, store, stored, entries)?;
        let anew = judge(known, store, stored, &past)
            .map_err(|unread| unread.map(|reason| format!("cannot go on: {reason}; {ENDED}")))?;
        Self::of(known, stored, entries, past, (anew, Holds::Once), (why, Some(by)))
            .map_err(|reason| format!("cannot go on: {reason}; {ENDED}").into())
    }

    /// Of a blocked run, for an operator, whatever of its workflow has changed.
    pub(crate) fn adopted(
        known: &Arc<Known>,
        store: &dyn Store,
        stored: &StoredRun,
        entries: &[StoredEntry],
        wanted: &AdoptWanted<'_>,
        by: By,
    ) -> std::result::Result<Self, Unread> {
        let (past, dropped, adoption) = adoption(known, store, stored, entries, wanted)?;
        if !adoption.refusals.is_empty() {
            let reasons: Vec<&str> = adoption.refusals.iter().map(|refusal| &*refusal.reason).collect();
            return Err(format!("cannot be adopted: {}", reasons.join("; ")).into());
        }
        Self::of(known, stored, entries, past, (dropped, Holds::Everything), (Why::Adopted, Some(by)))
            .map_err(|reason| format!("cannot be adopted: {reason}").into())
    }

    fn of(
        known: &Arc<Known>,
        stored: &StoredRun,
        entries: &[StoredEntry],
        mut past: History,
        (dropped, holds): (Vec<String>, Holds),
        (why, by): (Why, Option<By>),
    ) -> std::result::Result<Self, String> {
        past.left.take_up(known.graph, &dropped, holds);
        let mut leftovers = past.leftovers(entries);
        leftovers.check(known.graph)?;
        leftovers.kept.begin(why, &dropped);
        let signals = past.left.signals.iter();
        let signals = signals.filter_map(|kept| Some((kept.clone(), payload_at(entries, kept.seq)?)));
        Ok(Self {
            why,
            by,
            dropped,
            holds,
            kept: Vec::new(),
            leftovers,
            lists: Vec::new(),
            computed: Vec::new(),
            signals: signals.collect(),
            paused: past.paused && stored.end.is_none(),
            opens_all: false,
            before: stored.fingerprint,
            known: known.clone(),
            next: entries.len() as u64,
        })
    }

    /// Has a step settled by hand in it.
    pub(crate) fn set(&mut self, step: &str, value: Option<Payload>) {
        self.dropped.retain(|path| path != step);
        self.leftovers.reopen(step);
        let path = step.to_owned();
        self.kept.push(Kept { path, recalled: StoredRecalled::Value, value, held: true });
    }

    /// Of a new run that keeps what another one has done, but for one step,
    /// and for what has changed since.
    pub(crate) fn fork(
        known: &Arc<Known>,
        store: &dyn Store,
        stored: &StoredRun,
        entries: &[StoredEntry],
        from: &str,
        by: By,
    ) -> std::result::Result<Self, Unread> {
        let past = prior_lives::read(known, store, stored, entries)?;
        let changes = match compared(known, store, stored)? {
            Some(comparison) => {
                let old = blueprint_of(store, stored.fingerprint)?;
                let new = known.blueprint();
                Some((
                    comparison,
                    renumbered(&old, new, |path| past.progress(path)),
                    after(new, &static_path(known.graph, from)),
                ))
            }
            None => None,
        };
        // What such a step lies in, too: the outcome of a workflow is that of
        // its steps.
        let changed: HashSet<&str> =
            changes.iter().flat_map(|(comparison, ..)| comparison.changed()).flat_map(outwards).collect();
        let is_kept = |path: &str| {
            // Also not the outcome of a workflow that it is a step of.
            if is_within(path, from) || is_within(from, path) {
                return None;
            }
            let fixed = past.left.steps.get(path).map_or("", |left| &*left.static_path);
            let Some((_, renumbered, after)) = changes.as_ref().filter(|_| changed.contains(fixed)) else {
                return Some(false);
            };
            // It is kept whatever has changed before it, where that is not what
            // was asked for.
            let has_its_number = !renumbered.iter().any(|region| is_within(fixed, region));
            (has_its_number && !after.contains(fixed)).then_some(true)
        };
        let mut leftovers = past.leftovers(entries);
        leftovers.check(known.graph).map_err(|reason| format!("cannot be forked: {reason}"))?;
        let [lists, computed] = std::mem::take(&mut leftovers.kept).into_shared();
        Ok(Self {
            why: Why::Forked,
            by: Some(by),
            dropped: Vec::new(),
            holds: Holds::Set,
            kept: leftovers.take(is_kept),
            lists,
            computed,
            leftovers: Leftovers::default(),
            signals: Vec::new(),
            paused: false,
            opens_all: false,
            before: known.hash(),
            known: known.clone(),
            next: 0,
        })
    }
}

/// How a run's workflow has changed, if it has.
pub(crate) fn compared(
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
        return Err(verdict.reasons().into());
    }
    let anew: HashSet<&str> = verdict.anew.iter().map(String::as_str).collect();
    let changed = past.left.steps.iter().filter(|(_, left)| anew.contains(&*left.static_path));
    Ok(changed.map(|(path, _)| path.clone()).collect())
}

/// What an operator wants to run again when a run is adopted.
#[derive(Clone, Copy, Default)]
pub(crate) struct AdoptWanted<'a> {
    /// The paths of steps, or of what they lie in; with or without the numbers
    /// of items and turns.
    pub(crate) again: &'a [String],
    /// Also what is not done twice otherwise.
    pub(crate) even_if_done: bool,
}

/// What would become of the steps of a run that an operator adopts. Gives the
/// story of the run, and the paths of which nothing is to be left.
pub(crate) fn adoption(
    known: &Known,
    store: &dyn Store,
    stored: &StoredRun,
    entries: &[StoredEntry],
    wanted: &AdoptWanted<'_>,
) -> std::result::Result<(History, Vec<String>, Adoption), Unread> {
    let past = prior_lives::read(known, store, stored, entries)?;
    let new = known.blueprint();
    let old = match known.is_followed_by(stored) {
        true => Blueprint::of(known.graph),
        false => blueprint_of(store, stored.fingerprint)?,
    };
    let is_named = |path: &str, fixed: &str| {
        wanted.again.iter().any(|named| is_within(path, named) || is_within(fixed, named))
    };
    // What is left of the steps that are named, by their static paths.
    let mut named: HashMap<&str, bool> = HashMap::new();
    let mut rest = past.left.clone();
    let mut dropped = Vec::new();
    for (path, left) in &past.left.steps {
        let is_left = left.recalled != StoredRecalled::Nothing;
        if is_left && is_named(path, &left.static_path) {
            *named.entry(&left.static_path).or_default() |= left.is_done();
            // One that names all of it says it shorter.
            let by = wanted.again.iter().find(|named| is_within(path, named)).unwrap_or(path);
            if dropped.last() != Some(by) {
                dropped.push(by.clone());
            }
        }
    }
    rest.take_up(known.graph, &dropped, Holds::Everything);
    let progress = |path: &str| Progress { kept: rest.is_kept(path), ..past.progress(path) };
    let again = |path: &str| Again {
        named: named.contains_key(path) || wanted.again.iter().any(|named| named == path),
        done: named.get(path).copied().unwrap_or_default(),
    };
    let mut adoption = Adoption::of(&old, new, progress, again, wanted.even_if_done);
    for wanted in wanted.again {
        let fixed = static_path(known.graph, wanted);
        let reason =
            if named.keys().any(|path| is_within(path, &fixed)) || adoption.successors.contains(wanted) {
                continue;
            } else if find_step(known.graph, wanted).is_some() {
                format!("nothing is left of `{wanted}`, so it runs by itself; leave out `--again {wanted}`")
            } else {
                format!("there is no step `{wanted}` to run again; `show` lists the steps")
            };
        adoption.refusals.push(Obstacle { path: Some(wanted.clone()), reason });
    }
    adoption.refusals.extend(unfit(&rest, known.graph, entries));
    if let Err(reason) = decode_params(known.graph, &stored.params) {
        adoption.refusals.push(Obstacle { path: None, reason });
    }
    Ok((past, dropped, adoption))
}

/// Results that their steps cannot have any more. Of the items of a `for` one
/// stands for all.
fn unfit(left: &Left, graph: &'static Graph, entries: &[StoredEntry]) -> Vec<Obstacle> {
    let mut obstacles: BTreeMap<&str, String> = BTreeMap::new();
    for (path, left) in &left.steps {
        let Some(step) = find_step(graph, path) else { continue };
        let reason = match &left.recalled {
            StoredRecalled::Value => {
                let value = left.from.and_then(|seq| payload_at(entries, seq));
                execution::check(path, step, value.as_ref()).err()
            }
            StoredRecalled::Failed { .. } if matches!(step.on_failure, OnFailure::FailRun) => {
                Some(format!("step `{path}` has failed, which was a value and fails the run now"))
            }
            _ => None,
        };
        if let Some(reason) = reason {
            obstacles.entry(&left.static_path).or_insert(reason);
        }
    }
    let obstacles = obstacles.into_iter().map(|(path, reason)| Obstacle {
        path: Some(path.to_owned()),
        reason: format!("{reason}; `--again {path}` runs it again"),
    });
    obstacles.collect()
}

/// What an operator can do with a run that has ended and cannot be taken up
/// again.
const ENDED: &str = "`fork` keeps what comes before a step, `rerun` starts anew";

/// A path, and those of the steps around it.
fn outwards(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices(['/', '[']).map(|(end, _)| &path[..end]).chain([path])
}

/// Whether a step's path is this one, or lies within it.
fn is_within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '[']))
}
impl RunHost {
    /// Begins a new life: what it decides first is committed together with the
    /// word that it has begun.
    pub(crate) fn begin_anew(self: &Arc<Self>, inner: &mut Inner, after: &mut After, anew: TakeUp) {
        self.take_up(inner, after, anew);
        self.call_workers(inner, after);
    }

    /// Has the engine take the run in and begin a new life of it, and waits for
    /// that commit, which answers a request.
    pub(crate) async fn begun_anew(
        self: &Arc<Self>,
        registry: &Registry,
        anew: TakeUp,
        request: Option<i64>,
    ) -> Result<Adopted> {
        let (committed, hear) = oneshot::channel();
        // A caller that finds it from now on waits until it has begun.
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
    pub(crate) fn stored(
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
        host.lock().run.log.holds = true;
        host
    }

    /// The same, for a caller that holds the lock.
    pub(crate) fn take_up(self: &Arc<Self>, inner: &mut Inner, after: &mut After, anew: TakeUp) {
        let TakeUp {
            why,
            by,
            dropped,
            holds,
            kept,
            lists,
            computed,
            mut leftovers,
            signals,
            paused,
            opens_all,
            before,
            known,
            next,
        } = anew;
        inner.run.now = self.core.clock.now();
        let at = inner.run.now;
        let uncommitted = &mut inner.uncommitted;
        uncommitted.seq = next;
        for Kept { path, recalled, value, held } in kept {
            let from = Some(uncommitted.seq + uncommitted.entries.len() as u64);
            let kept = StoredEvent::Kept {
                path: path.clone(),
                recalled: recalled.clone(),
                // Of a step that is set it goes without saying.
                held: held && why != Why::Set,
            };
            let event = crate::journal::text(&kept);
            uncommitted.entries.push(Entry { at, event, value: value.clone(), changes: Vec::new() });
            leftovers.keep(path, recalled, from, value, held);
        }
        for (path, list) in lists {
            let event = crate::journal::text(&StoredEvent::Listed { path: path.clone() });
            uncommitted.entries.push(Entry { at, event, value: Some(list.clone()), changes: Vec::new() });
            leftovers.kept.keep_list(path, list);
        }
        for (path, value) in computed {
            uncommitted.entries.push(journal_computed(at, path.clone(), value.clone()));
            leftovers.kept.keep_computed(path, value);
        }
        // Of another run's life nothing is undone that this one has not come to.
        let undoes_held = holds != Holds::Set;
        let blueprint = known.hash();
        let event = StoredEvent::TakenUp { why, before, blueprint, dropped, holds, undoes_held, by };
        let event = crate::journal::text(&event);
        uncommitted.entries.push(Entry { at, event, value: None, changes: Vec::new() });
        uncommitted.blueprint = (before != known.hash()).then(|| (known.hash(), known.text()));
        (uncommitted.restate, uncommitted.suspension) = (true, Suspension::Unknown);
        inner.run.leftovers = Some(Box::new(leftovers));
        let machine = holds.machine(self.graph, undoes_held);
        inner.run.machine = if opens_all { machine.opening_all() } else { machine };
        self.hear_first(inner, after, paused);
        for (KeptSignal { name, key, .. }, payload) in signals {
            // One that no step can wait for any more is left behind.
            let Some(known) = find_signal(self.graph, &name) else { continue };
            let signal = SignalId { name: known.name, key };
            match coded(|| (known.codec.decode)(&payload.bytes)) {
                Ok(value) => self.handle(inner, after, Event::Signalled { signal, step: None }, Some(value)),
                Err(failure) => {
                    tracing::warn!(parent: &self.span, %signal, %failure, "a signal cannot be read any more");
                }
            }
        }
    }
}
