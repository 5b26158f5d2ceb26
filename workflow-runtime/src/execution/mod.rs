//! A run in hand: its machine, the values that it works with, and what is to be
//! seen of it. It hears events and says what is to be done; what stays inside
//! the run it does itself.
//!
//! Given the same events in the same order it does the same. An engine drives
//! it: the one of this crate, or another event loop, for which it is a
//! [`PortableRun`] that says what to do and hears what became of it, with all
//! values as JSON. [`perform`] is the other half: one attempt, in whichever
//! process, from bytes to bytes.
//!
//! Never here: tokio, a store, an engine, a clock, a thread.

mod aim;
mod attempt;
mod brought;
pub(crate) mod coded;
pub(crate) mod frames;
mod held;
mod kept;
mod leftovers;
pub(crate) mod log;
mod onces;
mod order;
mod portable;
pub(crate) mod snapshot;
mod values;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

pub(crate) use self::aim::Aim;
pub use self::attempt::{AttemptHost, perform};
pub(crate) use self::brought::{bringer, decode, encode, output_codec};
use self::frames::{Frame, Frames};
pub(crate) use self::kept::{Given, KeptOf, KeptValues};
pub(crate) use self::leftovers::{Kept, Leftover, Leftovers, check};
use self::log::{Log, What};
pub use self::order::{AttemptId, Command, End, Goal, Input, Order, Outcome, TimerId};
pub use self::portable::PortableRun;
use crate::failure::{Cause, Failure, StepError};
use crate::run::{Action, Change, Effects, Event, Machine, Refused, SignalId, StepState, Timestamp};
use crate::task::Env;
use crate::task::context::Host;
use crate::task::definition::Graph;
use crate::task::once::Computations;
use crate::task::place::{FrameId, Key};
use crate::value::{Payload, Value};

/// A run in hand.
pub(crate) struct Execution {
    pub(crate) graph: &'static Graph,
    pub(crate) machine: Machine,
    /// Kept from event to event for its allocations.
    pub(crate) effects: Effects,
    /// What was done inside the run gave the machine this to hear next.
    pub(crate) answers: VecDeque<(Event, Option<Value>)>,
    /// The time of the latest event.
    pub(crate) now: Timestamp,
    pub(crate) frames: Frames,
    /// For the values that an expression reads, while it is evaluated; kept
    /// for its memory.
    pub(crate) lent: Env,
    /// The parameters, until the body's frame opens.
    pub(crate) params: Vec<Value>,
    /// Values of signals that no step has waited for yet, oldest first.
    pub(crate) signals: BTreeMap<SignalId, VecDeque<Value>>,
    pub(crate) result: Option<Value>,
    /// What is left of earlier lives of the run; `None` in its first.
    pub(crate) leftovers: Option<Box<Leftovers>>,
    /// How many bytes a saved value may have; `None` where none is saved.
    pub(crate) saves: Option<usize>,
    /// What is kept of answers that are heard next: of which step, its path,
    /// and the value.
    pub(crate) kept: Vec<(KeptOf, String, Option<Payload>)>,
    /// What steps were given that are about to start, to be stored.
    pub(crate) given: Vec<Given>,
    /// What names were computed as just now, to be stored. There once a region
    /// with such names has opened in a run that is stored.
    pub(crate) computed: Option<Arc<Computations>>,
    /// What this life of the run has stored of them, while it is read back.
    pub(crate) stored: HashMap<String, Payload>,
    pub(crate) log: Log,
}

/// What a run works with while it goes on, and can leave to another one.
/// Empty between events, but for the machine and the frames.
pub(crate) struct Parts {
    pub(crate) machine: Machine,
    pub(crate) effects: Effects,
    pub(crate) answers: VecDeque<(Event, Option<Value>)>,
    pub(crate) frames: Frames,
    pub(crate) lent: Env,
}

impl Parts {
    /// Of a run that has not begun.
    pub(crate) fn new(graph: &'static Graph) -> Self {
        Self {
            machine: Machine::new(graph),
            effects: Effects::default(),
            answers: VecDeque::new(),
            frames: Frames::default(),
            lent: Env::plain(),
        }
    }
}

impl Execution {
    /// A run that has heard no event yet.
    pub(crate) fn of(graph: &'static Graph, parts: Parts, params: Vec<Value>, now: Timestamp) -> Self {
        let Parts { machine, effects, answers, frames, lent } = parts;
        Self {
            graph,
            machine,
            effects,
            answers,
            now,
            frames,
            lent,
            params,
            signals: BTreeMap::new(),
            result: None,
            leftovers: None,
            saves: None,
            kept: Vec::new(),
            given: Vec::new(),
            computed: None,
            stored: HashMap::new(),
            log: Log::of(graph),
        }
    }

    /// Takes what only a run needs that goes on.
    pub(crate) fn take_parts(&mut self) -> Parts {
        let Self { machine, effects, answers, frames, lent, .. } = self;
        let none = Parts::new(self.graph);
        Parts {
            machine: std::mem::replace(machine, none.machine),
            effects: std::mem::replace(effects, none.effects),
            answers: std::mem::replace(answers, none.answers),
            frames: std::mem::replace(frames, none.frames),
            lent: std::mem::replace(lent, none.lent),
        }
    }

    /// Gives an event to the machine, and the value it brings to whom it is
    /// for. What the machine decides is in `effects`.
    #[inline]
    pub(crate) fn hear(&mut self, event: Event, value: Option<Value>) -> Result<(), Refused> {
        self.effects.actions.clear();
        self.effects.changes.clear();
        self.effects.observed = true;
        let Some(value) = value else { return self.machine.apply(self.now, event, &mut self.effects) };
        let target = self.target(&event);
        self.machine.apply(self.now, event, &mut self.effects)?;
        // Only now: the value of an attempt that was given up must not
        // overwrite that of the attempt which followed it.
        match target {
            Target::Output(key) => self.put_output(key, value),
            Target::Signal(signal) => self.signals.entry(signal).or_default().push_back(value),
            Target::Nowhere => {}
        }
        Ok(())
    }

    #[inline]
    fn target(&self, event: &Event) -> Target {
        match event {
            // What an undo returns is no output of the step it undoes.
            Event::AttemptEnded { key, .. } if self.machine.state(*key) == Some(StepState::Undoing) => {
                Target::Nowhere
            }
            Event::AttemptEnded { key, .. } | Event::Set { key } | Event::Recalled { key, .. } => {
                Target::Output(*key)
            }
            Event::Signalled { signal, .. } => Target::Signal(signal.clone()),
            _ => Target::Nowhere,
        }
    }

    /// Does what stays inside the run. An action that reaches beyond it is
    /// given back. Frames that close go to `closed`, since their values have
    /// destructors of the user's.
    #[inline]
    pub(crate) fn settle<H: Host + 'static>(
        &mut self,
        host: &Arc<H>,
        action: Action,
        closed: &mut Vec<Frame>,
    ) -> Option<Action> {
        match action {
            Action::Open { frame, parent, region, index } => {
                self.params_for_undo(host, frame, parent);
                closed.extend(self.open(frame, parent, region, index));
            }
            Action::Evaluate { key, turn } => {
                let answer = match self.outcome_of_child(key) {
                    Some(recalled) => Event::Recalled { key, recalled },
                    None => Event::Answered { key, answer: self.evaluate(host, key, turn) },
                };
                self.answers.push_back((answer, None));
            }
            Action::Yield { frame } => {
                let result = self.yield_value(frame);
                self.answers.push_back((Event::Yielded { frame, result }, None));
            }
            Action::Collect { key } => self.collect(key),
            Action::Close { frame } => closed.extend(self.frames.remove(frame)),
            Action::Deliver { key, signal } => self.deliver_signal(key, &signal),
            Action::Fail { key, attempts, failure } => self.put_error(key, attempts, failure),
            Action::Recall { key, fresh } => {
                let (recalled, value) = self.recall(key, fresh);
                self.answers.push_back((Event::Recalled { key, recalled }, value));
            }
            Action::RecallHeld { frame } => {
                let steps = self.held_below(frame);
                self.answers.push_back((Event::HeldRecalled { frame, steps }, None));
            }
            Action::Restore { key } => self.restore_for_undo(key),
            visible => return Some(visible),
        }
        None
    }

    /// Notes what has changed, for those who look on, and keeps what is to be
    /// seen of frames that have closed. `suspected` hears of the steps that wait
    /// for an operator from now on.
    #[inline]
    pub(crate) fn note_changes(&mut self, closed: &mut [Frame], suspected: impl Fn(&Frame, u16)) {
        let Self { effects, frames, log, now, machine, .. } = self;
        for change in effects.changes.drain(..) {
            match change {
                Change::Run(state) => log.push(*now, What::Run(state)),
                Change::Step { key, state, attempt, failure } => {
                    if let Some(frame) = find(frames, closed, key.frame) {
                        if state == StepState::Suspected {
                            suspected(frame, key.step);
                        }
                        log.note(frame, *now, key.step, state, attempt, failure);
                    }
                }
            }
        }
        for frame in closed {
            log.archive(frame, machine);
        }
    }

    /// Which step failed the run, and why.
    pub(crate) fn failed_by(&self, cause: Option<(Key, u32, Failure)>) -> StepError {
        let Some((key, attempts, failure)) = cause else {
            let failure = Failure::new(Cause::Error, "the run failed");
            return StepError::new(self.graph.name.to_owned(), 0, failure);
        };
        let path = self.machine.path(key);
        let path = path.or_else(|| self.frames.get(key.frame).map(|frame| frame.scope.path(key.step)));
        StepError::new(path.unwrap_or_default(), attempts, failure)
    }
}

/// A frame that is open, or has closed just now.
pub(crate) fn find<'a>(
    frames: &'a mut Frames,
    closed: &'a mut [Frame],
    id: FrameId,
) -> Option<&'a mut Frame> {
    frames.get_mut(id).or_else(|| closed.iter_mut().find(|frame| frame.id == id))
}

/// Whether an action reaches beyond the run: it starts or stops what a task
/// does, waits for a time, or tells an end. The others move values about, and
/// are done again when the run is read back.
pub(crate) fn is_visible(action: &Action) -> bool {
    match action {
        Action::Start { .. }
        | Action::Undo { .. }
        | Action::Acquire { .. }
        | Action::Release { .. }
        | Action::Timer { .. }
        | Action::Stop { .. }
        | Action::Abort { .. }
        | Action::AwaitGrace
        | Action::Reconcile { .. }
        | Action::OpenMore { .. }
        | Action::Finish { .. } => true,
        Action::Open { .. }
        | Action::Evaluate { .. }
        | Action::Yield { .. }
        | Action::Collect { .. }
        | Action::Close { .. }
        | Action::Deliver { .. }
        | Action::Recall { .. }
        | Action::RecallHeld { .. }
        | Action::Restore { .. }
        | Action::Fail { .. } => false,
    }
}

/// Where the value goes that came with an event.
enum Target {
    Output(Key),
    Signal(SignalId),
    Nowhere,
}
