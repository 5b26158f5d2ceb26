//! The runs of an engine: those that have not ended, and those with a key.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use foldhash::fast::RandomState;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use crate::blueprint::Blueprint;
use crate::engine::commit::{encode_params, same_arguments};
use crate::engine::instance::{AnyRun, RunHost};
use crate::engine::key;
use crate::engine::schedules::advance_backfills_soon;
use crate::engine::shared::Core;
use crate::error::{Error, Result};
use crate::run::Timestamp;
use crate::schedule::is_scheduled;
use crate::store::{StoreError, StoredRun};
use crate::task::definition::Graph;
use crate::value::Value;

/// The runs of an engine.
#[derive(Default)]
pub(crate) struct Registry {
    table: Mutex<Table>,
    /// The runs that a thread is reading back.
    reading: Mutex<HashSet<String>>,
    read: Condvar,
    /// Tells the schedules that a run of theirs has ended, or the engine.
    pub(crate) scheduled: Arc<Notify>,
    /// Where the application hears of the runs that come and go.
    heard_by: Option<UnboundedSender<Passing>>,
    /// Why the store is not this engine's any more.
    lost: OnceLock<StoreError>,
}

/// What happens to the runs of an engine, for the process that looks after it.
#[cfg_attr(not(feature = "app"), expect(dead_code, reason = "only a command line asks"))]
pub(crate) enum Passing {
    /// A run is here and goes on: a new one, one of an earlier process, or one
    /// that has slept.
    Came { id: String, workflow: &'static str },
    /// One has ended, or the engine has before it.
    Ended(AnyRun),
    /// One cannot go on.
    Stuck { id: String, workflow: String, why: Error },
    /// The store cannot be written or read just now, and runs wait.
    Trouble { error: StoreError },
    /// It can be again, and they go on.
    Well,
}

/// While it lives, no other thread reads this run back.
pub(crate) struct Alone<'a> {
    registry: &'a Registry,
    id: String,
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.registry.reading().remove(&self.id);
        self.registry.read.notify_all();
    }
}

#[derive(Default)]
struct Table {
    /// By address: every run that has not ended is kept, so that a wait for a
    /// signal outlives the handles of its run.
    live: HashMap<usize, Arc<RunHost>, RandomState>,
    /// The runs of a store among them, by id; and those that have stopped
    /// because their store failed.
    stored: HashMap<String, Arc<RunHost>>,
    /// The workflows whose unfinished runs have gone on, by name.
    workflows: HashMap<&'static str, Arc<Known>>,
    /// A key names one run for ever, ended runs included.
    keyed: HashMap<String, Keyed>,
    closed: bool,
}

struct Keyed {
    host: Arc<RunHost>,
    /// The arguments it was started with, encoded: the only form in which
    /// values of any type can be compared.
    arguments: Vec<u8>,
}

/// A workflow that the engine knows, and how its graph is stored.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) graph: &'static Graph,
    /// Made when a store first asks for it.
    stored: OnceLock<Stored>,
}

#[derive(Debug)]
struct Stored {
    blueprint: Blueprint,
    hash: u64,
    text: Arc<str>,
}

impl Known {
    fn of(graph: &'static Graph) -> Self {
        Self { graph, stored: OnceLock::new() }
    }

    fn stored(&self) -> &Stored {
        self.stored.get_or_init(|| {
            let blueprint = Blueprint::of(self.graph);
            Stored { hash: blueprint.hash(), text: blueprint.to_json().into(), blueprint }
        })
    }

    pub(crate) fn blueprint(&self) -> &Blueprint {
        &self.stored().blueprint
    }

    /// The blueprint's hash.
    pub(crate) fn hash(&self) -> u64 {
        self.stored().hash
    }

    /// The blueprint as it is stored.
    pub(crate) fn text(&self) -> Arc<str> {
        self.stored().text.clone()
    }

    /// Whether a run follows this graph as it is. Runs of the first schema
    /// have no blueprint, only the fingerprint of the graph.
    pub(crate) fn is_followed_by(&self, run: &StoredRun) -> bool {
        run.fingerprint == self.hash() || run.fingerprint == self.graph.fingerprint
    }
}

/// What became of a run of a store.
pub(crate) enum Adopted {
    /// It was taken in.
    New,
    /// It is here already.
    Known(Arc<RunHost>),
    /// The engine has shut down.
    Closed,
}

impl Registry {
    /// One that tells `heard_by`, if given, of its runs.
    pub(crate) fn heard_by(heard_by: Option<UnboundedSender<Passing>>) -> Self {
        Self { heard_by, ..Self::default() }
    }

    pub(crate) fn tell(&self, passing: impl FnOnce() -> Passing) {
        if let Some(listener) = &self.heard_by {
            // Who has gone away need not hear it.
            let _ = listener.send(passing());
        }
    }

    /// Begins a run in memory, or finds the one that has the key.
    pub(crate) fn start(
        self: &Arc<Self>,
        core: Arc<Core>,
        graph: &'static Graph,
        key: Option<String>,
        params: Vec<Value>,
    ) -> Result<Arc<RunHost>> {
        key.as_deref().map_or(Ok(()), key::fits)?;
        let arguments = match key {
            Some(_) => encode_params(graph, &params, core.largest_value)?.0,
            None => Vec::new(),
        };
        let host = RunHost::new(core, graph, key.clone(), params);
        // A caller that finds it from now on waits until it has begun.
        host.with(|inner, after| {
            let mut table = self.lock();
            if let Some(holder) = key.as_ref().and_then(|key| table.keyed.get(key)) {
                return holder.check(graph, &arguments).map(|()| holder.host.clone());
            }
            if table.closed {
                return Err(Error::ShutDown);
            }
            table.live.insert(address(&host), host.clone());
            if let Some(key) = key {
                table.keyed.insert(key, Keyed { host: host.clone(), arguments });
            }
            drop(table);
            host.begin(inner, after);
            Ok(host.clone())
        })
    }

    /// Waits until no other thread reads a run back. What is read while this is
    /// held is still so when the run is taken in. Blocks, so not on a thread of
    /// the runtime's.
    pub(crate) fn read_alone(&self, id: &str) -> Alone<'_> {
        let mut reading = self.reading();
        while reading.contains(id) {
            reading = self.read.wait(reading).unwrap_or_else(PoisonError::into_inner);
        }
        reading.insert(id.to_owned());
        Alone { registry: self, id: id.to_owned() }
    }

    /// Takes in a run of a store, unless it is here already. The caller that does goes
    /// on with it, and no other.
    pub(crate) fn adopt(&self, host: &Arc<RunHost>) -> Adopted {
        let mut table = self.lock();
        // One that has ended may still be here for a moment; this is its next
        // life.
        if let Some(known) = table.stored.get(&host.id).filter(|known| !known.has_ended()) {
            return Adopted::Known(known.clone());
        }
        if table.closed {
            return Adopted::Closed;
        }
        table.live.insert(address(host), host.clone());
        let before = table.stored.insert(host.id.clone(), host.clone());
        drop(table);
        // It had stopped: a handle of it is a handle of this one from now on.
        if let Some(before) = before.filter(|before| before.is_replaceable()) {
            before.succeeded_by(host);
        }
        Adopted::New
    }

    /// A run is here to stay: its store has it.
    pub(crate) fn came(&self, host: &RunHost) {
        self.tell(|| Passing::Came { id: host.id.clone(), workflow: host.graph.name });
    }

    /// Lets go of a run that had stopped and is being read back.
    pub(crate) fn take_stopped(&self, id: &str) -> Option<Arc<RunHost>> {
        let mut table = self.lock();
        table.stored.get(id).filter(|host| host.is_replaceable())?;
        table.stored.remove(id)
    }

    /// The runs that have stopped because their store failed.
    pub(crate) fn stopped(&self) -> Vec<Arc<RunHost>> {
        let runs: Vec<_> = self.lock().stored.values().cloned().collect();
        runs.into_iter().filter(|host| host.is_stopped()).collect()
    }

    /// Lets go of a run that its store has not created.
    pub(crate) fn disown(&self, host: &Arc<RunHost>) {
        let mut table = self.lock();
        table.live.remove(&address(host));
        table.stored.remove(&host.id);
    }

    /// A run that is here and has not ended, by its id.
    pub(crate) fn find(&self, id: &str) -> Option<Arc<RunHost>> {
        let table = self.lock();
        // An engine has a store for all of its runs or for none, so this looks
        // at one of many that have one.
        let in_memory = || {
            let mut live = table.live.values().take_while(|host| host.journal.is_none());
            live.find(|host| host.id == id)
        };
        let found = table.stored.get(id).or_else(in_memory).cloned();
        drop(table);
        found.filter(|host| !host.has_ended())
    }

    /// The run at an address, if it has not ended.
    pub(crate) fn at(&self, address: usize) -> Option<Arc<RunHost>> {
        self.lock().live.get(&address).cloned()
    }

    /// Makes a workflow known, and says whether it was not until now.
    pub(crate) fn introduce(&self, graph: &'static Graph) -> (Arc<Known>, bool) {
        let mut new = false;
        let mut table = self.lock();
        let known = table.workflows.entry(graph.name).or_insert_with(|| {
            new = true;
            Arc::new(Known::of(graph))
        });
        (known.clone(), new)
    }

    /// The workflow of a name.
    pub(crate) fn known(&self, workflow: &str) -> Option<Arc<Known>> {
        self.lock().workflows.get(workflow).cloned()
    }

    /// The names of the workflows that are known.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.lock().workflows.keys().map(|name| (*name).to_owned()).collect();
        names.sort_unstable();
        names
    }

    /// Lets go of a run that sleeps, if there is no other holder, and says until
    /// when it does.
    pub(crate) fn leave(&self, host: Arc<RunHost>) -> std::result::Result<Option<Timestamp>, Arc<RunHost>> {
        let mut table = self.lock();
        let Some(inner) = host.try_lock() else {
            drop(table);
            return Err(host);
        };
        // The two tables hold it, its timers, and the caller of this.
        let holders = 3 + inner.timers.len();
        // One whose time has come is about to go on: its timer may be on the way.
        let now = Instant::now();
        let is_due = inner.timers.iter().any(|timer| timer.instant(&host.core.clock) <= now);
        if table.closed || is_due || !host.is_asleep(&inner) || Arc::strong_count(&host) != holders {
            drop(inner);
            return Err(host);
        }
        let (until, timers) = (inner.next_cause(), inner.timers.iter().copied().collect::<Vec<_>>());
        drop(inner);
        table.live.remove(&address(&host));
        table.stored.remove(&host.id);
        drop(table);
        timers.into_iter().for_each(|timer| host.core.timers.remove(timer));
        Ok(until)
    }

    /// What went wrong, to a user of the engine: its store is closed once
    /// it has shut down.
    pub(crate) fn explain(&self, error: Error) -> Error {
        match error {
            Error::Store(StoreError::Closed) | Error::Stopped { error: StoreError::Closed, .. }
                if self.is_closed() =>
            {
                Error::ShutDown
            }
            error => error,
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Lets go of a run that has ended.
    pub(crate) fn forget(&self, host: &Arc<RunHost>) {
        // A run whose store has failed stops here, also for a caller that asks for it
        // again. The next engine goes on with it.
        let stopped = host.is_stopped();
        let mut table = self.lock();
        table.live.remove(&address(host));
        let is_it = |known: &Arc<RunHost>| Arc::ptr_eq(known, host);
        if !stopped && table.stored.get(&host.id).is_some_and(is_it) {
            table.stored.remove(&host.id);
        }
        drop(table);
        let never_began = host.journal.as_ref().is_some_and(|journal| journal.run.get().is_none());
        if never_began {
            return;
        }
        if !host.is_stopped_for_now() {
            self.tell(|| Passing::Ended(AnyRun::new(host.clone())));
        }
        if host.key.as_deref().is_some_and(is_scheduled) {
            self.scheduled.notify_one();
            if !stopped
                && host.core.backfills.ended(host.graph.name, &host.id)
                && let Some(registry) = host.registry()
            {
                advance_backfills_soon(&host.core, &registry);
            }
        }
    }

    /// Lets go of a run's key, where the run is kept for that alone.
    pub(crate) fn free_key(&self, key: &str) {
        let ended = self.by_key(key).is_some_and(|host| host.lock().end.is_some());
        if ended {
            self.lock().keyed.remove(key);
        }
    }

    /// The run in memory that has a key.
    pub(crate) fn by_key(&self, key: &str) -> Option<Arc<RunHost>> {
        self.lock().keyed.get(key).map(|keyed| keyed.host.clone())
    }

    /// Refuses new runs from now on.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.scheduled.notify_one();
    }

    /// The store was taken from the engine: nothing more is done, and every run
    /// says why. The new owner of the store goes on with them.
    pub(crate) fn lose(&self, error: &StoreError) {
        tracing::error!(%error, "the engine stops");
        self.lost.get_or_init(|| error.clone());
        self.close();
        self.live().iter().for_each(|host| host.lose(error));
    }

    /// Why the store is not this engine's any more, if it is not.
    #[cfg(feature = "app")]
    pub(crate) fn lost(&self) -> Option<StoreError> {
        self.lost.get().cloned()
    }

    pub(crate) fn live(&self) -> Vec<Arc<RunHost>> {
        self.lock().live.values().cloned().collect()
    }

    fn reading(&self) -> MutexGuard<'_, HashSet<String>> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keyed {
    fn check(&self, graph: &'static Graph, arguments: &[u8]) -> Result<()> {
        let held = self.host.graph;
        let same = (held.name, held.file, held.line) == (graph.name, graph.file, graph.line);
        key::check(self.host.key.as_deref().unwrap_or_default(), held.name, same, || {
            same_arguments(graph, &self.arguments, arguments)
        })
    }
}

fn address(host: &Arc<RunHost>) -> usize {
    Arc::as_ptr(host) as usize
}
