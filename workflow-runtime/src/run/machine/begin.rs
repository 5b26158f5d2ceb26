//! Starting steps: each kind in its own way, once its needs have ended.

use super::frame::{Activity, NEVER, Opening, Phase};
use super::recall::may_be_recalled;
use super::transition::Transition;
use crate::failure::Failure;
use crate::run::SignalId;
use crate::run::effect::Action;
use crate::run::event::{Answer, Refused};
use crate::run::state::{StepState, Timestamp, Wait};
use crate::task::definition::{Kind, TaskStep};
use crate::task::place::{FrameId, Key};

impl Transition<'_> {
    /// Opens the body of the run.
    pub fn begin_run(&mut self) {
        let graph = self.machine.graph;
        self.open(Opening {
            graph,
            number: 0,
            parent: None,
            index: 0,
            exempt: false,
            race: false,
            ended: false,
            scope: None,
        });
    }

    /// Begins a step, if it can.
    #[inline]
    pub fn begin(&mut self, key: Key) {
        let Some(frame) = self.machine.frames.get(key.frame) else { return };
        let node = &frame.nodes[key.step as usize];
        let step = &frame.region.steps[key.step as usize];
        if node.pending > 0 || node.state != StepState::Waiting(Wait::Dependencies) {
            return;
        }
        // It was asked before its turn, and ends with the answer.
        if node.activity == Activity::Recall {
            return;
        }
        if step.always {
            // It comes up again when the frame reaches that phase.
            if frame.phase != Phase::Always {
                return;
            }
            if !step.needs.iter().all(|&need| frame.nodes[need as usize].valued) {
                self.set(key, StepState::UpstreamFailed);
                self.settle(key);
                return;
            }
        }
        let kept = self.machine.resuming && self.is_kept(key);
        // Held by no pause: to remember starts nothing, and what was done has
        // to be known if the run is cancelled.
        if self.machine.resuming && may_be_recalled(&step.kind) && !self.node(key).asked {
            self.recall(key, !kept);
            return;
        }
        if !kept && self.holds(key) {
            self.hold(key);
            return;
        }
        self.begin_step(key);
    }

    /// Begins a step that nothing holds up, each kind in its own way.
    #[inline]
    pub fn begin_step(&mut self, key: Key) {
        match &self.step(key).kind {
            Kind::Task(task) if task.task.child.is_none() => self.begin_attempt(key, task),
            Kind::Signal { name, key: None, within: None, .. } => {
                self.node_mut(key).attempt = 1;
                self.await_signal(key, SignalId { name, key: None }, None);
            }
            Kind::Task(_)
            | Kind::Signal { .. }
            | Kind::Sleep(_)
            | Kind::Map { .. }
            | Kind::Loop { .. }
            | Kind::Branch { .. }
            | Kind::Compute(_)
            | Kind::Check(_) => {
                self.run_once(key);
                self.ask(key, 0);
            }
            Kind::Select { race, .. } => {
                self.run_once(key);
                self.open_child(key, *race, 0, true);
            }
        }
    }

    /// A step that has no attempts of its own begins its only one.
    fn run_once(&mut self, key: Key) {
        self.start_clock(key);
        self.node_mut(key).attempt = 1;
        self.set(key, StepState::Running);
    }

    pub fn ask(&mut self, key: Key, turn: u32) {
        self.set_activity(key, Activity::Asked);
        self.act(Action::Evaluate { key, turn });
    }

    /// Another attempt of a task, unless the run is paused.
    pub fn attempt_again(&mut self, key: Key, task: &TaskStep) {
        if self.holds(key) {
            self.hold(key);
        } else {
            self.begin_attempt(key, task);
        }
    }

    /// The next attempt of a task: at once, or when its limits have room.
    #[inline]
    pub fn begin_attempt(&mut self, key: Key, task: &TaskStep) {
        let epoch = self.next_epoch(key);
        let limited = task.task.concurrency.is_some() || task.task.rate.is_some();
        let losses = self.losses_to_tell(key, task.policy);
        if limited || losses > 0 {
            self.set(key, StepState::Waiting(if limited { Wait::Slot } else { Wait::Turn }));
            self.act(Action::Acquire { key, epoch, limited, losses });
        } else {
            self.start_attempt(key, task);
        }
    }

    /// Starts the attempt under the current epoch: the one of the request for
    /// room, where there was one.
    #[inline]
    pub fn start_attempt(&mut self, key: Key, task: &TaskStep) {
        self.start_clock(key);
        let node = self.node_mut(key);
        node.attempt += 1;
        let (attempt, epoch, first) = (node.attempt, node.epoch, node.started);
        // What an undo or an operator's second try may need is not consumed.
        let last =
            attempt >= task.policy.retry.attempts && task.task.undo.is_none() && !task.task.at_most_once;
        let deadline = task.policy.deadline.map(|deadline| first.after(deadline));
        self.set(key, StepState::Running);
        self.set_activity(key, Activity::Attempt);
        self.act(Action::Start { key, epoch, attempt, last, deadline });
    }

    /// A limit has room, or the turn of an attempt has come.
    pub fn granted(&mut self, key: Key, epoch: u32) -> Result<(), Refused> {
        let node = self.expect(key)?;
        if node.epoch != epoch {
            return Err(Refused::Stale);
        }
        match (node.state, &self.step(key).kind) {
            (StepState::Waiting(Wait::Slot | Wait::Turn), Kind::Task(task)) => self.start_attempt(key, task),
            (StepState::Undoing, _) if node.asks => self.undo_now(key),
            (StepState::OutcomeUnknown, _) if node.asks => self.reconcile_now(key),
            _ => return Err(Refused::Unexpected),
        }
        Ok(())
    }

    /// An expression was evaluated.
    pub fn answered(&mut self, key: Key, answer: Result<Answer, Failure>) -> Result<(), Refused> {
        if self.expect(key)?.activity != Activity::Asked {
            return Err(Refused::Unexpected);
        }
        let kind = &self.step(key).kind;
        let fits = match (&answer, kind) {
            (Err(_), _)
            | (Ok(Answer::Value), Kind::Task(_) | Kind::Compute(_) | Kind::Check(_))
            | (Ok(Answer::Until(_)), Kind::Sleep(_) | Kind::Signal { key: None, .. })
            | (Ok(Answer::Awaits { .. }), Kind::Signal { key: Some(_), .. })
            | (Ok(Answer::Turn(_)), Kind::Loop { .. }) => true,
            (Ok(Answer::Arm(arm)), Kind::Branch { arms, .. }) => *arm < arms.len(),
            (Ok(Answer::Items(count)), Kind::Map { .. }) => u32::try_from(*count).is_ok(),
            _ => false,
        };
        if !fits {
            return Err(Refused::Unexpected);
        }
        self.set_activity(key, Activity::Idle);
        match (answer, kind) {
            (Err(failure), _) => self.fail(key, failure, None),
            (Ok(Answer::Value), Kind::Task(task)) => self.open_workflow(key, task),
            (Ok(Answer::Value), _) => self.succeed(key),
            (Ok(Answer::Until(until)), Kind::Signal { name, .. }) => {
                self.await_signal(key, SignalId { name, key: None }, Some(until));
            }
            (Ok(Answer::Awaits { key: of, until }), Kind::Signal { name, .. }) => {
                self.await_signal(key, SignalId { name, key: Some(of) }, until);
            }
            (Ok(Answer::Until(until)), _) => self.await_time(key, Wait::Timer { until }, until),
            (Ok(Answer::Arm(arm)), Kind::Branch { arms, .. }) => self.open_child(key, arms[arm], 0, false),
            (Ok(Answer::Items(count)), _) => self.begin_items(key, count as u32),
            (Ok(Answer::Turn(more)), _) => self.turn(key, more),
            // An arm is only answered to a branch, and a key to a signal, or the
            // answer did not fit.
            (Ok(Answer::Arm(_) | Answer::Awaits { .. }), _) => {}
        }
        Ok(())
    }

    /// Waits for a time, under a new epoch.
    pub fn await_time(&mut self, key: Key, wait: Wait, at: Timestamp) {
        let epoch = self.next_epoch(key);
        self.set(key, StepState::Waiting(wait));
        self.act(Action::Timer { key, epoch, at });
    }

    /// Opens a region of the step's own workflow.
    pub fn open_child(&mut self, key: Key, region: u16, index: u32, race: bool) {
        let frame = self.machine.frames.at(key.frame.index);
        let exempt = frame.exempt || self.step(key).always;
        let (graph, scope) = (frame.graph, Some(frame.scope));
        self.node_mut(key).live += 1;
        let (parent, ended) = (Some(key), false);
        self.open(Opening { graph, number: region, parent, index, exempt, race, ended, scope });
    }

    /// Opens the body of a child workflow.
    fn open_workflow(&mut self, key: Key, task: &TaskStep) {
        // A task without a child is never asked for its parameters.
        let Some(graph) = task.task.child else { return };
        self.node_mut(key).live += 1;
        let parent = Some(key);
        let (exempt, race, ended) = (false, false, false);
        self.open(Opening { graph, number: 0, parent, index: 0, exempt, race, ended, scope: None });
    }

    fn open(&mut self, opening: Opening) {
        let (parent, region, index) = (opening.parent, opening.number, opening.index);
        let opened = self.machine.frames.open(opening);
        let id = self.machine.frames.id(opened);
        self.act(Action::Open { frame: id, parent, region, index });
        self.begin_all(id);
    }

    /// Queues the steps of a new frame that need nothing.
    fn begin_all(&mut self, id: FrameId) {
        let frame = self.machine.frames.at(id.index);
        if frame.open == 0 {
            self.machine.work.push(super::transition::Pending::Advance(id));
        }
        for (number, step) in (0..).zip(frame.region.steps) {
            if step.needs.is_empty() && !step.always {
                self.machine.work.push(super::transition::Pending::Begin(Key { frame: id, step: number }));
            }
        }
    }

    /// When the step first did something, for its limits in time.
    pub fn first_start(&self, key: Key) -> Timestamp {
        let started = self.node(key).started;
        if started == NEVER { self.now } else { started }
    }
}
