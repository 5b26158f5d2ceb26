//! What the machine remembers: frames of steps, in a slab.
//!
//! Plain data and its bookkeeping (opening, closing, the tree of frames).
//! Never here: what an event means.

use crate::failure::Failure;
use crate::run::state::{StepState, Timestamp, Wait};
use crate::task::definition::{Graph, Region};
use crate::task::place::{FrameId, Key};

/// A time that has not come yet.
pub(super) const NEVER: Timestamp = Timestamp(u64::MAX);

/// The end of a list of frames.
const NONE: u32 = u32::MAX;

/// What a step has asked the driver for and not heard of yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    /// Nothing.
    Idle,
    /// The values of its expressions.
    Asked,
    /// The end of an attempt, of an undo or of a reconciliation.
    Attempt,
    /// What is left of it from before the run was taken up again.
    Recall,
}

/// What a run that was taken up again makes of a step's earlier result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fresh {
    /// It is kept, if there is one.
    Not,
    /// Some step in its regions runs anew, so what comes after it does too.
    Inside,
    /// The step runs anew, and every region it opens from then on.
    Entirely,
}

/// One step of one frame. Kept small: a run has one for every step that is
/// open at the time.
#[derive(Debug)]
pub(super) struct Node {
    pub state: StepState,
    /// When its first attempt, wait or question began.
    pub started: Timestamp,
    /// When its latest attempt was decided, or began.
    pub since: Timestamp,
    /// When it ended; an undo does not change that.
    pub ended: Timestamp,
    /// Why the last attempt failed. Boxed, as most steps never have one.
    pub failure: Option<Box<Failure>>,
    pub attempt: u32,
    /// Tells apart everything that the step waits for over time.
    pub epoch: u32,
    /// A `for`: the number of items. A task whose outcome is unknown:
    /// reconciliations lost in a row.
    pub total: u32,
    /// A `for`: the next item to open. A `while`: the turn it is at. A task
    /// whose outcome is unknown: the reconciliation it is at, from 1.
    pub next: u32,
    /// Frames of the step that have not ended.
    pub live: u32,
    /// Needs that have not ended.
    pub pending: u16,
    /// Attempts lost in a row.
    pub losses: u16,
    pub activity: Activity,
    /// An attempt was lost, so the next one says that it has begun before it
    /// does: what was only decided is no further loss.
    pub guarded: bool,
    /// Its undo or its reconciliation has asked for its turn.
    pub asks: bool,
    /// The latest attempt has begun, and was not only decided.
    pub begun: bool,
    /// Its slot has a value: it succeeded, or its failure is a value.
    pub valued: bool,
    /// What is left of it from before has been asked for.
    pub asked: bool,
    /// It fails once its frames have ended: the failure came from inside.
    pub doomed: bool,
    /// Its outcome is unknown, and its frame waits for a reconciliation or an
    /// operator.
    pub unresolved: bool,
    pub fresh: Fresh,
}

/// How far a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its steps are under way.
    Steps,
    /// Its `#[always]` steps are under way, or its undo after them.
    Always,
    /// The driver was asked for its value.
    Yielding,
    /// Nothing of it runs any more; its values may still be needed.
    Ended,
}

/// How a workflow frame is going.
#[derive(Debug, PartialEq)]
pub(super) enum BodyOutcome {
    Well,
    /// A step failed: the first one, its attempts and why.
    Failed(Key, u32, Failure),
    /// It was stopped from outside.
    Cancelled,
}

/// How far a question is that is asked once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Not,
    /// Its answer is owed.
    Yes,
    Answered,
}

/// What only the frame of a workflow's body has, the run's or a child's.
#[derive(Debug)]
pub(super) struct BodyFrame {
    pub outcome: BodyOutcome,
    /// Finished steps that can be undone, with their place in the order of
    /// completion over the whole run.
    pub undoable: Vec<(u64, Key)>,
    /// Whether it was asked which steps it holds and has not come to.
    pub held: Asked,
    /// Whether `undoable` has to be sorted before use.
    pub unsorted: bool,
    /// The step being undone.
    pub undoing: Option<Key>,
    /// When its undo began.
    pub undo_since: Timestamp,
    /// When the next attempt of it is due, once one has failed.
    pub undo_due: Timestamp,
    /// Frames that lost a `select!` and are still cleaning up.
    pub ghosts: u32,
}

/// One opened region.
#[derive(Debug)]
pub(super) struct Frame {
    pub generation: u32,
    /// Whether the place is taken; what is not waits to be reused.
    live: bool,
    /// Closed by the current event.
    closed: bool,
    pub graph: &'static Graph,
    pub region: &'static Region,
    /// The number of the region in its graph.
    pub number: u16,
    pub parent: Option<Key>,
    /// Which item or turn.
    pub index: u32,
    /// The frame of the workflow around: itself for a body.
    pub scope: u32,
    pub phase: Phase,
    /// No normal step starts in it any more.
    pub halted: bool,
    /// It ended without a value and stays until its region step is settled,
    /// so that the path of a failure can be told.
    pub dead: bool,
    /// It lost a `select!`; nothing waits for its value.
    pub ghost: bool,
    /// It belongs to an `#[always]` step: its steps are not undone.
    pub exempt: bool,
    /// It is the race of a `select!`.
    pub race: bool,
    /// The step that opened it ran anew, so all of its steps do.
    pub fresh: bool,
    /// A normal step of it runs anew, and so its `#[always]` steps will.
    pub stirred: bool,
    /// Normal steps that have not ended.
    pub open: u32,
    /// `#[always]` steps that have not ended.
    pub open_always: u32,
    /// Steps whose undo may still need the frame's values, and workflows
    /// that failed by one of its steps.
    pub keeps: u32,
    first_child: u32,
    last_child: u32,
    next_sibling: u32,
    previous_sibling: u32,
    pub nodes: Vec<Node>,
    pub body: Option<Box<BodyFrame>>,
}

/// What a new frame is.
pub(super) struct Opening {
    pub graph: &'static Graph,
    pub number: u16,
    pub parent: Option<Key>,
    pub index: u32,
    pub exempt: bool,
    pub race: bool,
    /// It is opened for an undo alone: nothing runs in it.
    pub ended: bool,
    /// The workflow frame around, or `None` when the frame is one itself.
    pub scope: Option<u32>,
}

/// All frames of a run. The place of a closed frame is used again, with the
/// buffers it has.
#[derive(Debug, Default)]
pub(super) struct Frames {
    slab: Vec<Frame>,
    free: Vec<u32>,
    closed: Vec<u32>,
}

impl Node {
    fn new(pending: u16) -> Self {
        Self {
            state: StepState::Waiting(Wait::Dependencies),
            started: NEVER,
            since: NEVER,
            ended: NEVER,
            failure: None,
            attempt: 0,
            epoch: 0,
            total: 0,
            next: 0,
            live: 0,
            pending,
            losses: 0,
            activity: Activity::Idle,
            guarded: false,
            asks: false,
            begun: false,
            valued: false,
            asked: false,
            doomed: false,
            unresolved: false,
            fresh: Fresh::Not,
        }
    }
}

impl Frames {
    /// The frame at an index that is known to be open.
    #[inline]
    pub fn at(&self, index: u32) -> &Frame {
        &self.slab[index as usize]
    }

    #[inline]
    pub fn at_mut(&mut self, index: u32) -> &mut Frame {
        &mut self.slab[index as usize]
    }

    /// The frame, unless an earlier event has closed it.
    #[inline]
    pub fn get(&self, id: FrameId) -> Option<&Frame> {
        self.slab.get(id.index as usize).filter(|frame| frame.live && frame.generation == id.generation)
    }

    /// The step, unless its frame is closed.
    #[inline]
    pub fn node(&self, key: Key) -> Option<&Node> {
        self.get(key.frame)?.nodes.get(key.step as usize)
    }

    #[inline]
    fn get_mut(&mut self, id: FrameId) -> Option<&mut Frame> {
        self.slab.get_mut(id.index as usize).filter(|frame| frame.live && frame.generation == id.generation)
    }

    #[inline]
    pub fn node_mut(&mut self, key: Key) -> Option<&mut Node> {
        self.get_mut(key.frame)?.nodes.get_mut(key.step as usize)
    }

    #[inline]
    pub fn id(&self, index: u32) -> FrameId {
        FrameId { index, generation: self.at(index).generation }
    }

    /// The open frames.
    pub fn iter(&self) -> impl Iterator<Item = (FrameId, &Frame)> {
        (0..).zip(&self.slab).filter(|(_, frame)| frame.live && !frame.closed).map(|(index, frame)| {
            let generation = frame.generation;
            (FrameId { index, generation }, frame)
        })
    }

    pub fn is_open(&self, index: u32) -> bool {
        let frame = self.at(index);
        frame.live && !frame.closed
    }

    pub fn open(&mut self, opening: Opening) -> u32 {
        let region = &opening.graph.regions[opening.number as usize];
        // A frame takes far more than a byte: no memory holds `u32::MAX`.
        let index = self.free.pop().unwrap_or(self.slab.len() as u32);
        let (generation, mut nodes) = match self.slab.get_mut(index as usize) {
            Some(old) => (old.generation.wrapping_add(1), std::mem::take(&mut old.nodes)),
            None => (0, Vec::new()),
        };
        // A step's number is a `u16`, so no step needs more than that many.
        nodes.extend(region.steps.iter().map(|step| Node::new(step.needs.len() as u16)));
        if opening.ended {
            nodes.iter_mut().for_each(|node| node.state = StepState::Skipped);
        }
        let always = region.steps.iter().filter(|step| step.always).count() as u32;
        let fresh = opening
            .parent
            .and_then(|parent| self.node(parent))
            .is_some_and(|parent| parent.fresh == Fresh::Entirely);
        let body = opening.scope.is_none().then(|| {
            Box::new(BodyFrame {
                outcome: BodyOutcome::Well,
                undoable: Vec::new(),
                held: Asked::Not,
                unsorted: false,
                undoing: None,
                undo_since: NEVER,
                undo_due: NEVER,
                ghosts: 0,
            })
        });
        let frame = Frame {
            generation,
            live: true,
            closed: false,
            graph: opening.graph,
            region,
            number: opening.number,
            parent: opening.parent,
            index: opening.index,
            scope: opening.scope.unwrap_or(index),
            phase: if opening.ended { Phase::Ended } else { Phase::Steps },
            halted: opening.ended,
            dead: false,
            ghost: false,
            exempt: opening.exempt,
            race: opening.race,
            fresh,
            stirred: false,
            open: region.steps.len() as u32 - always,
            open_always: always,
            keeps: 0,
            first_child: NONE,
            last_child: NONE,
            next_sibling: NONE,
            previous_sibling: NONE,
            nodes,
            body,
        };
        match self.slab.get_mut(index as usize) {
            Some(place) => *place = frame,
            None => self.slab.push(frame),
        }
        if let Some(parent) = opening.parent {
            self.adopt(parent.frame.index, index);
        }
        index
    }

    /// Closes a frame that has no children. It can still be looked at until
    /// the next event, as the actions before its end may be about its steps.
    pub fn close(&mut self, index: u32) {
        let frame = self.at_mut(index);
        frame.closed = true;
        if let Some(parent) = frame.parent {
            self.disown(parent.frame.index, index);
        }
        self.closed.push(index);
    }

    /// A frame that the latest event has closed, or any frame.
    pub fn take_closed(&mut self, id: FrameId, any: bool) -> Option<&mut Frame> {
        self.get_mut(id).filter(|frame| frame.closed || any)
    }

    /// Forgets all frames.
    pub fn clear(&mut self) {
        self.slab.clear();
        self.free.clear();
        self.closed.clear();
    }

    pub fn capacity(&self) -> usize {
        self.slab.capacity()
    }

    /// Frees the places of closed frames.
    #[inline]
    pub fn sweep(&mut self) {
        while let Some(index) = self.closed.pop() {
            let frame = self.at_mut(index);
            frame.live = false;
            frame.nodes.clear();
            frame.body = None;
            self.free.push(index);
        }
    }

    /// The frames opened by steps of this one, in the order they were opened.
    pub fn children(&self, index: u32) -> impl Iterator<Item = u32> {
        let some = |index: u32| (index != NONE).then_some(index);
        std::iter::successors(some(self.at(index).first_child), move |&child| {
            some(self.at(child).next_sibling)
        })
    }

    pub fn has_children(&self, index: u32) -> bool {
        self.at(index).first_child != NONE
    }

    fn adopt(&mut self, parent: u32, child: u32) {
        let last = std::mem::replace(&mut self.at_mut(parent).last_child, child);
        if last == NONE {
            self.at_mut(parent).first_child = child;
        } else {
            self.at_mut(last).next_sibling = child;
            self.at_mut(child).previous_sibling = last;
        }
    }

    fn disown(&mut self, parent: u32, child: u32) {
        let (previous, next) = (self.at(child).previous_sibling, self.at(child).next_sibling);
        if previous == NONE {
            self.at_mut(parent).first_child = next;
        } else {
            self.at_mut(previous).next_sibling = next;
        }
        if next == NONE {
            self.at_mut(parent).last_child = previous;
        } else {
            self.at_mut(next).previous_sibling = previous;
        }
    }
}
