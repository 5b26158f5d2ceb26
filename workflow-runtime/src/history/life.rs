//! One life of a run, heard by one machine.

use std::collections::{HashMap, VecDeque};

use super::left::{KeptSignal, Left, after_attempts};
use super::place::{OpenedRegion, Places, Record};
use super::story::{AttemptKind, AttemptStory, Outcome, StepStory};
use crate::failure::{Failure, StepError};
use crate::journal::StoredRecalled;
use crate::run::{
    Action, Answer, AttemptEnd, Change, Effects, Event, FrameId, Key, Machine, Recalled, RunState, SignalId,
    StepState, StepView, Timestamp, Wait,
};
use crate::task::definition::{Graph, Kind, OnFailure, Step};
use crate::view::{AwaitedSignal, Items, due};

/// More items than any run has: an entry that says so is damaged.
const ITEMS: usize = 10_000_000;

/// One life of a run.
pub(super) struct LifeReader {
    pub machine: Machine,
    effects: Effects,
    places: Places,
    frames: HashMap<FrameId, usize>,
    /// Signals that no step has taken, by name.
    signals: HashMap<SignalId, VecDeque<u64>>,
    pub error: Option<StepError>,
    pub ended_at: Option<Timestamp>,
    graph: &'static Graph,
    folds: bool,
    /// The paths of steps that went well and could be undone, in regions that
    /// are only counted any more.
    folded: Vec<String>,
}

/// An entry of the journal, beside its event.
#[derive(Clone, Copy)]
pub(super) struct Heard {
    pub seq: u64,
    pub at: Timestamp,
    /// The entry that an earlier value was taken from.
    pub from: Option<u64>,
    pub has_value: bool,
    /// Who writes.
    pub process: Option<u32>,
}

impl LifeReader {
    pub fn new(machine: Machine, graph: &'static Graph, folds: bool) -> Self {
        Self {
            machine,
            effects: Effects { observed: true, ..Effects::default() },
            places: Places::default(),
            frames: HashMap::new(),
            signals: HashMap::new(),
            error: None,
            ended_at: None,
            graph,
            folds,
            folded: Vec::new(),
        }
    }

    /// Has the machine hear an event, and notes what follows.
    pub fn hear(&mut self, event: Event, heard: Heard) -> Result<(), String> {
        if let Event::Answered { answer: Ok(Answer::Items(items)), .. } = &event
            && *items > ITEMS
        {
            return Err(format!("lists {items} items, which is more than a run can have"));
        }
        self.effects.actions.clear();
        self.effects.changes.clear();
        let refused = self.machine.apply(heard.at, event.clone(), &mut self.effects);
        refused.map_err(|refused| format!("does not follow from those before: {refused}"))?;
        self.note_event(event, heard);
        let mut closed = Vec::new();
        for action in std::mem::take(&mut self.effects.actions) {
            match action {
                Action::Close { frame } if self.folds => closed.push(frame),
                action => self.note_action(action, heard),
            }
        }
        for change in std::mem::take(&mut self.effects.changes) {
            if let Change::Step { key, state, attempt, failure } = change {
                let losses = self.machine.view(key).map_or(0, |view| view.losses);
                if let Some(record) = self.record(key) {
                    record.change(heard.at, state, attempt, failure.map(|failure| *failure));
                    record.losses = losses;
                }
            }
        }
        // The changes may be about what has closed.
        closed.into_iter().for_each(|frame| self.fold(frame));
        Ok(())
    }

    /// A region has closed: if it is a good item of a `for`, it is only counted.
    fn fold(&mut self, frame: FrameId) {
        if let Some(place) = self.frames.get(&frame) {
            self.folded.extend(self.places.get(*place).into_iter().flat_map(OpenedRegion::undoable));
            self.places.fold(*place).iter().for_each(|gone| _ = self.frames.remove(gone));
        }
    }

    fn record(&mut self, key: Key) -> Option<&mut Record> {
        let place = *self.frames.get(&key.frame)?;
        self.places.record_mut(place, key.step)
    }

    /// The path of a step.
    pub fn path(&self, key: Key) -> Option<String> {
        Some(self.places.get(*self.frames.get(&key.frame)?)?.path(key.step))
    }

    fn note_event(&mut self, event: Event, heard: Heard) {
        match event {
            Event::AttemptEnded { key, epoch, end, .. } => self.note_end(key, epoch, end, heard),
            Event::Signalled { signal, .. } => self.signals.entry(signal).or_default().push_back(heard.seq),
            Event::Recalled { key, recalled } => {
                if let Some(record) = self.record(key) {
                    record.asked = false;
                    record.begun |= recalled != Recalled::Lost;
                    if recalled == Recalled::Value {
                        record.output = heard.from.or(heard.has_value.then_some(heard.seq));
                    }
                }
            }
            Event::Set { key } => {
                if let Some(record) = self.record(key) {
                    record.output = heard.has_value.then_some(heard.seq);
                }
            }
            _ => {}
        }
    }

    fn note_end(&mut self, key: Key, epoch: u32, end: AttemptEnd, heard: Heard) {
        let Some(record) = self.record(key) else { return };
        let (outcome, failure) = match end {
            // There was no attempt.
            AttemptEnd::NotBegun => return record.attempts.retain(|(of, _)| *of != epoch),
            AttemptEnd::Ok => (Outcome::Ok, None),
            AttemptEnd::Reused => (Outcome::Reused, None),
            AttemptEnd::NotDone => (Outcome::NotDone, None),
            AttemptEnd::Failed(failure, _) => (Outcome::of(failure.cause), Some(failure)),
            AttemptEnd::Lost | AttemptEnd::Legacy { lost: true } => (Outcome::Lost, None),
            AttemptEnd::Interrupted | AttemptEnd::Legacy { lost: false } => (Outcome::Interrupted, None),
            AttemptEnd::Cancelled => (Outcome::Cancelled, None),
        };
        let mut undo = false;
        if let Some(attempt) = record.open_attempt(epoch) {
            undo = attempt.kind == AttemptKind::Undo;
            (attempt.ended_at, attempt.outcome, attempt.failure) = (Some(heard.at), outcome, failure);
        }
        // What an undo returns is no output of the step.
        if matches!(outcome, Outcome::Ok | Outcome::Reused) && !undo {
            record.output = Some(heard.seq);
        }
    }

    fn note_action(&mut self, action: Action, heard: Heard) {
        let at = heard.at;
        match action {
            Action::Open { frame, parent, index, .. } => self.open(frame, parent, index, at),
            Action::Start { key, epoch, attempt, .. } => {
                self.begin(key, epoch, AttemptKind::Task, attempt, heard);
            }
            Action::Undo { key, epoch, attempt } => self.begin(key, epoch, AttemptKind::Undo, attempt, heard),
            Action::Reconcile { key, epoch, attempt } => {
                self.begin(key, epoch, AttemptKind::Reconcile, attempt, heard);
            }
            Action::Abort { key, epoch, graceful: true } => {
                if let Some(attempt) = self.record(key).and_then(|record| record.open_attempt(epoch)) {
                    (attempt.ended_at, attempt.outcome) = (Some(at), Outcome::Cancelled);
                }
            }
            Action::Recall { key, .. } => {
                if let Some(record) = self.record(key) {
                    record.asked = true;
                }
            }
            Action::Restore { key } => {
                if let Some(record) = self.record(key) {
                    record.restored = true;
                }
            }
            Action::Deliver { key, signal } => {
                let from = self.signals.get_mut(&signal).and_then(VecDeque::pop_front);
                if let Some(record) = self.record(key) {
                    record.output = from;
                }
            }
            Action::Finish { cause, .. } => {
                self.ended_at = Some(at);
                self.error = cause.map(|(key, attempts, failure)| {
                    StepError::new(self.path(key).unwrap_or_default(), attempts, failure)
                });
            }
            _ => {}
        }
    }

    fn open(&mut self, frame: FrameId, parent: Option<Key>, index: u32, at: Timestamp) {
        let (Some(graph), Some(region)) = (self.machine.graph_of(frame), self.machine.region_of(frame))
        else {
            return;
        };
        let around = parent.and_then(|key| Some((*self.frames.get(&key.frame)?, key.step)));
        let is_for_undo = parent.is_some() && self.machine.has_ended(frame);
        let place = self.places.open(graph, region, around, (frame, index), (at, is_for_undo));
        self.frames.insert(frame, place);
    }

    fn begin(&mut self, key: Key, epoch: u32, kind: AttemptKind, number: u32, heard: Heard) {
        let Some(record) = self.record(key) else { return };
        let (started_at, outcome, process) = (heard.at, Outcome::Running, heard.process);
        let attempt = AttemptStory {
            kind,
            number,
            started_at,
            ended_at: None,
            outcome,
            failure: None,
            left_behind: false,
            process,
        };
        record.attempts.push((epoch, attempt));
    }

    /// An attempt is about to end whose code goes on.
    pub fn left_behind(&mut self, key: Key, epoch: u32) {
        if let Some(attempt) = self.record(key).and_then(|record| record.open_attempt(epoch)) {
            attempt.left_behind = true;
        }
    }

    /// The process ended: what is under way did not get to its end.
    pub fn cut(&mut self, at: Timestamp, outcome: Outcome) {
        let records = self.places.iter_mut().flat_map(|place| &mut place.steps);
        for (_, attempt) in records.flat_map(|record| &mut record.attempts) {
            if attempt.outcome == Outcome::Running {
                (attempt.ended_at, attempt.outcome) = (Some(at), outcome);
            }
        }
    }

    /// What is open was decided by a process that begins nothing: it waits for
    /// its turn.
    pub fn begin_nothing(&mut self) {
        for record in self.places.iter_mut().flat_map(|place| &mut place.steps) {
            let decided = record.attempts.len();
            record.attempts.retain(|(_, attempt)| attempt.outcome != Outcome::Running);
            if record.attempts.len() < decided && record.state == StepState::Running {
                record.state = StepState::Waiting(Wait::Turn);
                record.started_at = record.started_at.filter(|_| !record.attempts.is_empty());
            }
        }
    }

    pub fn state(&self) -> RunState {
        self.machine.run_state()
    }

    pub fn stories(&self, life: usize) -> Vec<StepStory> {
        let mut stories = self.places.stories(life);
        // What only the machine knows of steps that are under way.
        let mut awaited = AwaitedSignal::all(&self.machine);
        let of = |view: StepView<'_>| {
            let items = Items::of(&self.machine, view.key);
            let due = due(&self.machine, &view);
            let awaits = awaited.remove(&view.key);
            let is_known = items.is_some() || due.is_some() || awaits.is_some();
            is_known.then_some((self.path(view.key)?, (items, due, awaits)))
        };
        let mut known: HashMap<String, _> = self.machine.steps().filter_map(of).collect();
        if known.is_empty() {
            return stories;
        }
        for story in &mut stories {
            let Some((items, due, awaits)) = known.remove(&story.path) else { continue };
            (story.items, story.next_attempt_at, story.awaits) = (items.or(story.items), due, awaits);
            if story.state == StepState::Undoing {
                story.failure = story.attempts.last().and_then(|attempt| attempt.failure.clone());
            }
        }
        stories
    }

    pub fn graph(&self) -> &'static Graph {
        self.graph
    }

    /// Puts down what the life leaves. What it has not come to stays as it was
    /// left before. Attempts that are open may not have begun.
    pub fn leave(&self, left: &mut Left, not_begun: bool) {
        self.folded.iter().for_each(|path| _ = left.steps.remove(path));
        // Earlier results that were made from values which are no more.
        let anew = self.machine.anew().into_iter().filter_map(|key| self.path(key));
        anew.for_each(|path| left.drop_below(&path, false));
        let awaited: HashMap<(usize, u16), &SignalId> = self
            .machine
            .awaited()
            .filter_map(|(key, signal)| Some(((*self.frames.get(&key.frame)?, key.step), signal)))
            .collect();
        for (at, place) in self.places.iter().enumerate() {
            for ((number, step), record) in (0..).zip(place.region.steps).zip(&place.steps) {
                if if self.folds { may_stand(step) } else { may_be_left(step) } {
                    let awaited = awaited.get(&(at, number)).copied();
                    self.leave_step(place, number, (step, awaited), record, left, not_begun);
                }
            }
        }
        if self.folds {
            return;
        }
        let kept = self.signals.iter().flat_map(|(signal, kept)| kept.iter().map(move |seq| (signal, *seq)));
        let kept = kept.map(|(signal, seq)| KeptSignal {
            name: signal.name.to_owned(),
            key: signal.key.clone(),
            seq,
        });
        left.signals = kept.collect();
        left.signals.sort_by_key(|kept| kept.seq);
    }

    fn leave_step(
        &self,
        place: &OpenedRegion,
        number: u16,
        (step, awaited): (&Step, Option<&SignalId>),
        record: &Record,
        left: &mut Left,
        not_begun: bool,
    ) {
        let path = place.path(number);
        if let Kind::Task(task) = step.kind
            && task.task.child.is_some()
        {
            // One that ended well is gone through again, step by step.
            if record.begun {
                left.put(path, place.static_path(number), failed_child(step, record), None, (false, false));
            }
            return;
        }
        let stopped = match record.state {
            StepState::Cancelled => true,
            // In a workflow that lost.
            StepState::Failed => !record.succeeded && matches!(step.on_failure, OnFailure::FailRun),
            _ => false,
        };
        let lost = stopped && self.places.has_lost(place, number);
        let from = record.output;
        let (recalled, undone) = match record.state {
            // Whatever it was before: the race is decided. Only where it is
            // unknown what it has done, that stays so.
            _ if lost && (record.begun || !left.is_unknown(&path)) => (StoredRecalled::Lost, false),
            _ if !record.begun => return,
            StepState::Succeeded { .. } => (StoredRecalled::Value, false),
            // Its undo failed, so it stands.
            StepState::Failed if record.succeeded => (StoredRecalled::Value, false),
            StepState::Failed => (failed(step, record), false),
            StepState::Undoing | StepState::Undone => (StoredRecalled::Nothing, true),
            StepState::OutcomeUnknown => (StoredRecalled::Unknown, false),
            StepState::Suspected if record.succeeded => (StoredRecalled::Nothing, true),
            StepState::Suspected => (suspected(record), false),
            StepState::Waiting(wait) => (waiting(wait, record, awaited), false),
            StepState::Running => (running(step, record, not_begun), false),
            StepState::Skipped | StepState::UpstreamFailed | StepState::Cancelled => {
                (StoredRecalled::Nothing, false)
            }
        };
        // Where it stands is known from the life that did it.
        if record.restored && recalled == StoredRecalled::Value {
            return;
        }
        let from = from.filter(|_| recalled == StoredRecalled::Value);
        let undoable = self.places.is_undoable(place, number);
        left.put(path, place.static_path(number), recalled, from, (undone, undoable));
    }
}

/// Whether something may be left of a step: whether it does anything that is
/// more than a pure expression, itself, or has a failure that is a value.
fn may_be_left(step: &Step) -> bool {
    matches!(step.kind, Kind::Task(_) | Kind::Signal { .. } | Kind::Sleep(_))
}

/// The same where it is only asked what was never undone.
fn may_stand(step: &Step) -> bool {
    matches!(step.kind, Kind::Task(task) if task.task.undo.is_some() || task.task.at_most_once)
}

fn failed_child(step: &Step, record: &Record) -> StoredRecalled {
    match record.state {
        StepState::Failed => failed(step, record),
        _ => StoredRecalled::Nothing,
    }
}

fn failed(step: &Step, record: &Record) -> StoredRecalled {
    match (step.on_failure, &record.failure) {
        (OnFailure::Value(_), Some(failure)) => {
            StoredRecalled::Failed { attempts: record.attempt, failure: failure.clone() }
        }
        _ => StoredRecalled::Nothing,
    }
}

fn suspected(record: &Record) -> StoredRecalled {
    let Record { attempt: attempts, losses, .. } = *record;
    match &record.failure {
        Some(failure) => StoredRecalled::Suspected { attempts, failure: failure.clone(), losses },
        None => StoredRecalled::Nothing,
    }
}

fn waiting(wait: Wait, record: &Record, awaited: Option<&SignalId>) -> StoredRecalled {
    if let (Wait::Signal { until }, Some(key)) = (wait, awaited.and_then(|signal| signal.key.clone())) {
        return StoredRecalled::Awaits { key: String::from(&*key), until };
    }
    let failure: Option<&Failure> = record.failure.as_ref();
    match (wait, failure) {
        (Wait::Timer { until } | Wait::Signal { until: Some(until) }, _) => StoredRecalled::Until(until),
        (Wait::Backoff { until }, Some(failure)) => {
            let (attempts, losses) = (record.attempt, record.losses);
            StoredRecalled::Backoff { attempts, until, failure: failure.clone(), losses }
        }
        // Its next attempt waits for something else by now.
        (Wait::Slot | Wait::Turn | Wait::Paused, failure) => {
            after_attempts(record.attempt, failure, record.losses, record.since)
        }
        (Wait::Dependencies | Wait::Signal { until: None } | Wait::Backoff { .. }, _) => {
            StoredRecalled::Nothing
        }
    }
}

fn running(step: &Step, record: &Record, not_begun: bool) -> StoredRecalled {
    match step.kind {
        // Nobody knows how far it got.
        Kind::Task(task) if task.task.at_most_once && !not_begun => StoredRecalled::Unknown,
        Kind::Task(_) => {
            let attempts = record.attempt.saturating_sub(1);
            after_attempts(attempts, record.failure.as_ref(), record.losses, record.since)
        }
        _ => StoredRecalled::Nothing,
    }
}
