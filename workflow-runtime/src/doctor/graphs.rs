//! The workflows that runs follow: as a store keeps them, or as the program
//! has them.

use std::collections::HashMap;

use super::source::Source;
use crate::blueprint::Blueprint;
use crate::store::StoreError;
use crate::task::definition::Graph;

/// What is known about a hash.
#[derive(Clone)]
pub(super) enum Known {
    Graph(&'static Graph),
    /// The store has something under the hash that is not it.
    Wrong(String),
    Nothing,
}

/// Graphs by the hash of their blueprints, and by their fingerprints, which
/// is what runs of older stores have.
pub(super) struct Graphs {
    program: HashMap<u64, &'static Graph>,
    stored: HashMap<u64, Known>,
}

impl Graphs {
    pub(super) fn new(graphs: &[&'static Graph]) -> Self {
        let by_hash = graphs.iter().map(|graph| (Blueprint::of(graph).hash(), *graph));
        let by_fingerprint = graphs.iter().map(|graph| (graph.fingerprint, *graph));
        Self { program: by_fingerprint.chain(by_hash).collect(), stored: HashMap::new() }
    }

    /// The graph that a run of `workflow` follows.
    pub(super) fn find<S: Source + ?Sized>(
        &mut self,
        store: &S,
        workflow: &str,
        hash: u64,
    ) -> Result<Known, StoreError> {
        let known = match self.stored.get(&hash) {
            Some(known) => known.clone(),
            None => {
                let known = match store.blueprint(hash)? {
                    Some(text) => read(&text, hash),
                    None => self.program.get(&hash).map_or(Known::Nothing, |graph| Known::Graph(graph)),
                };
                self.stored.insert(hash, known.clone());
                known
            }
        };
        Ok(match known {
            Known::Graph(graph) if graph.name != workflow => {
                Known::Wrong(format!("blueprint {hash:016x} is one of workflow `{}`", graph.name))
            }
            known => known,
        })
    }
}

fn read(text: &str, hash: u64) -> Known {
    match Blueprint::parse(text) {
        Ok(blueprint) if blueprint.hash() == hash => Known::Graph(blueprint.graph()),
        Ok(blueprint) => Known::Wrong(format!(
            "what is stored as blueprint {hash:016x} has the hash {:016x}",
            blueprint.hash()
        )),
        Err(error) => Known::Wrong(format!("blueprint {hash:016x} cannot be read: {error}")),
    }
}
