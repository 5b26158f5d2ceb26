//! Looking at a run: the frames and steps that are open, for snapshots and
//! for people.

use super::Machine;
use super::frame::{Activity, NEVER, Node, Phase};
use crate::failure::Failure;
use crate::run::state::{RunState, StepState, Timestamp};
use crate::task::definition::{Graph, Kind, Region, Step};
use crate::task::place::{FrameId, Key};

/// A step of a run as it is now.
#[derive(Clone, Copy, Debug)]
pub struct StepView<'a> {
    /// Which step.
    pub key: Key,
    /// Its definition.
    pub step: &'static Step,
    /// Its state.
    pub state: StepState,
    /// The attempt it is at, from 1; 0 before the first. Of its undo, once
    /// that has begun.
    pub attempt: u32,
    /// When its latest attempt was decided, or began where the driver has said
    /// so.
    pub since: Option<Timestamp>,
    /// Whether the driver has said that its latest attempt has begun.
    pub begun: bool,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Why its last failed attempt did.
    pub failure: Option<&'a Failure>,
    /// Whether its outcome is unknown and the run waits for it to be settled,
    /// by its `reconcile` or by an operator.
    pub unresolved: bool,
    /// How many attempts of it, or of its undo, were lost in a row.
    pub losses: u16,
}

/// The steps of a frame that is closed.
#[derive(Debug)]
pub struct ClosedSteps {
    frame: FrameId,
    region: &'static Region,
    nodes: Vec<Node>,
}

impl ClosedSteps {
    /// How many steps there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The steps as they were in the end.
    pub fn iter(&self) -> impl Iterator<Item = StepView<'_>> {
        views(self.frame, self.region, &self.nodes)
    }
}

/// What opened a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The step.
    pub key: Key,
    /// The number of the region in the frame's graph.
    pub region: u16,
    /// Which item of a `for`, which turn of a `while`.
    pub index: u32,
}

impl Machine {
    /// The state of the run.
    #[must_use]
    pub fn run_state(&self) -> RunState {
        self.state
    }

    /// Whether nothing is under way: no attempt, no undo, no question that
    /// the driver has not answered.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.busy == 0
    }

    /// How many steps are suspected, and wait for an operator.
    #[must_use]
    pub fn suspected(&self) -> u32 {
        self.suspected
    }

    /// Whether the end of an attempt is awaited: of a task, an undo or a
    /// reconciliation.
    #[must_use]
    pub fn has_attempts(&self) -> bool {
        let mut nodes = self.frames.iter().flat_map(|(_, frame)| &frame.nodes);
        nodes.any(|node| node.activity == Activity::Attempt)
    }

    /// Whether an operator has paused the run. A paused run that has failed or
    /// is being cancelled ends nevertheless, and its state says so.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// The state of a step, or `None` when its frame is closed.
    #[must_use]
    #[inline]
    pub fn state(&self, key: Key) -> Option<StepState> {
        self.frames.node(key).map(|node| node.state)
    }

    /// The graph a frame is part of: the run's, or a child workflow's.
    #[must_use]
    pub fn graph_of(&self, frame: FrameId) -> Option<&'static Graph> {
        self.frames.get(frame).map(|frame| frame.graph)
    }

    /// The region a frame was opened of.
    #[must_use]
    pub fn region_of(&self, frame: FrameId) -> Option<&'static Region> {
        self.frames.get(frame).map(|frame| frame.region)
    }

    /// The step behind a key.
    #[must_use]
    pub fn step(&self, key: Key) -> Option<&'static Step> {
        self.region_of(key.frame)?.steps.get(key.step as usize)
    }

    /// Whether nothing of a frame runs any more. One that is opened so stays
    /// only for the undo of what an earlier life has done in it.
    #[must_use]
    pub fn has_ended(&self, frame: FrameId) -> bool {
        self.frames.get(frame).is_none_or(|frame| frame.phase == Phase::Ended)
    }

    /// What opened a frame; `None` for the body of the run.
    #[must_use]
    pub fn frame_parent(&self, frame: FrameId) -> Option<Parent> {
        let frame = self.frames.get(frame)?;
        Some(Parent { key: frame.parent?, region: frame.number, index: frame.index })
    }

    /// The open frames.
    pub fn frames(&self) -> impl Iterator<Item = FrameId> {
        self.frames.iter().map(|(id, _)| id)
    }

    /// The steps of all open frames.
    pub fn steps(&self) -> impl Iterator<Item = StepView<'_>> {
        self.frames.iter().flat_map(|(id, frame)| views(id, frame.region, &frame.nodes))
    }

    /// The steps of an open frame.
    pub fn steps_of(&self, frame: FrameId) -> impl Iterator<Item = StepView<'_>> {
        self.frames.get(frame).into_iter().flat_map(move |state| views(frame, state.region, &state.nodes))
    }

    /// Takes what is to be seen of the steps of a frame that the latest event
    /// has closed, or of any frame once the run has ended or was abandoned: for
    /// callers that show them later.
    pub fn take_steps(&mut self, frame: FrameId) -> Option<ClosedSteps> {
        let closed = self.frames.take_closed(frame, self.state.is_ended())?;
        Some(ClosedSteps { frame, region: closed.region, nodes: std::mem::take(&mut closed.nodes) })
    }

    /// Notes that an attempt has begun which was decided earlier. It changes
    /// nothing of what follows: only those who look at the run want to know.
    #[inline]
    pub fn note_begun(&mut self, key: Key, epoch: u32, now: Timestamp) {
        if let Some(node) = self.frames.node_mut(key).filter(|node| node.epoch == epoch) {
            (node.since, node.begun) = (now, true);
        }
    }

    /// A step as it is now, or `None` when its frame is closed.
    #[must_use]
    pub fn view(&self, key: Key) -> Option<StepView<'_>> {
        Some(view(key, self.step(key)?, self.frames.node(key)?))
    }

    /// Of a `for`, how many items are done and how many there are, once that is
    /// known.
    #[must_use]
    pub fn items(&self, key: Key) -> Option<(u32, u32)> {
        let node = self.frames.node(key)?;
        let is_for = matches!(self.step(key)?.kind, Kind::Map { .. });
        (is_for && node.total > 0).then(|| (node.next - node.live, node.total))
    }

    /// A step's path, such as `nightly/priced[3]/quote`.
    #[must_use]
    pub fn path(&self, key: Key) -> Option<String> {
        let mut parts = vec![self.step(key)?.name.to_owned()];
        let mut id = key.frame;
        while let Some(parent) = self.frame_parent(id) {
            let step = self.step(parent.key)?;
            let label = self.region_of(id)?.label;
            parts.push(match step.kind {
                Kind::Map { .. } | Kind::Loop { .. } => format!("{}[{}]", step.name, parent.index),
                // The body of a child workflow is that step.
                Kind::Task(_) => step.name.to_owned(),
                _ if label.is_empty() => step.name.to_owned(),
                _ => format!("{}[{label}]", step.name),
            });
            id = parent.key.frame;
        }
        parts.push(self.graph.name.to_owned());
        parts.reverse();
        Some(parts.join("/"))
    }
}

fn views<'a>(
    frame: FrameId,
    region: &'static Region,
    nodes: &'a [Node],
) -> impl Iterator<Item = StepView<'a>> {
    let steps = (0..).zip(region.steps).zip(nodes);
    steps.map(move |((number, step), node)| view(Key { frame, step: number }, step, node))
}

fn view<'a>(key: Key, step: &'static Step, node: &'a Node) -> StepView<'a> {
    let time = |time: Timestamp| (time != NEVER).then_some(time);
    StepView {
        key,
        step,
        state: node.state,
        attempt: node.attempt,
        since: time(node.since),
        begun: node.begun,
        ended: time(node.ended),
        failure: node.failure.as_deref(),
        unresolved: node.unresolved,
        losses: node.losses,
    }
}
