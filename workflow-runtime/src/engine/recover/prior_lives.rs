//! What the earlier lives of a run have done and left, over the graphs that
//! were followed then.

use std::cell::Cell;

use crate::blueprint::Blueprint;
use crate::engine::recover::replay::Unread;
use crate::engine::registry::Known;
use crate::execution::KeptValues;
use crate::execution::{Leftover, Leftovers};
use crate::history::History;
use crate::journal::{StoredRecalled, first_graph};
use crate::run::{RunState, StepState};
use crate::store::{Store, StoredEntry, StoredRun};
use crate::task::definition::Graph;
use crate::value::Payload;

/// The story of a run, and what its journal holds of it.
pub(crate) fn read(
    known: &Known,
    store: &dyn Store,
    stored: &StoredRun,
    entries: &[StoredEntry],
) -> Result<History, Unread> {
    let graph =
        graph_of(known, store, first_graph(entries.iter().map(|entry| &*entry.event), stored.fingerprint))?;
    let failed = Cell::new(None);
    let later = |hash| match graph_of(known, store, hash) {
        Ok(graph) => Some(graph),
        Err(unread) => {
            failed.set(Some(unread));
            None
        }
    };
    let read = History::read(graph, entries, &later);
    match failed.take() {
        Some(Unread::Store(error)) => Err(Unread::Store(error)),
        _ => read.map_err(|unreadable| unreadable.to_string().into()),
    }
}

/// The graph that a run followed under a hash.
fn graph_of(known: &Known, store: &dyn Store, hash: u64) -> Result<&'static Graph, Unread> {
    if hash == known.hash() || hash == known.graph.fingerprint {
        return Ok(known.graph);
    }
    blueprint_of(store, hash).map(|blueprint| blueprint.graph())
}

pub(crate) fn blueprint_of(store: &dyn Store, hash: u64) -> Result<Blueprint, Unread> {
    let text = store.blueprint(hash)?;
    let text = text.ok_or_else(|| {
        format!("its workflow has changed since it started, and how it was then ({hash:016x}) is not stored")
    })?;
    Blueprint::parse(&text).map_err(|error| error.to_string().into())
}

impl History {
    /// Whether the run was about to end without success.
    pub(crate) fn is_ending(&self) -> bool {
        let latest = self.lives.len().saturating_sub(1);
        // A failure that is a value is left as one, and so is that of a
        // workflow around it.
        let is_value = |path: &str| {
            let ends = path.match_indices(['/', '[']).map(|(end, _)| end).chain([path.len()]);
            let mut around = ends.filter_map(|end| self.left.steps.get(&path[..end]));
            around.any(|left| left.recalled != StoredRecalled::Nothing)
        };
        matches!(self.state, RunState::Cancelling | RunState::Undoing)
            || self.steps.iter().any(|step| {
                step.state == StepState::Failed
                    && step.life == latest
                    && !step.kind.is_region()
                    && !is_value(&step.path)
            })
    }

    /// What is left, with the values.
    pub(crate) fn leftovers(&self, entries: &[StoredEntry]) -> Leftovers {
        let mut leftovers = Leftovers::default();
        leftovers.kept = KeptValues::of(entries.iter().map(|entry| (&*entry.event, entry.value.as_ref())));
        for (path, left) in &self.left.steps {
            leftovers.insert(
                path.clone(),
                Leftover {
                    recalled: left.recalled.clone(),
                    from: left.from,
                    value: left.from.and_then(|seq| payload_at(entries, seq)),
                    held: left.held,
                    undone: left.undone,
                    undoable: left.undoable,
                    met: false,
                },
            );
        }
        leftovers
    }
}

/// The payload of an entry of a journal.
pub(crate) fn payload_at(entries: &[StoredEntry], seq: u64) -> Option<Payload> {
    entries.get(usize::try_from(seq).ok()?)?.value.clone()
}
