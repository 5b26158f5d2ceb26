//! A driver with a simulated clock. It answers everything, in an order that
//! chance decides, and minds what it is asked.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use super::chance::Chance;
use super::fate::Fate;
use super::meddle::Meddlers;
use super::memory::Memory;
use super::watch::Watch;
use super::written::Journal;
use crate::run::machine::Machine;
use crate::run::{
    Action, Answer, AttemptEnd, Effects, Event, FrameId, Key, Refused, RunState, SignalId, StepState,
    Timestamp,
};
use crate::task::Retryability;
use crate::task::definition::{Graph, Kind};

pub struct Driver {
    pub machine: Machine,
    graph: &'static Graph,
    effects: Effects,
    fate: Fate,
    pub chance: Chance,
    pub watch: Watch,
    pub meddlers: Meddlers,
    memory: Memory,
    journal: Journal,
    now: Timestamp,
    /// What will happen: the time, a number that tells equal times apart, and
    /// the place in `events`.
    queue: BinaryHeap<Reverse<(Timestamp, u64, usize)>>,
    events: Vec<Event>,
    /// What happens before that.
    prompt: VecDeque<Event>,
    /// Attempts under way, with their epochs.
    pub attempts: BTreeMap<Key, u32>,
    /// Questions without an answer.
    questions: usize,
    cancelled: bool,
    pub finished: bool,
}

impl Driver {
    pub fn new(graph: &'static Graph, fate: Fate, chance: Chance) -> Self {
        Self {
            machine: Machine::new(graph),
            graph,
            effects: Effects { observed: true, ..Effects::default() },
            fate,
            chance,
            watch: Watch::default(),
            meddlers: Meddlers::default(),
            memory: Memory::default(),
            journal: Journal::default(),
            now: Timestamp(0),
            queue: BinaryHeap::new(),
            events: Vec::new(),
            prompt: VecDeque::new(),
            attempts: BTreeMap::new(),
            questions: 0,
            cancelled: false,
            finished: false,
        }
    }

    pub fn run_state(&self) -> RunState {
        self.machine.run_state()
    }

    /// Runs to the end.
    pub fn run(&mut self) {
        self.run_for(100_000);
        assert!(self.finished, "the run does not end");
        self.journal.check(self.graph, &self.machine, &self.watch);
        let late = self.machine.apply(self.now, Event::CancelRequested, &mut self.effects);
        assert_eq!(late, Err(Refused::Ended));
    }

    /// Runs for so many events, or to the end. Then the process dies.
    pub fn run_for(&mut self, events: u64) {
        self.apply(Event::Begun);
        for count in 1..=events {
            if self.finished {
                return;
            }
            self.meddle();
            if self.finished {
                return;
            }
            if self.fate.cancel_after == Some(count) {
                self.cancel();
            } else if let Some(event) = self.prompt.pop_front() {
                self.apply(event);
            } else if let Some(Reverse((time, _, place))) = self.queue.pop() {
                self.now = self.now.max(time);
                let event = self.events[place].clone();
                self.apply(event);
            } else {
                self.idle();
            }
        }
    }

    /// Has the run taken up again, with what its lives so far have left.
    pub fn take_up(&mut self) {
        self.journal.check(self.graph, &self.machine, &self.watch);
        self.memory.end_life(&self.machine);
        self.journal.taken_up(self.now, self.graph);
        self.machine = Machine::resuming(self.graph);
        self.watch = Watch::default();
        self.queue.clear();
        self.events.clear();
        self.prompt.clear();
        self.attempts.clear();
        self.questions = 0;
        (self.cancelled, self.finished) = (false, false);
    }

    /// Nothing will happen by itself: the run must wait for someone outside.
    fn idle(&mut self) {
        let signal = self.machine.awaited().next().map(|(_, signal)| signal.clone());
        let unknown = self.machine.steps().any(|view| view.unresolved);
        let suspected = self.machine.steps().find(|view| view.state == StepState::Suspected);
        let suspected = suspected.map(|view| view.key);
        match signal {
            _ if self.machine.is_paused() => self.apply(Event::Resumed { over_budget: Vec::new() }),
            _ if suspected.is_some() => {
                suspected.into_iter().for_each(|key| self.apply(Event::RetryRequested { key }));
            }
            _ if unknown && self.chance.once_in(2) && self.settle_one() => {}
            Some(signal) => self.apply(Event::Signalled { signal, step: None }),
            _ if unknown && !self.cancelled => self.cancel(),
            _ => {
                let steps = self.machine.steps().filter(|view| !view.state.is_ended());
                let steps = steps.map(|view| (self.machine.path(view.key).unwrap(), view.state, view.step));
                panic!("the run is stuck: {:#?}", steps.collect::<Vec<_>>())
            }
        }
    }

    fn cancel(&mut self) {
        self.cancelled = true;
        self.watch.cancelled();
        self.apply(Event::CancelRequested);
    }

    pub fn apply(&mut self, event: Event) {
        let expected = self.is_expected(&event);
        if self.chance.once_in(16) {
            self.apply_nonsense(&event);
        }
        match event {
            Event::Answered { .. } | Event::Yielded { .. } | Event::Recalled { .. } => self.questions -= 1,
            Event::AttemptEnded { key, .. } if expected == Some(true) => {
                self.attempts.remove(&key);
            }
            _ => {}
        }
        match (self.machine.apply(self.now, event.clone(), &mut self.effects), expected) {
            (Ok(()), Some(false)) => panic!("{event:?} came too late and was taken"),
            (Err(refused), Some(true)) => panic!("{event:?} was {refused}"),
            (Ok(()), _) => {
                self.journal.note(self.now, self.graph, &event);
                self.perform();
            }
            (Err(_), _) => assert!(self.effects.actions.is_empty() && self.effects.changes.is_empty()),
        }
        self.check_run_state();
    }

    /// Whether the event must be taken or refused, where that is known.
    fn is_expected(&self, event: &Event) -> Option<bool> {
        match event {
            Event::AttemptEnded { key, epoch, .. } => Some(self.attempts.get(key) == Some(epoch)),
            // A step may have been stopped since it asked.
            Event::Answered { .. } | Event::Yielded { .. } => None,
            Event::TimerFired { .. } | Event::TimerFiredLate { .. } => None,
            Event::Granted { .. } | Event::BudgetOver { .. } => None,
            Event::Begun | Event::Signalled { .. } | Event::CancelRequested => Some(true),
            Event::GraceOver | Event::Paused | Event::Resumed { .. } => Some(true),
            Event::Set { .. } | Event::RetryRequested { .. } | Event::UndoGivenUp { .. } => Some(true),
            Event::Recalled { .. } | Event::HeldRecalled { .. } | Event::MoreWanted { .. } => None,
        }
    }

    /// The like of an event with an epoch that never was, or of a step that
    /// is not there.
    fn apply_nonsense(&mut self, event: &Event) {
        let nonsense = match event.clone() {
            Event::AttemptEnded { key, epoch, end, roll } => {
                Event::AttemptEnded { key, epoch: epoch.wrapping_sub(1), end, roll }
            }
            Event::TimerFired { key, epoch } => Event::TimerFired { key, epoch: epoch + 1000 },
            Event::Granted { mut key, epoch } => {
                key.step += 100;
                Event::Granted { key, epoch }
            }
            Event::Answered { mut key, answer } => {
                key.frame.generation += 1000;
                Event::Answered { key, answer }
            }
            Event::Recalled { mut key, recalled } => {
                key.step += 100;
                Event::Recalled { key, recalled }
            }
            Event::Paused => Event::Resumed { over_budget: Vec::new() },
            Event::Resumed { .. } => Event::Paused,
            _ => return,
        };
        let refused = self.machine.apply(self.now, nonsense, &mut self.effects);
        assert!(refused.is_err() && self.effects.actions.is_empty() && self.effects.changes.is_empty());
    }

    /// The run's state says whether anything is under way.
    fn check_run_state(&self) {
        // Late answers that nobody waits for any more still count as open
        // questions here, so only one direction holds for them.
        let state = self.machine.run_state();
        if state == RunState::Waiting {
            assert!(self.attempts.is_empty(), "waiting with attempts under way");
        }
        if state == RunState::Running {
            assert!(!self.attempts.is_empty() || self.questions > 0, "running with nothing under way");
        }
    }

    fn at(&mut self, delay: Duration, event: Event) {
        let place = self.events.len();
        self.events.push(event);
        let order = self.chance.next();
        self.queue.push(Reverse((self.now.after(delay), order, place)));
    }

    fn soon(&mut self, event: Event) {
        let delay = Duration::from_millis(self.chance.below(400));
        self.at(delay, event);
    }

    fn perform(&mut self) {
        let changes = std::mem::take(&mut self.effects.changes);
        for change in &changes {
            self.watch.change(&self.machine, change);
            self.memory.note(&self.machine, change, self.now);
        }
        let actions = std::mem::take(&mut self.effects.actions);
        for action in &actions {
            self.watch.action(&self.machine, action);
            self.act(action);
        }
    }

    fn act(&mut self, action: &Action) {
        match *action {
            Action::Evaluate { key, turn } => {
                self.questions += 1;
                let answer = self.answer(key, turn);
                self.soon(Event::Answered { key, answer });
            }
            Action::Yield { frame } => {
                self.questions += 1;
                let path = self.frame_path(frame);
                let result = self.fate.yield_panics(&path).map_or(Ok(()), Err);
                self.soon(Event::Yielded { frame, result });
            }
            Action::Start { key, epoch, .. } => {
                let path = self.machine.path(key).unwrap();
                let mut end = self.start(key, epoch, &path, true);
                if end == AttemptEnd::Ok && self.chance.once_in(8) {
                    end = AttemptEnd::Reused;
                }
                self.soon(Event::AttemptEnded { key, epoch, end, roll: 0.5 });
            }
            Action::Undo { key, epoch, .. } => {
                let path = self.machine.path(key).unwrap() + " undo";
                let end = self.start(key, epoch, &path, false);
                self.soon(Event::AttemptEnded { key, epoch, end, roll: 0.5 });
            }
            Action::Reconcile { key, epoch, .. } => {
                let path = self.machine.path(key).unwrap() + " reconcile";
                let mut end = self.start(key, epoch, &path, false);
                if self.chance.once_in(2) {
                    end = AttemptEnd::NotDone;
                }
                self.soon(Event::AttemptEnded { key, epoch, end, roll: 0.5 });
            }
            Action::Recall { key, fresh } => {
                self.questions += 1;
                let recalled = if fresh {
                    crate::run::Recalled::Nothing
                } else {
                    let recalled = self.memory.recall(&self.machine, key);
                    self.journal.check_left(&self.machine.path(key).unwrap(), &recalled);
                    recalled
                };
                let event = Event::Recalled { key, recalled };
                if self.fate.races {
                    // Before a child workflow, of which nobody is asked, can
                    // win the race that this step has won before.
                    self.prompt.push_back(event);
                } else {
                    self.soon(event);
                }
            }
            Action::OpenMore { key } => self.soon(Event::MoreWanted { key }),
            Action::Acquire { key, epoch, .. } => self.soon(Event::Granted { key, epoch }),
            Action::Timer { key, epoch, at } => {
                let delay = at.since(self.now);
                self.at(delay, Event::TimerFired { key, epoch });
                if self.fate.races && self.chance.once_in(4) {
                    self.soon(Event::Signalled { signal: SignalId { name: "late", key: None }, step: None });
                }
            }
            Action::Stop { key, epoch } => {
                assert_eq!(self.attempts.get(&key), Some(&epoch), "stop of what does not run");
                // Some attempts heed it, others go on until they are aborted.
                if self.chance.once_in(2) {
                    self.end_early(key, epoch);
                }
            }
            Action::Abort { key, epoch, graceful } => {
                if graceful {
                    // An operator has it removed already.
                    self.attempts.remove(&key);
                } else {
                    assert_eq!(self.attempts.get(&key), Some(&epoch), "abort of what does not run");
                    self.end_early(key, epoch);
                }
            }
            Action::AwaitGrace => self.at(Duration::from_millis(150), Event::GraceOver),
            Action::Finish { .. } => self.finished = true,
            Action::Open { .. }
            | Action::Collect { .. }
            | Action::Close { .. }
            | Action::Release { .. }
            | Action::Deliver { .. }
            // No life here holds anything.
            | Action::RecallHeld { .. }
            | Action::Restore { .. }
            | Action::Fail { .. } => {}
        }
    }

    /// Starts an attempt, of a task or of what belongs to it; gives its end.
    fn start(&mut self, key: Key, epoch: u32, path: &str, is_task: bool) -> AttemptEnd {
        let other = self.attempts.insert(key, epoch);
        assert_eq!(other, None, "two attempts of {path}");
        let number = self.memory.draw(path, is_task);
        self.fate.attempt(path, number)
    }

    fn end_early(&mut self, key: Key, epoch: u32) {
        let end = AttemptEnd::Cancelled;
        // The attempt's own end comes as well and is one of the late ones.
        self.at(Duration::ZERO, Event::AttemptEnded { key, epoch, end, roll: 0.5 });
    }

    fn answer(&mut self, key: Key, turn: u32) -> Result<Answer, crate::failure::Failure> {
        let path = self.machine.path(key).unwrap();
        if let Some(panic) = self.fate.panics(&path, u64::from(turn)) {
            return Err(panic);
        }
        Ok(match self.machine.step(key).unwrap().kind {
            Kind::Task(_) | Kind::Compute(_) | Kind::Check(_) => Answer::Value,
            Kind::Signal { key: Some(_), .. } => {
                Answer::Awaits { key: self.chance.below(2).to_string().into(), until: None }
            }
            Kind::Signal { .. } | Kind::Sleep(_) => {
                Answer::Until(self.now.after(Duration::from_millis(self.chance.below(2000))))
            }
            Kind::Map { .. } => Answer::Items(self.fate.items(&path)),
            Kind::Loop { .. } => Answer::Turn(self.fate.turn(&path, turn)),
            Kind::Branch { .. } | Kind::Select { .. } => Answer::Arm(self.fate.arm(&path)),
        })
    }

    /// The path of a region: that of any step in it, without the step.
    fn frame_path(&self, frame: FrameId) -> String {
        let Some(parent) = self.machine.frame_parent(frame) else {
            return self.machine.graph_of(frame).unwrap().name.to_owned();
        };
        let path = self.machine.path(parent.key).unwrap();
        let region = self.machine.region_of(frame).unwrap();
        match self.machine.step(parent.key).unwrap().kind {
            Kind::Map { .. } | Kind::Loop { .. } => format!("{path}[{}]", parent.index),
            _ if region.label.is_empty() => path,
            _ => format!("{path}[{}]", region.label),
        }
    }
}

#[test]
fn a_fate_is_a_function_of_the_path() {
    let fate = Fate::new(&mut Chance::new(3), true);
    assert_eq!(fate.attempt("w/a", 1), fate.attempt("w/a", 1));
    let ends: Vec<_> = (0..400).map(|number| fate.attempt("w/a", number)).collect();
    assert!(ends.contains(&AttemptEnd::Ok));
    let fatal = |end: &AttemptEnd| matches!(end, AttemptEnd::Failed(_, Retryability::Fatal));
    assert!(ends.iter().any(fatal) || ends.iter().all(|end| *end == AttemptEnd::Ok));
}
