//! The machine itself.

use super::effect::Effects;
use super::event::{Event, Refused};
use super::state::{FrameId, Key, RunState, StepState, Timestamp};
use crate::definition::{Graph, Region, Step};

/// The state of one run.
#[derive(Debug)]
pub struct Machine {
    graph: &'static Graph,
}

impl Machine {
    /// A run that has not begun.
    #[must_use]
    pub fn new(graph: &'static Graph) -> Self {
        Self { graph }
    }

    /// Takes an event: changes the state and says what follows.
    ///
    /// # Errors
    /// When the event does not fit; the state is then unchanged.
    pub fn apply(&mut self, _now: Timestamp, _event: Event, _effects: &mut Effects) -> Result<(), Refused> {
        todo!()
    }

    /// The state of the run.
    #[must_use]
    pub fn run_state(&self) -> RunState {
        todo!()
    }

    /// The state of a step, or `None` when its frame is closed.
    #[must_use]
    pub fn state(&self, _key: Key) -> Option<StepState> {
        todo!()
    }

    /// The graph a frame is part of: the run's, or a child workflow's.
    #[must_use]
    pub fn graph_of(&self, _frame: FrameId) -> Option<&'static Graph> {
        Some(self.graph)
    }

    /// The region a frame was opened of.
    #[must_use]
    pub fn region_of(&self, _frame: FrameId) -> Option<&'static Region> {
        todo!()
    }

    /// The step behind a key.
    #[must_use]
    pub fn step(&self, _key: Key) -> Option<&'static Step> {
        todo!()
    }

    /// A step's path, such as `nightly/priced[3]/quote`.
    #[must_use]
    pub fn path(&self, _key: Key) -> Option<String> {
        todo!()
    }
}
