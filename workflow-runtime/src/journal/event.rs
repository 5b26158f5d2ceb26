//! A run's events as they are stored.
//!
//! The machine is deterministic, so its events are all there is to store: fed
//! to a fresh machine they give the same run. They are written for people
//! too, as small JSON objects.

use std::fmt::Write as _;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::failure::Failure;
use crate::lookup::find_signal;
use crate::operation::By;
use crate::run::{
    Answer, AttemptEnd, Event, FrameId, HeldStep, Key, Machine, Recalled, SignalId, Timestamp, Within,
};
use crate::task::Retryability;
use crate::task::definition::Graph;

/// A step: its frame's place, the frame's generation, and its number.
pub(crate) type StoredKey = (u32, u32, u16);

/// A step below a body: the steps, regions and items on the way, and its number.
pub(crate) type StoredHeld = (Vec<(u16, u16, u32)>, u16);

/// An event in a store. Names and fields never change their meaning: what one
/// version wrote, every later one reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum StoredEvent {
    Begun,
    Evaluated {
        step: StoredKey,
        /// The step's path, where the entry has what was evaluated.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
    ArmChosen {
        step: StoredKey,
        arm: usize,
        /// The step's path, where later lives go by this choice.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
    ItemsListed {
        step: StoredKey,
        items: usize,
        /// The step's path, where the entry has the items.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
    TurnDecided {
        step: StoredKey,
        more: bool,
        /// The turn's path, where later lives go by this decision. The entry
        /// of the first turn may have the loop's variables.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
    WaitDecided {
        step: StoredKey,
        until: Timestamp,
    },
    /// A step waits for a signal with this key.
    SignalAwaited {
        step: StoredKey,
        key: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    EvaluationFailed {
        step: StoredKey,
        failure: Failure,
    },
    Yielded {
        frame: (u32, u32),
        /// The region's path, where the entry has its value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
    YieldFailed {
        frame: (u32, u32),
        failure: Failure,
    },
    Granted {
        step: StoredKey,
        epoch: u32,
    },
    AttemptSucceeded {
        step: StoredKey,
        epoch: u32,
    },
    AttemptFailed {
        step: StoredKey,
        epoch: u32,
        failure: Failure,
        retry: StoredRetry,
        #[serde(deserialize_with = "number")]
        roll: f64,
    },
    AttemptLost {
        step: StoredKey,
        epoch: u32,
        /// For the wait that follows. Versions that wrote none counted losses
        /// otherwise.
        #[serde(default, deserialize_with = "number_or_none", skip_serializing_if = "Option::is_none")]
        roll: Option<f64>,
    },
    AttemptInterrupted {
        step: StoredKey,
        epoch: u32,
        /// As above: without one, it was written by an earlier version.
        #[serde(default, deserialize_with = "number_or_none", skip_serializing_if = "Option::is_none")]
        roll: Option<f64>,
    },
    AttemptCancelled {
        step: StoredKey,
        epoch: u32,
    },
    TimerFired {
        step: StoredKey,
        epoch: u32,
    },
    TimerFiredLate {
        step: StoredKey,
        epoch: u32,
    },
    /// Instead of `TimerFired` or `Granted`, where it was too late for a retry.
    /// Earlier versions had `TimerFiredLate`, and looked at the budget there.
    BudgetOver {
        step: StoredKey,
        epoch: u32,
    },
    Signalled {
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// The step that was meant, where one was named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StoredKey>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<By>,
    },
    CancelRequested {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<By>,
    },
    GraceOver,
    MoreWanted {
        step: StoredKey,
    },
    AttemptReused {
        step: StoredKey,
        epoch: u32,
    },
    AttemptNotBegun {
        step: StoredKey,
        epoch: u32,
    },
    AttemptNotDone {
        step: StoredKey,
        epoch: u32,
    },
    Recalled {
        step: StoredKey,
        recalled: StoredRecalled,
        /// Where the value stands: the number of an earlier entry of the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<u64>,
    },
    /// The finished steps that are undone though this life has not come to
    /// them.
    HeldRecalled {
        frame: (u32, u32),
        steps: Vec<StoredHeld>,
    },
    Set {
        step: StoredKey,
        by: Option<By>,
    },
    RetryRequested {
        step: StoredKey,
        by: Option<By>,
    },
    UndoGivenUp {
        step: StoredKey,
        by: Option<By>,
    },
    Paused {
        by: Option<By>,
    },
    Resumed {
        by: Option<By>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        over_budget: Vec<StoredKey>,
    },
    /// Not an event of the run: what is left of a step from another run, or by
    /// an operator's word. Followed by `TakenUp`.
    Kept {
        path: String,
        recalled: StoredRecalled,
        /// Whether it is kept even where something before it runs anew.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        held: bool,
    },
    /// Not an event of the run: it was taken up again, and what follows is
    /// heard by a fresh machine.
    TakenUp {
        why: Why,
        /// The hash of the blueprint that was followed until here.
        before: u64,
        /// The hash of the blueprint that is followed from here on.
        blueprint: u64,
        /// The paths of steps of which nothing is left, whatever became of
        /// them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        dropped: Vec<String>,
        /// What of the rest is kept even where something before it runs anew.
        #[serde(default, skip_serializing_if = "Holds::is_least")]
        holds: Holds,
        /// Whether what is held is undone also where the life has not come to
        /// it. Versions that did not write it forgot that.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        undoes_held: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<By>,
    },
    /// Not an event of the run: the arguments of a step that starts, which are
    /// those of all its attempts.
    Given {
        step: StoredKey,
        path: String,
    },
    /// Not an event of the run: what a name was computed as, which it is for
    /// ever. The path is that of its region, and what tells it from others.
    Computed {
        path: String,
    },
    /// Not an event of the run: the items of a `for`, as another run has listed
    /// them. Followed by `TakenUp`.
    Listed {
        path: String,
    },
    /// Not an event of the run: the engine was shut down in good order, so
    /// what ran then was interrupted and not lost.
    ShutDown,
    /// Not an event of the run: the engine only noted what somebody wanted, so
    /// no attempt that is open here has begun. The next engine decides again.
    NotBegun,
    /// Not an event of the run: an attempt is about to end whose code goes on,
    /// since it cannot be stopped.
    LeftBehind {
        step: StoredKey,
        epoch: u32,
        /// When the code began, or the poll that does not return.
        since: Timestamp,
    },
}

/// Why a run was taken up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Why {
    /// An operator retried it.
    Retried,
    /// An operator settled a step of it.
    Set,
    /// Its workflow has changed, in a way that does not touch what was done.
    Changed,
    /// Its workflow has changed, and an operator had it go on.
    Adopted,
    /// It is a fork of another run.
    Forked,
}

/// Which results a new life keeps even where something before them runs anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Holds {
    /// Those that an operator has set, in this life or in one before.
    #[default]
    Set,
    /// And those of tasks that are not done twice for the sake of another
    /// step: `at_most_once`, `transaction`, or with an `undo` that they would
    /// need twice.
    Once,
    /// All that there are.
    Everything,
}

impl Holds {
    /// The machine of a life that holds so much.
    pub(crate) fn machine(self, graph: &'static Graph, undoes_held: bool) -> Machine {
        let machine = Machine::resuming(graph);
        // Earlier versions held nothing else, and their lives are heard as then.
        match (self, undoes_held) {
            (Self::Set, _) => machine,
            (_, false) => machine.holding(),
            (_, true) => machine.holding().undoing_held(),
        }
    }

    /// What an entry without the field means.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
    fn is_least(&self) -> bool {
        *self == Self::Set
    }
}

/// What is left of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoredRecalled {
    Nothing,
    Value,
    Failed {
        attempts: u32,
        failure: Failure,
    },
    Until(Timestamp),
    /// It waits for a signal with this key.
    Awaits {
        key: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    Backoff {
        attempts: u32,
        until: Timestamp,
        failure: Failure,
        #[serde(default, skip_serializing_if = "is_zero")]
        losses: u16,
    },
    Unknown,
    Suspected {
        attempts: u32,
        failure: Failure,
        losses: u16,
    },
    Lost,
}

/// What an error said about another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoredRetry {
    Retry,
    After { nanos: u64 },
    Fatal,
}

impl StoredEvent {
    pub(crate) fn left_behind(key: Key, epoch: u32, since: Timestamp) -> Self {
        Self::LeftBehind { step: stored(key), epoch, since }
    }

    /// The attempt that is over and whose code goes on, if it says that.
    pub(crate) fn left(&self) -> Option<(Key, u32)> {
        match self {
            Self::LeftBehind { step, epoch, .. } => Some((key(*step), *epoch)),
            _ => None,
        }
    }

    pub(crate) fn of(event: &Event) -> Self {
        match event {
            Event::Begun => Self::Begun,
            Event::Answered { key, answer } => {
                let step = stored(*key);
                match answer {
                    Ok(Answer::Value) => Self::Evaluated { step, path: None },
                    Ok(Answer::Arm(arm)) => Self::ArmChosen { step, arm: *arm, path: None },
                    Ok(Answer::Items(items)) => Self::ItemsListed { step, items: *items, path: None },
                    Ok(Answer::Turn(more)) => Self::TurnDecided { step, more: *more, path: None },
                    Ok(Answer::Until(until)) => Self::WaitDecided { step, until: *until },
                    Ok(Answer::Awaits { key, until }) => {
                        Self::SignalAwaited { step, key: String::from(&**key), until: *until }
                    }
                    Err(failure) => Self::EvaluationFailed { step, failure: failure.clone() },
                }
            }
            Event::Yielded { frame, result } => {
                let frame = (frame.index, frame.generation);
                match result {
                    Ok(()) => Self::Yielded { frame, path: None },
                    Err(failure) => Self::YieldFailed { frame, failure: failure.clone() },
                }
            }
            Event::Granted { key, epoch } => Self::Granted { step: stored(*key), epoch: *epoch },
            Event::AttemptEnded { key, epoch, end, roll } => {
                let (step, epoch) = (stored(*key), *epoch);
                match end {
                    AttemptEnd::Ok => Self::AttemptSucceeded { step, epoch },
                    AttemptEnd::Failed(failure, retry) => {
                        let retry = match retry {
                            Retryability::Retry => StoredRetry::Retry,
                            Retryability::RetryAfter(delay) => StoredRetry::After {
                                nanos: u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX),
                            },
                            Retryability::Fatal => StoredRetry::Fatal,
                        };
                        Self::AttemptFailed { step, epoch, failure: failure.clone(), retry, roll: *roll }
                    }
                    AttemptEnd::Reused => Self::AttemptReused { step, epoch },
                    AttemptEnd::NotBegun => Self::AttemptNotBegun { step, epoch },
                    AttemptEnd::NotDone => Self::AttemptNotDone { step, epoch },
                    AttemptEnd::Lost => Self::AttemptLost { step, epoch, roll: Some(*roll) },
                    AttemptEnd::Interrupted => Self::AttemptInterrupted { step, epoch, roll: Some(*roll) },
                    AttemptEnd::Legacy { lost: true } => Self::AttemptLost { step, epoch, roll: None },
                    AttemptEnd::Legacy { lost: false } => {
                        Self::AttemptInterrupted { step, epoch, roll: None }
                    }
                    AttemptEnd::Cancelled => Self::AttemptCancelled { step, epoch },
                }
            }
            Event::TimerFired { key, epoch } => Self::TimerFired { step: stored(*key), epoch: *epoch },
            Event::TimerFiredLate { key, epoch } => {
                Self::TimerFiredLate { step: stored(*key), epoch: *epoch }
            }
            Event::BudgetOver { key, epoch } => Self::BudgetOver { step: stored(*key), epoch: *epoch },
            Event::Signalled { signal, step } => Self::Signalled {
                name: signal.name.to_owned(),
                key: signal.key.as_deref().map(String::from),
                step: step.map(stored),
                by: None,
            },
            Event::CancelRequested => Self::CancelRequested { by: None },
            Event::Recalled { key, recalled } => {
                Self::Recalled { step: stored(*key), recalled: StoredRecalled::of(recalled), from: None }
            }
            Event::HeldRecalled { frame, steps } => {
                let held = |step: &HeldStep| {
                    let within = step.within.iter().map(|within| (within.step, within.region, within.index));
                    (within.collect(), step.step)
                };
                let frame = (frame.index, frame.generation);
                Self::HeldRecalled { frame, steps: steps.iter().map(held).collect() }
            }
            Event::MoreWanted { key } => Self::MoreWanted { step: stored(*key) },
            Event::Set { key } => Self::Set { step: stored(*key), by: None },
            Event::RetryRequested { key } => Self::RetryRequested { step: stored(*key), by: None },
            Event::UndoGivenUp { key } => Self::UndoGivenUp { step: stored(*key), by: None },
            Event::Paused => Self::Paused { by: None },
            Event::Resumed { over_budget } => {
                Self::Resumed { by: None, over_budget: over_budget.iter().map(|key| stored(*key)).collect() }
            }
            Event::GraceOver => Self::GraceOver,
        }
    }

    /// What a step was given that starts.
    pub(crate) fn given(key: Key, path: String) -> Self {
        Self::Given { step: stored(key), path }
    }

    /// Of which step the arguments are that the entry has.
    pub(crate) fn given_to(&self) -> Option<Key> {
        match self {
            Self::Given { step, .. } => Some(key(*step)),
            _ => None,
        }
    }

    /// Notes the path of what is kept of it.
    pub(crate) fn keep(&mut self, of: String) {
        if let Self::Evaluated { path, .. }
        | Self::ArmChosen { path, .. }
        | Self::ItemsListed { path, .. }
        | Self::TurnDecided { path, .. }
        | Self::Yielded { path, .. } = self
        {
            *path = Some(of);
        }
    }

    /// Whether something is kept of it.
    pub(crate) fn is_kept(&self) -> bool {
        matches!(
            self,
            Self::Evaluated { path: Some(_), .. }
                | Self::ArmChosen { path: Some(_), .. }
                | Self::ItemsListed { path: Some(_), .. }
                | Self::TurnDecided { path: Some(_), .. }
                | Self::Yielded { path: Some(_), .. }
        )
    }

    /// Notes who wanted it, where that is kept.
    pub(crate) fn wanted_by(&mut self, who: Option<By>) {
        if let Self::CancelRequested { by }
        | Self::Signalled { by, .. }
        | Self::Set { by, .. }
        | Self::RetryRequested { by, .. }
        | Self::UndoGivenUp { by, .. }
        | Self::Paused { by }
        | Self::Resumed { by, .. } = self
        {
            *by = who;
        }
    }

    /// The event again, for a run of `graph`. `None` for what is no event of
    /// the run, and for a signal that the graph no longer has.
    pub(crate) fn event(self, graph: &'static Graph) -> Option<Event> {
        let answered = |step, answer| Some(Event::Answered { key: key(step), answer });
        let ended = |step, epoch, end| Some(Event::AttemptEnded { key: key(step), epoch, end, roll: 0.5 });
        let unfinished = |step, epoch, end: AttemptEnd, roll: Option<f64>| {
            let legacy = AttemptEnd::Legacy { lost: end == AttemptEnd::Lost };
            let (end, roll) = roll.map_or((legacy, 0.5), |roll| (end, roll));
            Some(Event::AttemptEnded { key: key(step), epoch, end, roll })
        };
        match self {
            Self::Begun => Some(Event::Begun),
            Self::Evaluated { step, .. } => answered(step, Ok(Answer::Value)),
            Self::ArmChosen { step, arm, .. } => answered(step, Ok(Answer::Arm(arm))),
            Self::ItemsListed { step, items, .. } => answered(step, Ok(Answer::Items(items))),
            Self::TurnDecided { step, more, .. } => answered(step, Ok(Answer::Turn(more))),
            Self::WaitDecided { step, until } => answered(step, Ok(Answer::Until(until))),
            Self::SignalAwaited { step, key, until } => {
                answered(step, Ok(Answer::Awaits { key: key.into(), until }))
            }
            Self::EvaluationFailed { step, failure } => answered(step, Err(failure)),
            Self::Yielded { frame, .. } => Some(Event::Yielded { frame: frame_id(frame), result: Ok(()) }),
            Self::YieldFailed { frame, failure } => {
                Some(Event::Yielded { frame: frame_id(frame), result: Err(failure) })
            }
            Self::Granted { step, epoch } => Some(Event::Granted { key: key(step), epoch }),
            Self::AttemptSucceeded { step, epoch } => ended(step, epoch, AttemptEnd::Ok),
            Self::AttemptFailed { step, epoch, failure, retry, roll } => {
                let retry = match retry {
                    StoredRetry::Retry => Retryability::Retry,
                    StoredRetry::After { nanos } => {
                        Retryability::RetryAfter(std::time::Duration::from_nanos(nanos))
                    }
                    StoredRetry::Fatal => Retryability::Fatal,
                };
                let end = AttemptEnd::Failed(failure, retry);
                Some(Event::AttemptEnded { key: key(step), epoch, end, roll })
            }
            Self::AttemptLost { step, epoch, roll } => unfinished(step, epoch, AttemptEnd::Lost, roll),
            Self::AttemptInterrupted { step, epoch, roll } => {
                unfinished(step, epoch, AttemptEnd::Interrupted, roll)
            }
            Self::AttemptCancelled { step, epoch } => ended(step, epoch, AttemptEnd::Cancelled),
            Self::TimerFired { step, epoch } => Some(Event::TimerFired { key: key(step), epoch }),
            Self::BudgetOver { step, epoch } => Some(Event::BudgetOver { key: key(step), epoch }),
            Self::TimerFiredLate { step, epoch } => Some(Event::TimerFiredLate { key: key(step), epoch }),
            Self::Signalled { name, key: of, step, .. } => {
                let name = find_signal(graph, &name)?.name;
                Some(Event::Signalled {
                    signal: SignalId { name, key: of.map(Into::into) },
                    step: step.map(key),
                })
            }
            Self::CancelRequested { .. } => Some(Event::CancelRequested),
            Self::AttemptReused { step, epoch } => ended(step, epoch, AttemptEnd::Reused),
            Self::AttemptNotBegun { step, epoch } => ended(step, epoch, AttemptEnd::NotBegun),
            Self::AttemptNotDone { step, epoch } => ended(step, epoch, AttemptEnd::NotDone),
            Self::Recalled { step, recalled, .. } => {
                Some(Event::Recalled { key: key(step), recalled: recalled.recalled() })
            }
            Self::HeldRecalled { frame, steps } => {
                let held = |(within, step): StoredHeld| HeldStep {
                    within: within
                        .into_iter()
                        .map(|(step, region, index)| Within { step, region, index })
                        .collect(),
                    step,
                };
                let steps = steps.into_iter().map(held).collect();
                Some(Event::HeldRecalled { frame: frame_id(frame), steps })
            }
            Self::MoreWanted { step } => Some(Event::MoreWanted { key: key(step) }),
            Self::Set { step, .. } => Some(Event::Set { key: key(step) }),
            Self::RetryRequested { step, .. } => Some(Event::RetryRequested { key: key(step) }),
            Self::UndoGivenUp { step, .. } => Some(Event::UndoGivenUp { key: key(step) }),
            Self::Paused { .. } => Some(Event::Paused),
            Self::Resumed { over_budget, .. } => {
                Some(Event::Resumed { over_budget: over_budget.into_iter().map(key).collect() })
            }
            Self::GraceOver => Some(Event::GraceOver),
            Self::ShutDown
            | Self::NotBegun
            | Self::LeftBehind { .. }
            | Self::Given { .. }
            | Self::Computed { .. }
            | Self::Listed { .. }
            | Self::Kept { .. }
            | Self::TakenUp { .. } => None,
        }
    }
}

impl StoredRecalled {
    pub(crate) fn of(recalled: &Recalled) -> Self {
        match recalled.clone() {
            Recalled::Nothing => Self::Nothing,
            Recalled::Value => Self::Value,
            Recalled::Failed { attempts, failure } => Self::Failed { attempts, failure },
            Recalled::Until(until) => Self::Until(until),
            Recalled::Awaits { key, until } => Self::Awaits { key: String::from(&*key), until },
            Recalled::Backoff { attempts, until, failure, losses } => {
                Self::Backoff { attempts, until, failure, losses }
            }
            Recalled::Unknown => Self::Unknown,
            Recalled::Suspected { attempts, failure, losses } => {
                Self::Suspected { attempts, failure, losses }
            }
            Recalled::Lost => Self::Lost,
        }
    }

    pub(crate) fn recalled(self) -> Recalled {
        match self {
            Self::Nothing => Recalled::Nothing,
            Self::Value => Recalled::Value,
            Self::Failed { attempts, failure } => Recalled::Failed { attempts, failure },
            Self::Until(until) => Recalled::Until(until),
            Self::Awaits { key, until } => Recalled::Awaits { key: key.into(), until },
            Self::Backoff { attempts, until, failure, losses } => {
                Recalled::Backoff { attempts, until, failure, losses }
            }
            Self::Unknown => Recalled::Unknown,
            Self::Suspected { attempts, failure, losses } => {
                Recalled::Suspected { attempts, failure, losses }
            }
            Self::Lost => Recalled::Lost,
        }
    }
}

/// A number, also where a program has serde_json keep numbers as texts.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    number.as_f64().ok_or_else(|| D::Error::custom(format_args!("`{number}` is out of range")))
}

/// The same where there may be none.
fn number_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    number(deserializer).map(Some)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(number: &u16) -> bool {
    *number == 0
}

/// The text of an entry, with the process that writes it: the first entry of
/// each process in a run's journal says which it was, so that it can be told
/// which process an attempt was lost with.
pub(crate) fn signed(text: &mut String, process: u32) {
    if text.pop() == Some('}') {
        let _ = write!(text, ",\"process\":{process}}}");
    }
}

/// The process that signed an entry.
pub(crate) fn signer(text: &str) -> Option<u32> {
    #[derive(Deserialize)]
    struct Signed {
        process: u32,
    }
    // Seldom there, and then the last thing in the text.
    let place = text.rfind(",\"process\":")?;
    let signed: Signed = serde_json::from_str(&format!("{{{}", &text[place + 1..])).ok()?;
    Some(signed.process)
}

/// Every stored event is made of numbers and texts, which JSON can write.
pub(crate) fn text(event: &StoredEvent) -> String {
    serde_json::to_string(event).unwrap_or_default()
}

fn stored(key: Key) -> StoredKey {
    (key.frame.index, key.frame.generation, key.step)
}

fn key((index, generation, step): StoredKey) -> Key {
    Key { frame: FrameId { index, generation }, step }
}

fn frame_id((index, generation): (u32, u32)) -> FrameId {
    FrameId { index, generation }
}
