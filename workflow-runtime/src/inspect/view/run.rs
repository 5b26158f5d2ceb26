//! A run, in a list and with its whole story.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Asked, StepView, SuspectView, Time, value};
use crate::engine::Outlook;
use crate::exact::Exact;
use crate::failure::StepError;
use crate::history::{History, Life, NotUndone, Why};
use crate::operation::By;
use crate::run::{RunState, StepState};
use crate::store::{StoreError, StoredRequest, StoredRun};
use crate::task::definition::Graph;
use crate::view::RunSnapshot;

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct RunRow {
    pub(crate) id: String,
    /// The workflow's name.
    pub(crate) workflow: String,
    pub(crate) key: Option<String>,
    pub(crate) state: RunState,
    /// How many of its steps are suspected to end the process.
    pub(crate) suspected: u32,
    pub(crate) created_at: Time,
    pub(crate) ended_at: Option<Time>,
    /// Which step failed it, and why.
    pub(crate) error: Option<StepError>,
    pub(crate) parent: Option<ParentView>,
    /// Why it does not go on for now, where its store cannot be written.
    pub(crate) stopped: Option<String>,
}

/// The run that another one was made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ParentView {
    pub(crate) id: String,
    /// What made the new one of it.
    pub(crate) how: String,
}

impl RunRow {
    pub(crate) fn of(run: &StoredRun, stopped: Option<String>) -> Self {
        let end = run.end.as_ref();
        let parent = run.parent.as_ref();
        Self {
            id: run.id.clone(),
            workflow: run.workflow.clone(),
            key: run.key.clone(),
            state: run.state,
            suspected: run.suspected,
            created_at: Time(run.created_at),
            ended_at: end.map(|end| Time(end.at)),
            error: end.and_then(|end| end.error.clone()),
            parent: parent.map(|parent| ParentView { id: parent.id.clone(), how: parent.how.to_string() }),
            stopped,
        }
    }
}

/// A run with its whole story.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct RunView {
    pub(crate) id: String,
    /// The workflow's name.
    pub(crate) workflow: String,
    pub(crate) key: Option<String>,
    pub(crate) state: RunState,
    pub(crate) created_at: Time,
    pub(crate) ended_at: Option<Time>,
    /// Which step failed it, and why.
    pub(crate) error: Option<StepError>,
    pub(crate) parent: Option<ParentView>,
    /// Why it does not go on for now, where its store cannot be written.
    pub(crate) stopped: Option<String>,
    /// Why this program would not go on with it.
    pub(crate) blocked: Option<String>,
    /// By name, or by number where this program has no such workflow, or has it
    /// with others.
    pub(crate) params: BTreeMap<String, Exact>,
    /// What it returned.
    pub(crate) result: Exact,
    /// The steps that are suspected to end the process. Like steps and lives,
    /// nothing where the story cannot be told.
    pub(crate) suspected: Option<Vec<SuspectView>>,
    pub(crate) steps: Option<Vec<StepView>>,
    /// What it has done, and neither uses nor has undone.
    pub(crate) not_undone: Option<Vec<NotUndone>>,
    /// More than one where it was taken up again.
    pub(crate) lives: Option<Vec<LifeView>>,
    /// What operators asked, the oldest first.
    pub(crate) requests: Vec<Asked>,
    /// Values that are not there any more.
    pub(crate) lost: Vec<String>,
}

/// A life of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct LifeView {
    pub(crate) at: Time,
    /// Why the run was taken up again; none for its first life.
    pub(crate) why: Option<Why>,
    pub(crate) by: Option<By>,
}

/// What was read of a run, to be told.
pub(crate) struct Told<'a> {
    pub(crate) run: &'a StoredRun,
    pub(crate) snapshot: &'a RunSnapshot,
    pub(crate) history: Option<&'a History>,
    /// What this program would do with it, where that is not plain.
    pub(crate) outlook: Option<&'a Outlook>,
    /// The oldest first.
    pub(crate) requests: &'a [StoredRequest],
    pub(crate) lost: &'a [StoreError],
}

impl RunView {
    pub(crate) fn of(workflows: &[&'static Graph], told: &Told<'_>) -> Self {
        let Told { run, snapshot, history, outlook, requests, lost } = *told;
        let row = RunRow::of(run, snapshot.stopped.clone());
        let result = run.end.as_ref().and_then(|end| end.result.as_ref());
        let suspected = |history: &History| {
            let steps = history.steps.iter().filter(|step| step.state == StepState::Suspected);
            steps.map(SuspectView::of).collect()
        };
        Self {
            id: row.id,
            workflow: row.workflow,
            key: row.key,
            state: snapshot.state,
            created_at: row.created_at,
            ended_at: row.ended_at,
            error: row.error,
            parent: row.parent,
            stopped: row.stopped,
            blocked: match outlook {
                Some(Outlook::Blocked { reason, .. }) => Some(reason.clone()),
                _ => None,
            },
            params: params(workflows, run),
            result: result.map_or_else(Exact::null, |result| value(&result.bytes)),
            suspected: history.map(suspected),
            steps: history.map(|history| history.steps.iter().map(StepView::of).collect()),
            not_undone: history.map(|history| history.not_undone.clone()),
            lives: history.map(|history| history.lives.iter().map(LifeView::of).collect()),
            requests: requests.iter().map(Asked::of).collect(),
            lost: lost.iter().map(ToString::to_string).collect(),
        }
    }
}

impl LifeView {
    fn of(life: &Life) -> Self {
        Self { at: Time(life.at), why: life.why, by: life.by.clone() }
    }
}

/// The parameters by name, or by number where this program has no such
/// workflow, or has it with others.
pub(crate) fn params(workflows: &[&'static Graph], run: &StoredRun) -> BTreeMap<String, Exact> {
    let values = match value(&run.params) {
        Exact::List(values) => values,
        _ => Vec::new(),
    };
    let graph = workflows.iter().find(|graph| graph.name == run.workflow);
    let graph = graph.filter(|graph| graph.params.len() == values.len());
    let name = |number: usize| match graph {
        Some(graph) => graph.params[number].name.to_owned(),
        None => number.to_string(),
    };
    values.into_iter().enumerate().map(|(number, value)| (name(number), value)).collect()
}
