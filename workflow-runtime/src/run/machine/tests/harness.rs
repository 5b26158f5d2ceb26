//! A run in the hands of a test: steps are named by their paths, expressions
//! are answered from a script, and what the machine wants is read as words.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::failure::{Cause, Failure};
use crate::run::machine::Machine;
use crate::run::{
    Action, Answer, AttemptEnd, Effects, Event, FrameId, HeldStep, Key, Recalled, Refused, RunState,
    SignalId, StepState, Timestamp,
};
use crate::task::Retryability;
use crate::task::definition::{Graph, Kind};

pub struct Run {
    pub machine: Machine,
    pub effects: Effects,
    pub now: Timestamp,
    /// The answers to come, by path. Without one: a value, one second, the
    /// first arm, two items, no turn.
    answers: BTreeMap<String, VecDeque<Result<Answer, Failure>>>,
    /// What is left of steps from before, by path; nothing of all others.
    left: BTreeMap<String, Recalled>,
    /// Whether that is so whatever comes before it.
    holds: bool,
    /// The paths of steps that were asked for.
    asked: BTreeSet<String>,
    /// The paths of steps of which nobody says what is left of them.
    unanswered: Vec<String>,
    /// The paths of steps whose next region has no value.
    bad_regions: Vec<String>,
    /// The last epoch told for each step, and the time it waits for.
    told: BTreeMap<Key, (u32, Timestamp)>,
    log: Vec<String>,
}

pub fn failure(message: &str) -> Failure {
    Failure::new(Cause::Error, message)
}

pub fn second() -> Duration {
    Duration::from_secs(1)
}

impl Run {
    pub fn begin(graph: &'static Graph) -> Self {
        Self::scripted(graph, &[])
    }

    pub fn scripted(graph: &'static Graph, answers: &[(&str, Answer)]) -> Self {
        let mut run = Self::new(Machine::new(graph));
        for (path, answer) in answers {
            run.will_answer(path, Ok(answer.clone()));
        }
        run.event(Event::Begun).expect("a run begins");
        run
    }

    /// A run that is taken up again, with what is left of its steps.
    pub fn resuming(graph: &'static Graph, left: &[(&str, Recalled)]) -> Self {
        Self::resuming_without(graph, left, &[])
    }

    /// The same, where some of the questions are not answered.
    pub fn resuming_without(graph: &'static Graph, left: &[(&str, Recalled)], unanswered: &[&str]) -> Self {
        let mut run = Self::to_resume(graph, left);
        run.unanswered.extend(unanswered.iter().map(|path| (*path).to_owned()));
        run.event(Event::Begun).expect("a run begins");
        run
    }

    /// The same, before it has begun.
    pub fn to_resume(graph: &'static Graph, left: &[(&str, Recalled)]) -> Self {
        let mut run = Self::new(Machine::resuming(graph));
        run.left.extend(left.iter().map(|(path, recalled)| ((*path).to_owned(), recalled.clone())));
        run
    }

    /// The same, of a life that keeps results whatever comes before them.
    pub fn holding(graph: &'static Graph, left: &[(&str, Recalled)]) -> Self {
        let mut run = Self::to_resume(graph, left);
        run.machine = Machine::resuming(graph).holding().undoing_held();
        run.holds = true;
        run.event(Event::Begun).expect("a run begins");
        run
    }

    fn new(machine: Machine) -> Self {
        Self {
            machine,
            effects: Effects { observed: true, ..Effects::default() },
            now: Timestamp(0),
            answers: BTreeMap::new(),
            left: BTreeMap::new(),
            holds: false,
            asked: BTreeSet::new(),
            unanswered: Vec::new(),
            bad_regions: Vec::new(),
            told: BTreeMap::new(),
            log: Vec::new(),
        }
    }

    pub fn will_answer(&mut self, path: &str, answer: Result<Answer, Failure>) {
        self.answers.entry(path.to_owned()).or_default().push_back(answer);
    }

    /// The next region of the step that yields panics at it.
    pub fn will_not_yield(&mut self, path: &str) {
        self.bad_regions.push(path.to_owned());
    }

    /// Applies an event and answers the questions that follow.
    pub fn event(&mut self, event: Event) -> Result<(), Refused> {
        let mut answers = VecDeque::new();
        self.machine.apply(self.now, event, &mut self.effects)?;
        loop {
            for action in std::mem::take(&mut self.effects.actions) {
                self.tell(&action);
                answers.extend(self.respond(&action));
            }
            let Some(answer) = answers.pop_front() else { return Ok(()) };
            // It is refused when the step has been stopped meanwhile.
            let _late = self.machine.apply(self.now, answer, &mut self.effects);
        }
    }

    fn respond(&mut self, action: &Action) -> Option<Event> {
        match *action {
            Action::Evaluate { key, .. } => Some(Event::Answered { key, answer: self.answer(key) }),
            Action::Recall { key, fresh } => {
                let path = self.path(key);
                self.asked.insert(path.clone());
                let left = self.left.get(&path).filter(|_| !fresh || self.holds);
                let recalled = left.cloned().unwrap_or(Recalled::Nothing);
                (!self.unanswered.contains(&path)).then_some(Event::Recalled { key, recalled })
            }
            Action::RecallHeld { frame } => Some(Event::HeldRecalled { frame, steps: self.held(frame) }),
            Action::Yield { frame } => {
                let path = self.frame_path(frame);
                let bad = self.bad_regions.iter().position(|bad| *bad == path);
                let bad = bad.map(|bad| self.bad_regions.remove(bad)).is_some();
                let result = if bad { Err(Failure::new(Cause::Panic, "no value")) } else { Ok(()) };
                Some(Event::Yielded { frame, result })
            }
            _ => None,
        }
    }

    /// What is left of steps that were not asked for.
    fn held(&mut self, frame: FrameId) -> Vec<HeldStep> {
        let graph = self.machine.graph_of(frame).expect("an open frame");
        let place = self.machine.frame_parent(frame).map(|parent| self.path(parent.key) + "/");
        let (place, asked) = (place.unwrap_or_default(), &self.asked);
        let left =
            self.left.iter().filter(|(path, left)| **left == Recalled::Value && !asked.contains(*path));
        let held = left.filter_map(|(path, _)| crate::lookup::step_below(graph, path.strip_prefix(&place)?));
        held.collect()
    }

    fn answer(&mut self, key: Key) -> Result<Answer, Failure> {
        let scripted = self.answers.get_mut(&self.path(key)).and_then(VecDeque::pop_front);
        scripted.unwrap_or_else(|| {
            Ok(match self.machine.step(key).expect("an open step").kind {
                Kind::Task(_) | Kind::Compute(_) | Kind::Check(_) => Answer::Value,
                Kind::Sleep(_) | Kind::Signal { .. } => Answer::Until(self.now.after(second())),
                Kind::Map { .. } => Answer::Items(2),
                Kind::Loop { .. } => Answer::Turn(false),
                Kind::Branch { .. } | Kind::Select { .. } => Answer::Arm(0),
            })
        })
    }

    /// The path of a step without the name of the workflow.
    fn path(&self, key: Key) -> String {
        let path = self.machine.path(key).unwrap_or_else(|| "?/?".to_owned());
        path.split_once('/').map_or(path.clone(), |(_, rest)| rest.to_owned())
    }

    fn frame_path(&self, frame: FrameId) -> String {
        match self.machine.frame_parent(frame) {
            None if frame == FrameId::ROOT => "body".to_owned(),
            None => "?".to_owned(),
            Some(parent) => match self.machine.step(parent.key).map(|step| step.kind) {
                Some(Kind::Map { .. } | Kind::Loop { .. }) => {
                    format!("{}[{}]", self.path(parent.key), parent.index)
                }
                _ => format!("{}:{}", self.path(parent.key), parent.region),
            },
        }
    }

    fn tell(&mut self, action: &Action) {
        let line = match action {
            Action::Open { frame, .. } => format!("open {}", self.frame_path(*frame)),
            Action::Evaluate { key, turn: 0 } => format!("evaluate {}", self.path(*key)),
            Action::Evaluate { key, turn } => format!("evaluate {} {turn}", self.path(*key)),
            Action::Yield { frame } => format!("yield {}", self.frame_path(*frame)),
            Action::Collect { key } => format!("collect {}", self.path(*key)),
            Action::Close { frame } => format!("close {}", self.frame_path(*frame)),
            Action::Start { key, epoch, attempt, last, .. } => {
                self.told.insert(*key, (*epoch, self.now));
                let last = if *last { "" } else { " of more" };
                format!("start {} {attempt}{last}", self.path(*key))
            }
            Action::Acquire { key, epoch, losses, .. } => {
                self.told.insert(*key, (*epoch, self.now));
                let losses = if *losses > 0 { format!(" after {losses}") } else { String::new() };
                format!("acquire {}{losses}", self.path(*key))
            }
            Action::Release { key, .. } => format!("release {}", self.path(*key)),
            Action::Timer { key, epoch, at } => {
                self.told.insert(*key, (*epoch, *at));
                format!("timer {} +{:?}", self.path(*key), at.since(self.now))
            }
            Action::OpenMore { key } => format!("open more {}", self.path(*key)),
            Action::Deliver { key, signal } => match &signal.key {
                None => format!("deliver {} {}", self.path(*key), signal.name),
                Some(of) => format!("deliver {} {}[{of}]", self.path(*key), signal.name),
            },
            Action::Fail { key, attempts, failure } => {
                format!("fail {} {attempts} {failure}", self.path(*key))
            }
            Action::Stop { key, .. } => format!("stop {}", self.path(*key)),
            Action::Abort { key, graceful: true, .. } => format!("give up {}", self.path(*key)),
            Action::Abort { key, .. } => format!("abort {}", self.path(*key)),
            Action::AwaitGrace => "await grace".to_owned(),
            Action::Undo { key, epoch, attempt } => {
                self.told.insert(*key, (*epoch, self.now));
                format!("undo {} {attempt}", self.path(*key))
            }
            // Of what runs anew, only an operator's word would count.
            Action::Recall { fresh: true, .. } => return,
            Action::Recall { key, .. } => format!("recall {}", self.path(*key)),
            Action::Reconcile { key, epoch, attempt } => {
                self.told.insert(*key, (*epoch, self.now));
                format!("reconcile {} {attempt}", self.path(*key))
            }
            Action::RecallHeld { .. } => return,
            Action::Restore { key } => format!("restore {}", self.path(*key)),
            Action::Finish { state, cause: None } => format!("finish {state}"),
            Action::Finish { state, cause: Some((key, attempts, failure)) } => {
                format!("finish {state}: {} {attempts} {failure}", self.path(*key))
            }
        };
        self.log.push(line);
    }

    /// What the machine wanted since the last time, without the bookkeeping
    /// of frames and expressions.
    pub fn log(&mut self) -> Vec<String> {
        let bookkeeping = ["open", "close", "evaluate", "yield", "collect"];
        let mut log = self.full_log();
        log.retain(|line| !bookkeeping.iter().any(|word| line.starts_with(word)));
        log
    }

    pub fn full_log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    pub fn key(&self, path: &str) -> Key {
        let found = self.machine.steps().find(|view| self.path(view.key) == path);
        found.unwrap_or_else(|| panic!("no open step {path}")).key
    }

    pub fn state(&self, path: &str) -> StepState {
        self.machine.state(self.key(path)).expect("an open step")
    }

    /// The last epoch told for a step, and the time it waits for.
    pub fn told(&self, key: Key) -> Option<(u32, Timestamp)> {
        self.told.get(&key).copied()
    }

    /// When the step's first attempt or wait began.
    pub fn started(&self, path: &str) -> Timestamp {
        self.machine.frames.node(self.key(path)).expect("the step is there").started
    }

    /// The states of all open steps, `a succeeded, b running`.
    pub fn states(&self) -> String {
        let steps = self.machine.steps().map(|view| format!("{} {}", self.path(view.key), view.state));
        steps.collect::<Vec<_>>().join(", ")
    }

    pub fn run_state(&self) -> RunState {
        self.machine.run_state()
    }

    pub fn try_end(&mut self, path: &str, end: AttemptEnd) -> Result<(), Refused> {
        let key = self.key(path);
        let (epoch, _) = self.told[&key];
        self.event(Event::AttemptEnded { key, epoch, end, roll: 0.5 })
    }

    /// The same with another random number than one half.
    pub fn end_with(&mut self, path: &str, end: AttemptEnd, roll: f64) {
        let key = self.key(path);
        let (epoch, _) = self.told[&key];
        self.event(Event::AttemptEnded { key, epoch, end, roll }).expect("an attempt is under way");
    }

    /// Whether what the machine wanted last begins with a word.
    pub fn log_ends_with(&self, word: &str) -> bool {
        self.log.last().is_some_and(|line| line.starts_with(word))
    }

    pub fn end(&mut self, path: &str, end: AttemptEnd) {
        self.try_end(path, end).unwrap_or_else(|refused| panic!("{path}: {refused}"));
    }

    pub fn ok(&mut self, path: &str) {
        self.end(path, AttemptEnd::Ok);
    }

    pub fn fail(&mut self, path: &str) {
        self.end(path, AttemptEnd::Failed(failure("no luck"), Retryability::Retry));
    }

    pub fn fatal(&mut self, path: &str) {
        self.end(path, AttemptEnd::Failed(failure("no way"), Retryability::Fatal));
    }

    /// Lets the time pass that the step waits for.
    pub fn timer(&mut self, path: &str) {
        let key = self.key(path);
        let (epoch, at) = self.told[&key];
        self.now = self.now.max(at);
        self.event(Event::TimerFired { key, epoch }).expect("the step waits for the time");
    }

    /// So many seconds pass, and the time that the step waits for with them.
    pub fn timer_late(&mut self, path: &str, seconds: u32) {
        let key = self.key(path);
        let (epoch, _) = self.told[&key];
        self.now = self.now.after(second() * seconds);
        self.event(Event::TimerFiredLate { key, epoch }).expect("the step waits for the time");
    }

    pub fn grant(&mut self, path: &str) {
        let key = self.key(path);
        let (epoch, _) = self.told[&key];
        self.event(Event::Granted { key, epoch }).expect("the step waits for room");
    }

    /// Says what is left of a step whose question was not answered.
    pub fn recall(&mut self, path: &str, recalled: Recalled) -> Result<(), Refused> {
        let key = self.key(path);
        self.event(Event::Recalled { key, recalled })
    }

    pub fn set(&mut self, path: &str) -> Result<(), Refused> {
        let key = self.key(path);
        self.event(Event::Set { key })
    }

    pub fn give_up(&mut self, path: &str) -> Result<(), Refused> {
        let key = self.key(path);
        self.event(Event::UndoGivenUp { key })
    }

    pub fn retry(&mut self, path: &str) -> Result<(), Refused> {
        let key = self.key(path);
        self.event(Event::RetryRequested { key })
    }

    pub fn pause(&mut self) {
        self.event(Event::Paused).expect("the run is not paused");
    }

    pub fn resume(&mut self) {
        self.event(Event::Resumed { over_budget: Vec::new() }).expect("the run is paused");
    }

    pub fn signal_keyed(&mut self, name: &'static str, key: &str) {
        let signal = SignalId { name, key: Some(key.into()) };
        self.event(Event::Signalled { signal, step: None }).expect("the run goes on");
    }

    /// For one of those that wait for it, and have no keys.
    pub fn signal_step(&mut self, name: &'static str, path: &str) -> Result<(), Refused> {
        let step = Some(self.key(path));
        self.event(Event::Signalled { signal: SignalId { name, key: None }, step })
    }

    pub fn signal(&mut self, name: &'static str) {
        self.event(Event::Signalled { signal: SignalId { name, key: None }, step: None })
            .expect("the run goes on");
    }

    pub fn cancel(&mut self) {
        self.event(Event::CancelRequested).expect("the run goes on");
    }
}
