//! What a store tells of a run: the one place that reads a journal.

use std::collections::HashMap;

use super::problem::Problem;
use super::reader::StoreReader;
use super::trouble;
use crate::blueprint::Blueprint;
use crate::history::{History, Reading, StepStory};
use crate::journal::{StoredEvent, first_graph_of};
use crate::run::RunState;
use crate::store::{StoreError, StoredRun};
use crate::task::definition::Graph;
use crate::view::{RunSnapshot, StepSnapshot};

/// A run as its journal tells it.
pub(crate) struct Story {
    /// The story, or why there is none to tell.
    pub(crate) history: Result<History, String>,
    pub(crate) snapshot: RunSnapshot,
    /// The graph that it follows now, where that is known.
    #[cfg(feature = "serve")]
    pub(crate) graph: Option<&'static Graph>,
}

/// Reads the story of a run. `folds`: whether the items of a `for` are only
/// counted once they are done.
pub(crate) fn read(
    workflows: &[&'static Graph],
    reader: &StoreReader,
    run: &StoredRun,
    folds: bool,
) -> Result<Story, Problem> {
    let graphs = GraphsOfRun { workflows, reader, run };
    let history = graphs.history(folds)?;
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
        stopped: trouble::stopped(reader.notice()?.as_ref(), run),
        steps: steps.unwrap_or_default(),
        // Only its process knows what has not returned yet.
        stuck: Vec::new(),
    };
    Ok(Story {
        history,
        snapshot,
        #[cfg(feature = "serve")]
        graph: graphs.graph(run.fingerprint).ok(),
    })
}

/// Whether the journal knows better: a store is not told of every change.
fn is_told(state: RunState) -> bool {
    !matches!(state, RunState::Queued | RunState::Blocked)
}

/// Where the graphs that a run followed are found.
struct GraphsOfRun<'a> {
    workflows: &'a [&'static Graph],
    reader: &'a StoreReader,
    run: &'a StoredRun,
}

impl GraphsOfRun<'_> {
    /// The story, or why there is none to tell. A journal may be long, so it is
    /// read entry by entry, and without its values.
    fn history(&self, folds: bool) -> Result<Result<History, String>, StoreError> {
        let store = &self.reader.store;
        let taken_up = store.events_with(self.run.run, "\"taken_up\"")?;
        let taken_up: Vec<StoredEvent> =
            taken_up.iter().filter_map(|event| serde_json::from_str(event).ok()).collect();
        let graph = match self.graph(first_graph_of(&taken_up, self.run.fingerprint)) {
            Ok(graph) => graph,
            Err(reason) => return Ok(Err(reason)),
        };
        let found: HashMap<u64, &'static Graph> = taken_up
            .into_iter()
            .filter_map(|event| match event {
                StoredEvent::TakenUp { blueprint, .. } => Some((blueprint, self.graph(blueprint).ok()?)),
                _ => None,
            })
            .collect();
        let blueprint_of = |hash| found.get(&hash).copied();
        let mut reading = Reading::new(graph, &blueprint_of, folds);
        let mut read = Ok(());
        store.each_event(self.run.run, &mut |entry| {
            read = reading.entry(&entry);
            read.is_ok()
        })?;
        Ok(read.map(|()| reading.end()).map_err(|error| error.to_string()))
    }

    fn graph(&self, hash: u64) -> Result<&'static Graph, String> {
        let own = self.workflows.iter().find(|graph| graph.name == self.run.workflow);
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
        next_attempt_at: story.next_attempt_at,
        awaits: story.awaits.clone(),
    }
}
