//! The runs of backfills that wait for their turn. They are created all at
//! once and begun so many at a time, the oldest first: beside the runs that
//! their schedule starts, and counted apart from them. That a run is one of
//! these, and how many of them may be unfinished, is stored with it, so a
//! restart forgets neither.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::engine::recover::recover_one;
use crate::engine::registry::{Known, Registry};
use crate::engine::shared::Core;
use crate::run::RunState;
use crate::schedule;
use crate::store::{Parent, RunFilter, Store, StoreError, StoredRun};

/// What has made a run, where a backfill has.
const HOW: &str = "backfill";

/// How many runs are read at a time.
const PAGE: usize = 1_000;

/// What is stored of a run's backfill: how many of its runs may be unfinished
/// at a time.
pub(crate) fn parent(at_a_time: usize) -> Parent {
    Parent { id: at_a_time.to_string(), how: HOW.into() }
}

/// How many runs of its backfill may be unfinished at a time; `None` for a run
/// that none has made.
pub(crate) fn at_a_time(run: &StoredRun) -> Option<usize> {
    let parent = run.parent.as_ref().filter(|parent| parent.how == HOW)?;
    Some(parent.id.parse().unwrap_or(1))
}

/// Those of an engine, by workflow.
#[derive(Default)]
pub(crate) struct Backfills(Mutex<HashMap<String, Line>>);

#[derive(Default)]
struct Line {
    at_a_time: usize,
    /// Ids, the oldest first.
    waiting: VecDeque<String>,
    under_way: HashSet<String>,
}

impl Backfills {
    /// A run waits.
    pub(crate) fn wait(&self, workflow: &str, id: String, at_a_time: usize) {
        let mut lines = self.lock();
        let line = lines.entry(workflow.to_owned()).or_default();
        line.at_a_time = at_a_time.max(1);
        line.waiting.push_back(id);
    }

    /// A run is under way already.
    pub(crate) fn began(&self, workflow: &str, id: &str) {
        self.lock().entry(workflow.to_owned()).or_default().under_way.insert(id.to_owned());
    }

    /// A run has ended. Says whether it was one of these.
    pub(crate) fn ended(&self, workflow: &str, id: &str) -> bool {
        let mut lines = self.lock();
        let Some(line) = lines.get_mut(workflow) else { return false };
        let waiting = line.waiting.iter().position(|waiting| waiting == id);
        let waited = waiting.and_then(|place| line.waiting.remove(place)).is_some();
        let was_one = line.under_way.remove(id) || waited;
        if line.under_way.is_empty() && line.waiting.is_empty() {
            lines.remove(workflow);
        }
        was_one
    }

    pub(crate) fn is_waiting(&self, workflow: &str, id: &str) -> bool {
        self.lock().get(workflow).is_some_and(|line| line.waiting.iter().any(|waiting| waiting == id))
    }

    pub(crate) fn is_under_way(&self, workflow: &str, id: &str) -> bool {
        self.lock().get(workflow).is_some_and(|line| line.under_way.contains(id))
    }

    /// Whether a run waits that the engine could begin.
    #[cfg(feature = "app")]
    pub(crate) fn any_wait(&self, registry: &Registry) -> bool {
        let lines = self.lock();
        lines.iter().any(|(workflow, line)| !line.waiting.is_empty() && registry.known(workflow).is_some())
    }

    /// The next run whose turn it is.
    fn next(&self, registry: &Registry) -> Option<(Arc<Known>, String)> {
        self.lock().iter_mut().find_map(|(workflow, line)| {
            if line.under_way.len() >= line.at_a_time {
                return None;
            }
            let known = registry.known(workflow)?;
            let id = line.waiting.pop_front()?;
            line.under_way.insert(id.clone());
            Some((known, id))
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads which runs of backfills a store has that have not ended.
pub(crate) fn load(core: &Core, store: &dyn Store) -> Result<(), StoreError> {
    let states = RunState::ALL.into_iter().filter(|state| !state.is_ended()).collect();
    let key_prefix = Some(schedule::PREFIX.to_owned());
    let mut filter = RunFilter { key_prefix, states, at_most: PAGE, ..RunFilter::default() };
    let mut found = Vec::new();
    loop {
        let page = store.list(&filter)?;
        let Some(last) = page.last() else { break };
        filter.before = Some(last.run);
        found.extend(page.into_iter().filter_map(|run| Some((at_a_time(&run)?, run))));
    }
    // The newest come first.
    for (at_a_time, run) in found.into_iter().rev() {
        match run.state {
            RunState::Queued => core.backfills.wait(&run.workflow, run.id, at_a_time),
            _ => core.backfills.began(&run.workflow, &run.id),
        }
    }
    Ok(())
}

/// Begins those whose turn it is. Reads the store.
pub(crate) fn advance(core: &Arc<Core>, registry: &Arc<Registry>) {
    let Some(store) = core.store.clone() else { return };
    while !registry.is_closed()
        && let Some((known, id)) = core.backfills.next(registry)
    {
        recover_one(core, registry, &store, &known, &id, Duration::ZERO);
        // As where it was cancelled while it waited.
        let is_over = |found: Vec<StoredRun>| found.iter().all(|run| run.id != id || run.end.is_some());
        if registry.find(&id).is_none() && store.find(&id).is_ok_and(is_over) {
            core.backfills.ended(known.graph.name, &id);
        }
    }
}

/// The same, away from the runtime's threads.
pub(crate) fn advance_soon(core: &Arc<Core>, registry: &Arc<Registry>) {
    let (there, registry) = (core.clone(), registry.clone());
    drop(core.pools.run_ours(move || advance(&there, &registry)));
}
