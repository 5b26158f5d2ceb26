//! A run that is taken up again: what its earlier lives have left is kept, and
//! what comes after a step that runs anew runs anew too.

use super::Machine;
use super::frame::{Activity, Fresh, Phase};
use super::transition::Transition;
use crate::run::SignalId;
use crate::run::effect::Action;
use crate::run::event::{Recalled, Refused};
use crate::run::state::{StepState, Timestamp, Wait};
use crate::task::definition::{Kind, OnFailure};
use crate::task::place::{FrameId, Key};

/// Whether something may be left of a step of this kind: whether it has
/// something to lose. All others are made of such steps, or pure.
pub(super) fn may_be_recalled(kind: &Kind) -> bool {
    match kind {
        Kind::Task(task) => task.task.child.is_none(),
        Kind::Signal { .. } | Kind::Sleep(_) => true,
        _ => false,
    }
}

impl Machine {
    /// Whether a step of a run that was taken up again runs anew: what it did
    /// before does not count, unless an operator has said so.
    #[must_use]
    pub fn runs_anew(&self, key: Key) -> bool {
        self.frames.node(key).is_some_and(|node| node.fresh == Fresh::Entirely)
    }

    /// Whether a region was opened by a step that runs anew, so that all in it
    /// does.
    #[must_use]
    pub fn begins_anew(&self, frame: FrameId) -> bool {
        self.frames.get(frame).is_none_or(|frame| frame.fresh)
    }

    /// Whether what a step has come to is what it had come to before: it has
    /// ended, and neither it nor anything in it runs anew.
    #[must_use]
    pub fn stands(&self, key: Key) -> bool {
        self.frames.node(key).is_some_and(|node| node.valued && node.fresh == Fresh::Not)
    }

    /// Whether a region is worth something else than before: it, or a step in
    /// it, runs anew.
    #[must_use]
    pub fn yields_anew(&self, frame: FrameId) -> bool {
        let Some(frame) = self.frames.get(frame) else { return false };
        frame.fresh || frame.nodes.iter().any(|node| node.fresh != Fresh::Not)
    }

    /// Whether this may be left of a step: a step of its path may have been of
    /// another kind before. False when its frame is closed.
    #[must_use]
    pub fn fits(&self, key: Key, recalled: &Recalled) -> bool {
        let Some(step) = self.step(key) else { return false };
        match (recalled, &step.kind) {
            (Recalled::Nothing | Recalled::Value, _) => true,
            (Recalled::Failed { .. }, _) => matches!(step.on_failure, OnFailure::Value(_)),
            (Recalled::Until(_), kind) => matches!(kind, Kind::Sleep(_) | Kind::Signal { key: None, .. }),
            (Recalled::Awaits { .. }, kind) => matches!(kind, Kind::Signal { key: Some(_), .. }),
            (Recalled::Backoff { .. } | Recalled::Suspected { .. } | Recalled::Unknown, kind) => {
                matches!(kind, Kind::Task(_))
            }
            (Recalled::Lost, _) => self.races_around(key).next().is_some(),
        }
    }

    /// The races that the step, or what it is part of, takes part in.
    fn races_around(&self, key: Key) -> impl Iterator<Item = u32> {
        let frames = &self.frames;
        let outwards = std::iter::successors(Some(key.frame.index), |&index| {
            frames.at(index).parent.map(|parent| parent.frame.index)
        });
        outwards.filter(|&index| frames.at(index).race)
    }
}

impl Transition<'_> {
    /// Whether earlier results of a step that begins, or of those in it, are
    /// still true. Otherwise it runs anew, and is marked so.
    pub fn is_kept(&mut self, key: Key) -> bool {
        let frame = self.machine.frames.at(key.frame.index);
        let step = self.step(key);
        let is_fresh = |need: &u16| frame.nodes[*need as usize].fresh != Fresh::Not;
        let anew = frame.fresh
            || self.node(key).fresh == Fresh::Entirely
            || step.needs.iter().any(is_fresh)
            // They come after all others of their region.
            || (step.always && frame.stirred);
        if anew {
            self.run_anew(key);
        }
        !anew
    }

    /// Marks a step that runs anew, and the region steps around it.
    pub fn run_anew(&mut self, mut key: Key) {
        self.node_mut(key).fresh = Fresh::Entirely;
        loop {
            let always = self.step(key).always;
            let frame = self.machine.frames.at_mut(key.frame.index);
            frame.stirred |= !always;
            // What is run anew to no end does not matter: the winner tells.
            if frame.race {
                return;
            }
            let Some(parent) = frame.parent else { return };
            // The next turn begins with what this one makes.
            let is_loop = matches!(self.step(parent).kind, Kind::Loop { .. });
            let fresh = if is_loop { Fresh::Entirely } else { Fresh::Inside };
            let node = self.node_mut(parent);
            // A step that has ended lost a race, and is cleaning up.
            if node.fresh >= fresh || node.state.is_ended() {
                return;
            }
            node.fresh = fresh;
            key = parent;
        }
    }

    /// Asks what is left of a step.
    pub fn recall(&mut self, key: Key, fresh: bool) {
        self.node_mut(key).asked = true;
        self.set_activity(key, Activity::Recall);
        self.act(Action::Recall { key, fresh });
    }

    /// Asks what a step did that ends without having begun, since its part of
    /// the run has failed or is stopped: in a life that holds results, that
    /// has to be undone. False where there is nothing to ask.
    pub fn recall_for_undo(&mut self, key: Key) -> bool {
        let node = self.node(key);
        let waits = node.state == StepState::Waiting(Wait::Dependencies);
        if !waits || !self.may_have_to_be_undone(key) {
            return false;
        }
        match (node.asked, node.activity) {
            (false, _) => self.recall(key, true),
            (true, Activity::Recall) => {}
            (true, _) => return false,
        }
        true
    }

    fn may_have_to_be_undone(&self, key: Key) -> bool {
        let step = self.step(key);
        let has_undo = matches!(step.kind, Kind::Task(task) if task.task.undo.is_some());
        self.machine.holding && has_undo && !step.always
    }

    /// It is known what is left of a step.
    pub fn recalled(&mut self, key: Key, recalled: Recalled) -> Result<(), Refused> {
        let activity = self.expect(key)?.activity;
        let step = self.step(key);
        // What a workflow came to is told where its parameters are asked for.
        let is_outcome = activity == Activity::Asked
            && matches!(step.kind, Kind::Task(task) if task.task.child.is_some())
            && matches!(recalled, Recalled::Failed { .. });
        if activity != Activity::Recall && !is_outcome {
            return Err(Refused::Unexpected);
        }
        if !self.machine.fits(key, &recalled) {
            return Err(Refused::Unexpected);
        }
        self.set_activity(key, Activity::Idle);
        let is_over = matches!(recalled, Recalled::Value | Recalled::Failed { .. } | Recalled::Unknown);
        if self.is_halted(key) && !is_over {
            self.cancel_step(key);
            return Ok(());
        }
        match recalled {
            Recalled::Lost => {
                self.machine.lost.push(key);
                return Ok(());
            }
            Recalled::Nothing => {
                self.run_anew(key);
                self.begin(key);
                return Ok(());
            }
            Recalled::Value | Recalled::Failed { .. } => {}
            Recalled::Until(_)
            | Recalled::Awaits { .. }
            | Recalled::Backoff { .. }
            | Recalled::Suspected { .. }
            | Recalled::Unknown => self.run_anew(key),
        }
        self.start_clock(key);
        let node = self.node_mut(key);
        node.attempt = 1;
        match (recalled, &step.kind) {
            (Recalled::Value, _) => self.succeed(key),
            (Recalled::Failed { attempts, failure }, _) => {
                node.attempt = attempts;
                node.failure = Some(Box::new(failure));
                self.conclude_failure(key);
            }
            (Recalled::Backoff { attempts, until, failure, losses }, _) => {
                (node.attempt, node.losses, node.guarded) = (attempts, losses, losses > 0);
                node.failure = Some(Box::new(failure));
                self.await_time(key, Wait::Backoff { until }, until);
            }
            (Recalled::Suspected { attempts, failure, losses }, _) => {
                (node.attempt, node.losses, node.guarded) = (attempts, losses, true);
                node.failure = Some(Box::new(failure));
                self.suspect(key);
            }
            (Recalled::Until(until), kind) => self.wait_on(key, kind, until),
            (Recalled::Awaits { key: of, until }, Kind::Signal { name, within, .. }) => {
                let signal = SignalId { name, key: Some(of) };
                // The time limit may have been taken away since.
                self.await_signal(key, signal, until.filter(|_| within.is_some()));
            }
            (_, Kind::Task(task)) => self.lose_track(key, task, None),
            _ => {}
        }
        Ok(())
    }

    /// Waits for a time that was decided before.
    fn wait_on(&mut self, key: Key, kind: &Kind, until: Timestamp) {
        match kind {
            // The time limit may have been taken away since.
            Kind::Signal { name, within, .. } => {
                self.await_signal(key, SignalId { name, key: None }, within.map(|_| until));
            }
            _ => self.await_time(key, Wait::Timer { until }, until),
        }
    }

    /// Begins those that have lost their `select!` before, where it turns out
    /// that nothing is left of the one that won. False when there are none.
    pub fn begin_lost(&mut self) -> bool {
        let mut begun = false;
        for key in std::mem::take(&mut self.machine.lost) {
            let waits = self.machine.frames.node(key).is_some_and(|node| {
                node.state == StepState::Waiting(Wait::Dependencies) && node.activity == Activity::Idle
            });
            if !waits {
                continue;
            }
            if self.machine.races_around(key).any(|race| self.may_be_decided(race)) {
                self.machine.lost.push(key);
            } else {
                self.run_anew(key);
                self.begin(key);
                begun = true;
            }
        }
        begun
    }

    /// Whether a race may yet be decided by what is left of it: an answer is
    /// awaited in it.
    fn may_be_decided(&self, race: u32) -> bool {
        if self.machine.frames.at(race).phase == Phase::Ended {
            return false;
        }
        let mut below = vec![race];
        while let Some(index) = below.pop() {
            let frame = self.machine.frames.at(index);
            let asked = |activity| matches!(activity, Activity::Asked | Activity::Recall);
            if frame.phase == Phase::Yielding || frame.nodes.iter().any(|node| asked(node.activity)) {
                return true;
            }
            below.extend(self.machine.frames.children(index));
        }
        false
    }
}
