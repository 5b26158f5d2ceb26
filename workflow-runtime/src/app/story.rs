//! What a store tells of a run: the one place that reads a journal.

use std::collections::HashMap;

use super::problem::Problem;
use super::program::Program;
use super::reader::Reader;
use crate::blueprint::Blueprint;
use crate::definition::Graph;
use crate::engine::StoredEvent;
use crate::history::{History, StepStory};
use crate::run::RunState;
use crate::store::{StoredEntry, StoredRun};
use crate::view::{RunSnapshot, StepSnapshot};

/// A run as its journal tells it.
pub(super) struct Story {
    /// The story, or why there is none to tell.
    pub(super) history: Result<History, String>,
    pub(super) snapshot: RunSnapshot,
}

/// Reads the story of a run.
pub(super) fn read(program: &Program, reader: &Reader, run: &StoredRun) -> Result<Story, Problem> {
    let entries = reader.store.journal(run.run)?;
    let graphs = Graphs { program, reader, run };
    let history = graphs.history(&entries);
    let steps = history.as_ref().map(|history| history.steps.iter().map(step).collect());
    let snapshot = RunSnapshot {
        id: run.id.clone(),
        key: run.key.clone(),
        workflow: run.workflow.clone(),
        // The row knows of what is not in a journal: that the run is blocked,
        // or has not begun.
        state: match (&history, &run.end) {
            (Ok(history), None) if is_told(run.state) && !history.state.is_ended() => history.state,
            _ => run.state,
        },
        started_at: run.created_at,
        ended_at: run.end.as_ref().map(|end| end.at),
        steps: steps.unwrap_or_default(),
        // Only its process knows what has not returned yet.
        stuck: Vec::new(),
    };
    Ok(Story { history, snapshot })
}

/// Whether the journal knows better: a store is not told of every change.
fn is_told(state: RunState) -> bool {
    !matches!(state, RunState::Queued | RunState::Blocked)
}

/// Where the graphs that a run followed are found.
struct Graphs<'a> {
    program: &'a Program,
    reader: &'a Reader,
    run: &'a StoredRun,
}

impl Graphs<'_> {
    fn history(&self, entries: &[StoredEntry]) -> Result<History, String> {
        // What it followed before it was first taken up again.
        let first = entries.iter().find_map(|entry| match serde_json::from_str(&entry.event) {
            Ok(StoredEvent::TakenUp { before, .. }) => Some(before),
            _ => None,
        });
        let graph = self.graph(first.unwrap_or(self.run.fingerprint))?;
        let found: HashMap<u64, &'static Graph> =
            taken_up(entries).filter_map(|hash| self.graph(hash).ok().map(|graph| (hash, graph))).collect();
        History::read(graph, entries, &|hash| found.get(&hash).copied()).map_err(|error| error.to_string())
    }

    fn graph(&self, hash: u64) -> Result<&'static Graph, String> {
        let own = self.program.workflows.iter().find(|graph| graph.name == self.run.workflow);
        let is_own =
            |graph: &&&'static Graph| graph.fingerprint == hash || Blueprint::of(graph).hash() == hash;
        if let Some(graph) = own.filter(is_own) {
            return Ok(graph);
        }
        let text = self.reader.store.blueprint(hash).map_err(|error| error.to_string())?;
        let text =
            text.ok_or("the graph that it followed is not stored, and this program has another one")?;
        let blueprint = Blueprint::parse(&text).map_err(|error| error.to_string())?;
        Ok(blueprint.graph())
    }
}

/// The hashes of the blueprints that a run was taken up under.
fn taken_up(entries: &[StoredEntry]) -> impl Iterator<Item = u64> {
    entries.iter().filter_map(|entry| match serde_json::from_str(&entry.event) {
        Ok(StoredEvent::TakenUp { blueprint, .. }) => Some(blueprint),
        _ => None,
    })
}

fn step(story: &StepStory) -> StepSnapshot {
    StepSnapshot {
        path: story.path.clone(),
        task: story.task.clone(),
        kind: story.kind,
        state: story.state,
        attempt: story.attempts.last().map_or(0, |attempt| attempt.number),
        started_at: story.started_at,
        ended_at: story.ended_at,
        failure: story.failure.clone(),
        progress: None,
        items: story.items,
    }
}
