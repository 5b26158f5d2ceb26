//! What a life holds and never comes to: finished steps in regions that it has
//! not opened, or never opens. Where its workflow fails or is cancelled, they
//! are undone with all others.
//!
//! Their regions are opened as such that have ended: nothing starts in them,
//! and they stay only as long as an undo needs their values.

use super::frame::{Asked, Opening};
use super::transition::{Pending, Transition};
use crate::run::effect::Action;
use crate::run::event::Refused;
use crate::run::state::StepState;
use crate::task::definition::Kind;
use crate::task::place::{FrameId, HeldStep, Key, Within};

impl Transition<'_> {
    /// Asks which steps a failed workflow holds that this life has not come
    /// to. True until it is answered.
    pub fn asks_for_held(&mut self, scope: FrameId) -> bool {
        let undoes_held = self.machine.undoes_held;
        let Some(body) = &mut self.machine.frames.at_mut(scope.index).body else { return false };
        match body.held {
            Asked::Not if undoes_held => {
                body.held = Asked::Yes;
                self.machine.busy += 1;
                self.act(Action::RecallHeld { frame: scope });
                true
            }
            Asked::Yes => true,
            Asked::Not | Asked::Answered => false,
        }
    }

    /// It is known which steps a failed workflow holds.
    pub fn held_recalled(&mut self, scope: FrameId, steps: &[HeldStep]) -> Result<(), Refused> {
        let frame = self.machine.frames.get(scope).ok_or(Refused::Closed)?;
        if frame.body.as_ref().is_none_or(|body| body.held != Asked::Yes) {
            return Err(Refused::Unexpected);
        }
        if let Some(body) = &mut self.machine.frames.at_mut(scope.index).body {
            body.held = Asked::Answered;
        }
        self.machine.busy -= 1;
        for step in steps {
            self.restore(scope, step);
        }
        self.machine.work.push(Pending::Advance(scope));
        Ok(())
    }

    /// Has a step be undone that this life has not come to.
    fn restore(&mut self, scope: FrameId, held: &HeldStep) {
        if !self.can_be_undone(scope, held) {
            return;
        }
        let mut index = scope.index;
        for within in &held.within {
            index = self.region_that_ended(index, *within);
        }
        let key = Key { frame: self.machine.frames.id(index), step: held.step };
        let node = self.node_mut(key);
        // What this life has come to is remembered already.
        if node.valued {
            return;
        }
        (node.valued, node.attempt) = (true, 1);
        self.act(Action::Restore { key });
        self.set(key, StepState::Succeeded { cached: false });
        let order = self.machine.finished;
        self.machine.finished += 1;
        self.machine.frames.at_mut(index).keeps += 1;
        if let Some(body) = &mut self.machine.frames.at_mut(scope.index).body {
            body.undoable.push((order, key));
        }
    }

    /// Whether the graph has the step, it has an undo, and nothing on the way
    /// is a cleaning up, which stays done.
    fn can_be_undone(&self, scope: FrameId, held: &HeldStep) -> bool {
        let frame = self.machine.frames.at(scope.index);
        let (mut graph, mut region) = (frame.graph, frame.region);
        for within in &held.within {
            let Some(step) = region.steps.get(usize::from(within.step)).filter(|step| !step.always) else {
                return false;
            };
            if let Kind::Task(task) = step.kind {
                let Some(child) = task.task.child else { return false };
                graph = child;
            }
            let Some(inner) = graph.regions.get(usize::from(within.region)) else { return false };
            region = inner;
        }
        let step = region.steps.get(usize::from(held.step)).filter(|step| !step.always);
        step.is_some_and(|step| matches!(step.kind, Kind::Task(task) if task.task.undo.is_some()))
    }

    /// The region of a step in a frame, which is opened if it is not: one that
    /// has ended already.
    fn region_that_ended(&mut self, index: u32, within: Within) -> u32 {
        let frames = &self.machine.frames;
        let parent = Key { frame: frames.id(index), step: within.step };
        let is_it = |child: &u32| {
            let frame = frames.at(*child);
            (frame.parent, frame.number, frame.index) == (Some(parent), within.region, within.index)
        };
        if let Some(open) = frames.children(index).find(is_it) {
            return open;
        }
        let around = frames.at(index);
        let (graph, scope, race) = match self.step(parent).kind {
            Kind::Task(task) => (task.task.child.unwrap_or(around.graph), None, false),
            Kind::Select { race, .. } => (around.graph, Some(around.scope), race == within.region),
            _ => (around.graph, Some(around.scope), false),
        };
        let Within { region, index, .. } = within;
        let (parent, exempt, ended) = (Some(parent), false, true);
        let opening = Opening { graph, number: region, parent, index, exempt, race, ended, scope };
        let opened = self.machine.frames.open(opening);
        self.act(Action::Open { frame: self.machine.frames.id(opened), parent, region, index });
        opened
    }
}
