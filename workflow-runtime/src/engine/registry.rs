//! The runs of an engine: those that have not ended, and those with a key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::core::Core;
use super::host::RunHost;
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
    /// A key names one run for ever, ended runs included.
    keyed: HashMap<String, Keyed>,
    closed: bool,
}

struct Keyed {
    host: Arc<RunHost>,
    /// The arguments it was started with, encoded: the only form in which
    /// values of any type can be compared.
    arguments: Vec<Vec<u8>>,
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
            Some(_) => encode(graph, &params)?,
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

    /// Takes in a run of a store, unless it is here already.
    pub(crate) fn adopt(&self, host: Arc<RunHost>) -> Arc<RunHost> {
        let mut table = self.lock();
        if let Some(known) = table.live.values().find(|known| known.id == host.id) {
            return known.clone();
        }
        if host.lock().end.is_none() {
            table.live.insert(address(&host), host.clone());
        }
        host
    }

    /// A run that has not ended, by its id.
    pub(crate) fn find(&self, id: &str) -> Option<Arc<RunHost>> {
        self.lock().live.values().find(|host| host.id == id).cloned()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Lets go of a run that has ended.
    pub(crate) fn forget(&self, host: &Arc<RunHost>) {
        self.lock().live.remove(&address(host));
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
    fn differs_from(&self, graph: &'static Graph, arguments: &[Vec<u8>]) -> Option<String> {
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

fn encode(graph: &'static Graph, params: &[Value]) -> Result<Vec<Vec<u8>>> {
    let encoded = graph.params.iter().zip(params).map(|(param, value)| (param.codec.encode)(value));
    encoded.collect::<Result<_, _>>().map_err(|error| Error::Codec(Arc::new(error)))
}

fn address(host: &Arc<RunHost>) -> usize {
    Arc::as_ptr(host) as usize
}
