//! Where a step is in its run.

use std::sync::Arc;

use crate::task::definition::{Graph, Kind, Region, Step};

/// One opened region of a run. Never reused within a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameId {
    /// Where the frame is kept.
    pub index: u32,
    /// Tells the frames apart that were kept there one after the other.
    pub generation: u32,
}

impl FrameId {
    /// The frame of the workflow's body.
    pub const ROOT: Self = Self { index: 0, generation: 0 };
}

/// One step of one run: a frame, and the step's number in its region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The frame.
    pub frame: FrameId,
    /// The step's number in the frame's region.
    pub step: u16,
}

/// A step below the body of a workflow, whether or not the regions on the way
/// to it are open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldStep {
    /// The regions on the way, from the outside.
    pub within: Vec<Within>,
    /// The step's number in the last of them, or in the body.
    pub step: u16,
}

/// A region on the way to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Within {
    /// The step that opens it.
    pub step: u16,
    /// Its number in its graph.
    pub region: u16,
    /// Which item of a `for`, which turn of a `while`.
    pub index: u32,
}

/// Where a frame is in its run. Shared with everything that may have to name a
/// step after the frame is gone, so that a path is only ever written when it is
/// read.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) parent: Option<(Arc<Scope>, u16)>,
    pub(crate) graph: &'static Graph,
    pub(crate) region: &'static Region,
    /// Which item of a `for`, which turn of a `while`.
    pub(crate) index: u32,
}

impl Scope {
    /// The path of a step, such as `nightly/priced[3]/quote`.
    pub(crate) fn path(&self, step: u16) -> String {
        let mut path = String::new();
        self.write(&mut path);
        path.push('/');
        path.push_str(self.step(step).map_or("?", |step| step.name));
        path
    }

    /// The path of what the region is worth, such as `nightly/priced[3]/`.
    pub(crate) fn value_path(&self) -> String {
        let mut path = String::new();
        self.write(&mut path);
        path.push('/');
        path
    }

    pub(crate) fn step(&self, step: u16) -> Option<&'static Step> {
        self.region.steps.get(usize::from(step))
    }

    fn write(&self, path: &mut String) {
        let Some((parent, step)) = &self.parent else {
            path.push_str(self.graph.name);
            return;
        };
        path.push_str(&parent.path(*step));
        match parent.step(*step).map(|step| step.kind) {
            Some(Kind::Map { .. } | Kind::Loop { .. }) => path.push_str(&format!("[{}]", self.index)),
            // The body of a child workflow is its step, and so is a race.
            Some(Kind::Task(_)) | None => {}
            Some(_) if self.region.label.is_empty() => {}
            Some(_) => path.push_str(&format!("[{}]", self.region.label)),
        }
    }
}
