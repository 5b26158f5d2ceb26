//! Frames from their first step to their value: what `for`, `while`, `if`,
//! `match`, `select!` and child workflows do when one of theirs has ended.

use super::frame::{BodyOutcome, Fresh, Phase};
use super::transition::{Pending, Transition};
use crate::failure::{Cause, Failure};
use crate::run::effect::Action;
use crate::run::event::Refused;
use crate::run::state::{RunState, StepState};
use crate::task::definition::{Kind, OnFailure};
use crate::task::place::{FrameId, Key};

/// How many items of a `for` are opened at once. Few, as an open one takes
/// memory, and yet enough for every worker. A journal does not say it, so to
/// change it would block the runs in flight that have more items.
const AT_ONCE: u32 = if cfg!(test) { 2 } else { 256 };

impl Transition<'_> {
    /// Takes a frame as far as it can go: from its steps to its `#[always]`
    /// steps and on to its value. What failed is undone in between.
    pub fn advance(&mut self, id: FrameId) {
        let Some(frame) = self.machine.frames.get(id) else { return };
        let waits = match frame.phase {
            Phase::Steps => frame.open > 0,
            Phase::Always => frame.open_always > 0,
            Phase::Yielding | Phase::Ended => true,
        };
        // A workflow also waits for what lost a `select!` in it, and its undo
        // comes when nothing else of it runs.
        let ghosts = frame.body.as_ref().is_some_and(|body| body.ghosts > 0);
        if waits || ghosts || (frame.halted && frame.body.is_some() && self.undo_next(id)) {
            return;
        }
        let frame = self.machine.frames.at_mut(id.index);
        if frame.phase == Phase::Steps {
            frame.phase = Phase::Always;
            if frame.open_always > 0 {
                for (number, step) in (0..).zip(frame.region.steps) {
                    if step.always && frame.nodes[number as usize].pending == 0 {
                        self.machine.work.push(Pending::Begin(Key { frame: id, step: number }));
                    }
                }
                return;
            }
        }
        if frame.halted {
            self.end_dead(id);
        } else {
            frame.phase = Phase::Yielding;
            self.machine.busy += 1;
            self.act(Action::Yield { frame: id });
        }
    }

    /// A frame's value is where its parent wants it.
    pub fn yielded(&mut self, id: FrameId, result: Result<(), Failure>) -> Result<(), Refused> {
        let frame = self.machine.frames.get(id).ok_or(Refused::Closed)?;
        if frame.phase != Phase::Yielding {
            return Err(Refused::Unexpected);
        }
        let parent = frame.parent;
        let is_body = frame.body.is_some();
        self.machine.busy -= 1;
        match (result, parent) {
            (Ok(()), None) => self.finish(),
            (Ok(()), Some(parent)) => {
                // Before the frame counts as ended, as it may then be closed.
                self.hand_over_undos(id.index);
                self.machine.frames.at_mut(id.index).phase = Phase::Ended;
                self.node_mut(parent).live -= 1;
                self.child_yielded(parent);
                self.try_close(id.index);
            }
            (Err(failure), _) if is_body => {
                // The workflow fails at its very end: what it did is undone.
                self.machine.frames.at_mut(id.index).phase = Phase::Always;
                self.fail_body(id, failure);
                self.machine.work.push(Pending::Advance(id));
            }
            (Err(failure), Some(parent)) => {
                let frame = self.machine.frames.at_mut(id.index);
                frame.phase = Phase::Ended;
                frame.dead = true;
                self.node_mut(parent).live -= 1;
                self.fail(parent, failure, None);
                self.release_failed(parent);
            }
            // A frame without a parent is the body of the run.
            (Err(_), None) => {}
        }
        Ok(())
    }

    /// The body's own expression failed; there is no step to blame but the
    /// one that stands for the workflow, or its last one.
    fn fail_body(&mut self, id: FrameId, failure: Failure) {
        let frame = self.machine.frames.at(id.index);
        let last = Key { frame: id, step: (frame.region.steps.len() as u16).saturating_sub(1) };
        let key = frame.parent.unwrap_or(last);
        let attempts = self.machine.frames.node(key).map_or(0, |node| node.attempt);
        self.machine.frames.at_mut(id.index).halted = true;
        self.blame(id.index, key, attempts, failure);
    }

    /// Notes why a workflow failed. The first failure is the one that is
    /// told, and its step can be looked at until then.
    pub fn blame(&mut self, body: u32, key: Key, attempts: u32, failure: Failure) {
        if let Some(body) = &mut self.machine.frames.at_mut(body).body
            && body.outcome == BodyOutcome::Well
        {
            body.outcome = BodyOutcome::Failed(key, attempts, failure);
            self.machine.frames.at_mut(key.frame.index).keeps += 1;
        }
    }

    /// A frame of the step has its value. The step may go on: had it been
    /// halted, then the frame too, and a halted frame has no value.
    fn child_yielded(&mut self, key: Key) {
        let node = self.node(key);
        match &self.step(key).kind {
            Kind::Map { .. } if node.next < node.total => self.open_item(key),
            Kind::Map { .. } if node.live == 0 => self.collected(key),
            Kind::Map { .. } => {}
            Kind::Loop { .. } => {
                let turn = node.next;
                self.ask(key, turn);
            }
            Kind::Task(_) => self.succeed(key),
            Kind::Branch { .. }
            | Kind::Select { .. }
            // These open no frames.
            | Kind::Signal { .. }
            | Kind::Sleep(_)
            | Kind::Compute(_)
            | Kind::Check(_) => self.collected(key),
        }
    }

    fn collected(&mut self, key: Key) {
        self.act(Action::Collect { key });
        self.succeed(key);
    }

    /// The items of a `for` are known.
    pub fn begin_items(&mut self, key: Key, count: u32) {
        self.node_mut(key).total = count;
        if count == 0 {
            self.collected(key);
        }
        self.open_items(key);
    }

    /// How many items are left that the limit of the `for` allows to be open.
    fn may_open(&self, key: Key) -> u32 {
        let Kind::Map { limit, .. } = self.step(key).kind else { return 0 };
        let node = self.node(key);
        let limit = limit.filter(|_| !self.machine.opens_all);
        let room = limit.unwrap_or(u32::MAX).max(1).saturating_sub(node.live);
        (node.total - node.next).min(room)
    }

    /// Opens some of the items that may be.
    fn open_items(&mut self, key: Key) {
        let may_open = self.may_open(key);
        for _ in 0..may_open.min(AT_ONCE) {
            self.open_item(key);
        }
        if may_open > AT_ONCE {
            self.act(Action::OpenMore { key });
        }
    }

    /// The items that are open leave workers idle.
    pub fn more_wanted(&mut self, key: Key) -> Result<(), Refused> {
        let node = self.expect(key)?;
        let goes_on = node.state == StepState::Running && !node.doomed && !self.is_halted(key);
        // All may have been opened since, each as another one ended.
        if !goes_on || self.may_open(key) == 0 {
            return Err(Refused::Unexpected);
        }
        self.open_items(key);
        Ok(())
    }

    fn open_item(&mut self, key: Key) {
        let Kind::Map { region, .. } = self.step(key).kind else { return };
        let node = self.node_mut(key);
        let index = node.next;
        node.next += 1;
        self.open_child(key, region, index, false);
    }

    /// The test of a `while` was evaluated.
    pub fn turn(&mut self, key: Key, more: bool) {
        let Kind::Loop { region, limit, .. } = self.step(key).kind else { return };
        let turn = self.node(key).next;
        if !more {
            self.collected(key);
        } else if turn >= limit {
            let turns = if limit == 1 { "turn" } else { "turns" };
            let words = format!("`while` was not done after its limit of {limit} {turns}");
            self.fail(key, Failure::new(Cause::Limit, words), None);
        } else {
            self.node_mut(key).next += 1;
            self.open_child(key, region, turn, false);
        }
    }

    /// The first step of a race to end: all others are cancelled, and its arm
    /// is opened.
    pub fn win(&mut self, winner: Key) {
        let race = winner.frame;
        // A race is opened by a `select!`.
        let Some(select) = self.machine.frames.at(race.index).parent else { return };
        let Kind::Select { arms, .. } = self.step(select).kind else { return };
        self.machine.frames.at_mut(race.index).phase = Phase::Ended;
        self.abandon_losers(race);
        self.node_mut(select).live -= 1;
        if self.node(winner).fresh != Fresh::Not {
            self.run_anew(select);
        }
        self.open_child(select, arms[winner.step as usize], 0, false);
        self.try_close(race.index);
    }

    /// A halted frame has ended: it has no value, and its step none either.
    fn end_dead(&mut self, id: FrameId) {
        let frame = self.machine.frames.at_mut(id.index);
        frame.phase = Phase::Ended;
        frame.dead = true;
        let ghost = frame.ghost;
        let Some(parent) = frame.parent else {
            self.finish();
            return;
        };
        let failed = match self.outcome(id.index) {
            BodyOutcome::Failed(key, attempts, failure) => Some((*key, *attempts, failure.clone())),
            BodyOutcome::Well | BodyOutcome::Cancelled => None,
        };
        let cause = failed.as_ref().map(|(key, ..)| *key);
        self.node_mut(parent).live -= 1;
        if ghost {
            // Its step was cancelled when it lost; only the workflow around
            // waited for it.
            let scope = self.machine.frames.at(parent.frame.index).scope;
            if let Some(body) = &mut self.machine.frames.at_mut(scope).body {
                body.ghosts -= 1;
            }
            let scope = self.machine.frames.id(scope);
            self.machine.work.push(Pending::Advance(scope));
            self.release(id.index);
        } else if let Some((first, attempts, failure)) = failed {
            // What fails a workflow is not recalled, so it has failed anew.
            if self.machine.resuming {
                self.run_anew(parent);
            }
            self.fail(parent, failure, Some((first, attempts)));
            self.release_failed(parent);
        } else if self.node(parent).live == 0 {
            self.conclude_dead(parent);
        }
        if let Some(cause) = cause {
            // A workflow around that fails by it keeps it for itself by now.
            self.unkeep(cause);
        }
    }

    /// The last frame of a region step has ended, and not well.
    fn conclude_dead(&mut self, key: Key) {
        let node = self.node(key);
        if node.doomed && node.failure.is_some() {
            self.conclude_failure(key);
            self.release_failed(key);
        } else if node.doomed {
            self.set(key, StepState::Failed);
            self.settle(key);
        } else {
            self.cancel_step(key);
        }
    }

    /// Closes the frames of a step whose failure is a value. Where it fails
    /// its workflow, they stay until that has ended, so that the path of the
    /// failed step can be told.
    fn release_failed(&mut self, key: Key) {
        if matches!(self.step(key).on_failure, OnFailure::FailRun) || self.node(key).live > 0 {
            return;
        }
        let mut children: Vec<u32> = self.machine.frames.children(key.frame.index).collect();
        children.retain(|&child| self.machine.frames.at(child).parent == Some(key));
        for child in children {
            self.release(child);
        }
    }

    /// Closes a frame that has ended and the frames below it, but for those
    /// whose values an undo may need.
    fn release(&mut self, index: u32) {
        let mut below = vec![index];
        let mut next = 0;
        while let Some(&frame) = below.get(next) {
            next += 1;
            self.machine.frames.at_mut(frame).dead = false;
            below.extend(self.machine.frames.children(frame));
        }
        // Children come after their parents, so from the back.
        for &frame in below.iter().rev() {
            if self.machine.frames.is_open(frame) {
                self.try_close(frame);
            }
        }
    }

    /// Closes an ended frame that nothing needs any more, and then those
    /// above it that were only kept for its sake.
    pub fn try_close(&mut self, mut index: u32) {
        loop {
            let frame = self.machine.frames.at(index);
            let done = frame.phase == Phase::Ended && !frame.dead && frame.keeps == 0;
            if !done || !self.machine.frames.is_open(index) || self.machine.frames.has_children(index) {
                return;
            }
            let parent = frame.parent;
            let id = self.machine.frames.id(index);
            self.machine.frames.close(index);
            self.act(Action::Close { frame: id });
            match parent {
                Some(parent) => index = parent.frame.index,
                None => return,
            }
        }
    }

    /// The run has ended. Its frames stay for callers that look at them, but
    /// their values go.
    fn finish(&mut self) {
        let frames = &self.machine.frames;
        let close = frames.iter().map(|(frame, _)| Action::Close { frame });
        self.effects.actions.extend(close);
        let (state, cause) = match self.outcome(FrameId::ROOT.index) {
            BodyOutcome::Well => (RunState::Succeeded, None),
            BodyOutcome::Failed(key, attempts, failure) => {
                (RunState::Failed, Some((*key, *attempts, failure.clone())))
            }
            BodyOutcome::Cancelled => (RunState::Cancelled, None),
        };
        self.set_run(state);
        self.act(Action::Finish { state, cause });
    }
}
