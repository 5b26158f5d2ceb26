//! A workflow's picture as data, with what has become of each of its steps in
//! a run.

use std::collections::HashMap;

use serde::Serialize;

use crate::history::StepStory;
use crate::run::{StepState, Wait};
use crate::task::definition::{Graph, Kind, Region, Step};
use crate::view::{StepKind, describe};

/// How deep regions and child workflows are drawn.
const DEEPEST: usize = 24;

/// A region: the body of a workflow, of a `for` or a `while`, or an arm.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct RegionPicture {
    /// What it is, such as `for each, 3 at a time`; nothing for the body.
    pub(crate) title: String,
    pub(crate) nodes: Vec<NodePicture>,
    /// Whether it is an arm that was not taken.
    pub(crate) is_skipped: bool,
}

/// A step as it is written, whatever number of times it ran.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct NodePicture {
    /// Its path without the numbers of items and turns.
    pub(crate) path: String,
    pub(crate) name: String,
    /// Its task's name, or what kind of built-in step it is.
    pub(crate) task: String,
    pub(crate) kind: StepKind,
    /// The steps of the same region, by their place in it, that it waits for.
    pub(crate) needs: Vec<usize>,
    /// What has become of it; nothing where the run has not come to it.
    pub(crate) standing: Option<Mark>,
    /// In words: its state, or how many items are in which.
    pub(crate) words: String,
    /// How many times the run came to it.
    pub(crate) counts: Counts,
    pub(crate) regions: Vec<RegionPicture>,
}

/// How many of a step's occurrences in a run are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    pub(crate) done: usize,
    pub(crate) running: usize,
    pub(crate) waiting: usize,
    pub(crate) failed: usize,
    /// Skipped, cancelled or undone.
    pub(crate) gone: usize,
    /// Waiting for other steps.
    pub(crate) ahead: usize,
}

/// What to think of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mark {
    Done,
    Running,
    Waiting,
    Failed,
    Gone,
}

impl Mark {
    pub(crate) fn of(state: StepState) -> Self {
        match state {
            StepState::Succeeded { .. } => Self::Done,
            StepState::Failed | StepState::OutcomeUnknown | StepState::Suspected => Self::Failed,
            StepState::Running | StepState::Undoing => Self::Running,
            StepState::Waiting(_) => Self::Waiting,
            StepState::Skipped | StepState::UpstreamFailed | StepState::Cancelled | StepState::Undone => {
                Self::Gone
            }
        }
    }
}

impl Counts {
    fn add(&mut self, state: StepState) {
        let count = match Mark::of(state) {
            Mark::Done => &mut self.done,
            Mark::Running => &mut self.running,
            Mark::Waiting if state == StepState::Waiting(Wait::Dependencies) => &mut self.ahead,
            Mark::Waiting => &mut self.waiting,
            Mark::Failed => &mut self.failed,
            Mark::Gone => &mut self.gone,
        };
        *count += 1;
    }

    /// What matters most of them.
    fn mark(self) -> Option<Mark> {
        let all = [
            (self.failed, Mark::Failed),
            (self.running, Mark::Running),
            (self.waiting, Mark::Waiting),
            (self.done, Mark::Done),
            (self.gone, Mark::Gone),
        ];
        all.into_iter().find_map(|(count, mark)| (count > 0).then_some(mark))
    }

    fn words(self) -> String {
        let all = [
            (self.failed, "failed"),
            (self.running, "running"),
            (self.waiting, "waiting"),
            (self.done, "done"),
            (self.gone, "left out"),
            (self.ahead, "ahead"),
        ];
        let told = all.iter().filter(|(count, _)| *count > 0);
        told.map(|(count, word)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
    }
}

impl RegionPicture {
    /// The picture of a workflow, with the steps of a run.
    pub(crate) fn of(graph: &'static Graph, steps: &[StepStory]) -> Self {
        let mut heard: HashMap<&str, Vec<&StepStory>> = HashMap::new();
        for step in steps {
            heard.entry(&step.static_path).or_default().push(step);
        }
        let Some(body) = graph.regions.first() else { return Self::default() };
        region(&heard, graph, body, String::new(), graph.name, 0)
    }

    /// How many steps it has, with those within.
    pub(crate) fn size(&self) -> usize {
        let inner = |node: &NodePicture| node.regions.iter().map(Self::size).sum::<usize>();
        self.nodes.iter().map(|node| 1 + inner(node)).sum()
    }
}

type Heard<'a> = HashMap<&'a str, Vec<&'a StepStory>>;

fn region(
    heard: &Heard<'_>,
    graph: &'static Graph,
    region: &'static Region,
    title: String,
    around: &str,
    depth: usize,
) -> RegionPicture {
    let nodes: Vec<_> = region.steps.iter().map(|step| node(heard, graph, step, around, depth)).collect();
    let is_skipped = !nodes.is_empty()
        && nodes.iter().all(|node| {
            let stories = heard.get(&*node.path).map(|stories| stories.iter());
            stories.is_some_and(|mut stories| stories.all(|story| story.state == StepState::Skipped))
        });
    RegionPicture { title, nodes, is_skipped }
}

fn node(
    heard: &Heard<'_>,
    graph: &'static Graph,
    step: &'static Step,
    around: &str,
    depth: usize,
) -> NodePicture {
    let path = format!("{around}/{}", step.name);
    let stories: &[&StepStory] = heard.get(&*path).map_or(&[], |stories| stories);
    let mut counts = Counts::default();
    stories.iter().for_each(|story| counts.add(story.state));
    let words = match stories {
        [] => String::new(),
        [only] => match (only.items, only.state) {
            (Some(items), _) => format!("{} of {} done", items.done, items.all),
            (None, StepState::Waiting(Wait::Dependencies)) => String::new(),
            (None, state) => state.to_string(),
        },
        _ => counts.words(),
    };
    let regions = if depth < DEEPEST { opened(heard, graph, step, &path, depth + 1) } else { Vec::new() };
    NodePicture {
        name: step.name.to_owned(),
        task: describe(step),
        kind: StepKind::of(step),
        needs: step.needs.into_iter().map(|need| usize::from(*need)).collect(),
        standing: counts.mark(),
        words,
        counts,
        regions,
        path,
    }
}

/// The regions that a step opens.
fn opened(
    heard: &Heard<'_>,
    graph: &'static Graph,
    step: &'static Step,
    path: &str,
    depth: usize,
) -> Vec<RegionPicture> {
    let numbered = |number: u16| graph.regions.get(usize::from(number));
    let arm = |number: u16| {
        let arm = numbered(number)?;
        let title = arm.label.to_owned();
        Some(region(heard, graph, arm, title, &format!("{path}[{}]", arm.label), depth))
    };
    let one = |number: u16, title: String| {
        numbered(number).map(|inner| region(heard, graph, inner, title, path, depth)).into_iter().collect()
    };
    let regions: Vec<RegionPicture> = match step.kind {
        Kind::Map { region, limit, .. } => {
            let title = limit.map(|limit| format!("for each, {limit} at a time"));
            one(region, title.unwrap_or_else(|| "for each".to_owned()))
        }
        Kind::Loop { region, limit, .. } => one(region, format!("while, at most {limit} turns")),
        Kind::Branch { arms, .. } => arms.iter().filter_map(|number| arm(*number)).collect(),
        Kind::Select { race, arms } => {
            let race: Vec<_> = one(race, "whichever is first".to_owned());
            race.into_iter().chain(arms.iter().filter_map(|number| arm(*number))).collect()
        }
        Kind::Task(task) => match task.task.child {
            Some(child) => child
                .regions
                .first()
                .map(|body| region(heard, child, body, child.name.to_owned(), path, depth))
                .into_iter()
                .collect(),
            None => Vec::new(),
        },
        Kind::Signal { .. } | Kind::Sleep(_) | Kind::Compute(_) | Kind::Check(_) => Vec::new(),
    };
    regions.into_iter().filter(|region| !region.nodes.is_empty()).collect()
}
