//! The runs of an engine: those that have not ended, and those with a key.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::core::Core;
use super::host::{RunEnd, RunHost};
use super::recovery::encode_params;
use crate::definition::Graph;
use crate::error::{Error, Result};
use crate::value::Value;

/// The runs of an engine.
#[derive(Default)]
pub(crate) struct Registry {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    /// By address: every run that has not ended is kept, so that a wait for a
    /// signal outlives the handles of its run.
    live: HashMap<usize, Arc<RunHost>>,
    /// The runs of a store among them, by id; and those that have stopped
    /// because their store failed.
    stored: HashMap<String, Arc<RunHost>>,
    /// The names of the workflows whose unfinished runs have gone on.
    workflows: HashSet<&'static str>,
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
    /// Creates a run, or finds the one that has the key. Says whether the run
    /// is new and has to begin.
    pub(crate) fn start(
        self: &Arc<Self>,
        core: &Arc<Core>,
        graph: &'static Graph,
        key: Option<String>,
        params: Vec<Value>,
    ) -> Result<(Arc<RunHost>, bool)> {
        let arguments = match key {
            Some(_) => encode_params(graph, &params)?,
            None => Vec::new(),
        };
        let host = |key| RunHost::new(core.clone(), Arc::downgrade(self), graph, key, params);
        let mut table = self.lock();
        if let Some(holder) = key.as_ref().and_then(|key| table.keyed.get(key)) {
            return match holder.differs_from(graph, &arguments) {
                None => Ok((holder.host.clone(), false)),
                Some(holder) => Err(Error::KeyInUse { key: key.unwrap_or_default(), holder }),
            };
        }
        if table.closed {
            return Err(Error::ShutDown);
        }
        let host = host(key.clone());
        table.live.insert(address(&host), host.clone());
        if let Some(key) = key {
            table.keyed.insert(key, Keyed { host: host.clone(), arguments });
        }
        Ok((host, true))
    }

    /// Takes in a run of a store, unless it is here already. Whoever does goes
    /// on with it, and nobody else.
    pub(crate) fn adopt(&self, host: &Arc<RunHost>) -> Adopted {
        let mut table = self.lock();
        if let Some(known) = table.stored.get(&host.id) {
            return Adopted::Known(known.clone());
        }
        if table.closed {
            return Adopted::Closed;
        }
        table.live.insert(address(host), host.clone());
        table.stored.insert(host.id.clone(), host.clone());
        Adopted::New
    }

    /// A run of a store that is here, by its id.
    pub(crate) fn find(&self, id: &str) -> Option<Arc<RunHost>> {
        self.lock().stored.get(id).cloned()
    }

    /// Whether a workflow was not known until now.
    pub(crate) fn is_new(&self, graph: &'static Graph) -> bool {
        self.lock().workflows.insert(graph.name)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Lets go of a run that has ended.
    pub(crate) fn forget(&self, host: &Arc<RunHost>) {
        // A run whose store has failed stops here, also for whoever asks for it
        // again. The next engine goes on with it.
        let stopped = matches!(host.lock().end, Some(RunEnd::Unstored(_)));
        let mut table = self.lock();
        table.live.remove(&address(host));
        if host.journal.is_some() && !stopped {
            table.stored.remove(&host.id);
        }
    }

    /// Refuses new runs from now on.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
    }

    pub(crate) fn live(&self) -> Vec<Arc<RunHost>> {
        self.lock().live.values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keyed {
    /// Who holds the key, in words, where it is not this invocation.
    fn differs_from(&self, graph: &'static Graph, arguments: &[u8]) -> Option<String> {
        let held = self.host.graph;
        let same = (held.name, held.file, held.line) == (graph.name, graph.file, graph.line);
        if !same {
            Some(format!("a run of workflow `{}`", held.name))
        } else if self.arguments != arguments {
            Some(format!("a run of `{}` with other arguments", held.name))
        } else {
            None
        }
    }
}

fn address(host: &Arc<RunHost>) -> usize {
    Arc::as_ptr(host) as usize
}
