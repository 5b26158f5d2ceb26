//! A run's events as a store keeps them, and the batch that a run is about to
//! commit.
//!
//! The machine is deterministic, so its events are all there is to store: fed
//! to a fresh machine they give the same run. Events are written for people
//! too, as small JSON objects.

use serde::{Deserialize, Serialize};

use super::frames::Frame;
use super::host::Inner;
use super::params::{coded, saved};
use crate::definition::{Graph, Kind, Step};
use crate::error::Failure;
use crate::operation::By;
use crate::run::{Answer, AttemptEnd, Change, Event, FrameId, Key, Recalled, StepState, Timestamp, Wait};
use crate::store::{Entry, Payload, StepChange};
use crate::task::Retryability;
use crate::value::{Codec, Value};

/// A step: its frame's place, the frame's generation, and its number.
pub(crate) type StoredKey = (u32, u32, u16);

/// An event in a store. Names and fields never change their meaning: what one
/// version wrote, every later one reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum StoredEvent {
    Begun,
    Evaluated {
        step: StoredKey,
    },
    ArmChosen {
        step: StoredKey,
        arm: usize,
    },
    ItemsListed {
        step: StoredKey,
        items: usize,
    },
    TurnDecided {
        step: StoredKey,
        more: bool,
    },
    WaitDecided {
        step: StoredKey,
        until: Timestamp,
    },
    EvaluationFailed {
        step: StoredKey,
        failure: Failure,
    },
    Yielded {
        frame: (u32, u32),
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
        roll: f64,
    },
    AttemptLost {
        step: StoredKey,
        epoch: u32,
    },
    AttemptInterrupted {
        step: StoredKey,
        epoch: u32,
    },
    AttemptCancelled {
        step: StoredKey,
        epoch: u32,
    },
    TimerFired {
        step: StoredKey,
        epoch: u32,
    },
    Signalled {
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<By>,
    },
    CancelRequested {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<By>,
    },
    GraceOver,
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
    Set {
        step: StoredKey,
        by: Option<By>,
    },
    RetryRequested {
        step: StoredKey,
        by: Option<By>,
    },
    Paused {
        by: Option<By>,
    },
    Resumed {
        by: Option<By>,
    },
    /// Not an event of the run: what is left of a step from another run, or by
    /// an operator's word. Followed by `TakenUp`.
    Kept {
        path: String,
        recalled: StoredRecalled,
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
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<By>,
    },
    /// Not an event of the run: the engine was shut down in good order, so
    /// what ran then was interrupted and not lost.
    ShutDown,
    /// Not an event of the run: the engine only noted what somebody wanted, so
    /// no attempt that is open here has begun. The next engine decides again.
    NotBegun,
}

/// Why a run was taken up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

/// What is left of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoredRecalled {
    Nothing,
    Value,
    Failed { attempts: u32, failure: Failure },
    Until(Timestamp),
    Backoff { attempts: u32, until: Timestamp, failure: Failure },
    Unknown,
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
    pub(crate) fn of(event: &Event) -> Self {
        match event {
            Event::Begun => Self::Begun,
            Event::Answered { key, answer } => {
                let step = stored(*key);
                match answer {
                    Ok(Answer::Value) => Self::Evaluated { step },
                    Ok(Answer::Arm(arm)) => Self::ArmChosen { step, arm: *arm },
                    Ok(Answer::Items(items)) => Self::ItemsListed { step, items: *items },
                    Ok(Answer::Turn(more)) => Self::TurnDecided { step, more: *more },
                    Ok(Answer::Until(until)) => Self::WaitDecided { step, until: *until },
                    Err(failure) => Self::EvaluationFailed { step, failure: failure.clone() },
                }
            }
            Event::Yielded { frame, result } => {
                let frame = (frame.index, frame.generation);
                match result {
                    Ok(()) => Self::Yielded { frame },
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
                    AttemptEnd::Lost => Self::AttemptLost { step, epoch },
                    AttemptEnd::Interrupted => Self::AttemptInterrupted { step, epoch },
                    AttemptEnd::Cancelled => Self::AttemptCancelled { step, epoch },
                }
            }
            Event::TimerFired { key, epoch } => Self::TimerFired { step: stored(*key), epoch: *epoch },
            Event::Signalled { name } => Self::Signalled { name: (*name).to_owned(), by: None },
            Event::CancelRequested => Self::CancelRequested { by: None },
            Event::Recalled { key, recalled } => {
                Self::Recalled { step: stored(*key), recalled: StoredRecalled::of(recalled), from: None }
            }
            Event::Set { key } => Self::Set { step: stored(*key), by: None },
            Event::RetryRequested { key } => Self::RetryRequested { step: stored(*key), by: None },
            Event::Paused => Self::Paused { by: None },
            Event::Resumed => Self::Resumed { by: None },
            Event::GraceOver => Self::GraceOver,
        }
    }

    /// Notes who wanted it, where that is kept.
    fn wanted_by(&mut self, who: Option<By>) {
        if let Self::CancelRequested { by }
        | Self::Signalled { by, .. }
        | Self::Set { by, .. }
        | Self::RetryRequested { by, .. }
        | Self::Paused { by }
        | Self::Resumed { by } = self
        {
            *by = who;
        }
    }

    /// The step and the epoch, where an attempt has ended.
    pub(crate) fn attempt(&self) -> Option<(StoredKey, u32)> {
        match self {
            Self::AttemptSucceeded { step, epoch }
            | Self::AttemptFailed { step, epoch, .. }
            | Self::AttemptLost { step, epoch }
            | Self::AttemptReused { step, epoch }
            | Self::AttemptNotDone { step, epoch }
            | Self::AttemptNotBegun { step, epoch }
            | Self::AttemptInterrupted { step, epoch }
            | Self::AttemptCancelled { step, epoch } => Some((*step, *epoch)),
            _ => None,
        }
    }

    /// The event again, for a run of `graph`. `None` for what is no event of
    /// the run, and for a signal that the graph no longer has.
    pub(crate) fn event(self, graph: &'static Graph) -> Option<Event> {
        let answered = |step, answer| Some(Event::Answered { key: key(step), answer });
        let ended = |step, epoch, end| Some(Event::AttemptEnded { key: key(step), epoch, end, roll: 0.5 });
        match self {
            Self::Begun => Some(Event::Begun),
            Self::Evaluated { step } => answered(step, Ok(Answer::Value)),
            Self::ArmChosen { step, arm } => answered(step, Ok(Answer::Arm(arm))),
            Self::ItemsListed { step, items } => answered(step, Ok(Answer::Items(items))),
            Self::TurnDecided { step, more } => answered(step, Ok(Answer::Turn(more))),
            Self::WaitDecided { step, until } => answered(step, Ok(Answer::Until(until))),
            Self::EvaluationFailed { step, failure } => answered(step, Err(failure)),
            Self::Yielded { frame } => Some(Event::Yielded { frame: frame_id(frame), result: Ok(()) }),
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
            Self::AttemptLost { step, epoch } => ended(step, epoch, AttemptEnd::Lost),
            Self::AttemptInterrupted { step, epoch } => ended(step, epoch, AttemptEnd::Interrupted),
            Self::AttemptCancelled { step, epoch } => ended(step, epoch, AttemptEnd::Cancelled),
            Self::TimerFired { step, epoch } => Some(Event::TimerFired { key: key(step), epoch }),
            Self::Signalled { name, .. } => signal(graph, &name).map(|(name, _)| Event::Signalled { name }),
            Self::CancelRequested { .. } => Some(Event::CancelRequested),
            Self::AttemptReused { step, epoch } => ended(step, epoch, AttemptEnd::Reused),
            Self::AttemptNotBegun { step, epoch } => ended(step, epoch, AttemptEnd::NotBegun),
            Self::AttemptNotDone { step, epoch } => ended(step, epoch, AttemptEnd::NotDone),
            Self::Recalled { step, recalled, .. } => {
                Some(Event::Recalled { key: key(step), recalled: recalled.recalled() })
            }
            Self::Set { step, .. } => Some(Event::Set { key: key(step) }),
            Self::RetryRequested { step, .. } => Some(Event::RetryRequested { key: key(step) }),
            Self::Paused { .. } => Some(Event::Paused),
            Self::Resumed { .. } => Some(Event::Resumed),
            Self::GraceOver => Some(Event::GraceOver),
            Self::ShutDown | Self::NotBegun | Self::Kept { .. } | Self::TakenUp { .. } => None,
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
            Recalled::Backoff { attempts, until, failure } => Self::Backoff { attempts, until, failure },
            Recalled::Unknown => Self::Unknown,
            Recalled::Lost => Self::Lost,
        }
    }

    pub(crate) fn recalled(self) -> Recalled {
        match self {
            Self::Nothing => Recalled::Nothing,
            Self::Value => Recalled::Value,
            Self::Failed { attempts, failure } => Recalled::Failed { attempts, failure },
            Self::Until(until) => Recalled::Until(until),
            Self::Backoff { attempts, until, failure } => Recalled::Backoff { attempts, until, failure },
            Self::Unknown => Recalled::Unknown,
            Self::Lost => Recalled::Lost,
        }
    }
}

/// The first signal of a graph, or of a workflow it uses, that is the wanted
/// one: the graph's own copy of its name, and how its values are written.
pub(super) fn find_signal(
    graph: &'static Graph,
    is_wanted: &dyn Fn(&str, &Codec) -> bool,
) -> Option<(&'static str, &'static Codec)> {
    let mut steps = graph.regions.iter().flat_map(|region| region.steps);
    steps.find_map(|step| match step.kind {
        Kind::Signal { name, codec, .. } if is_wanted(name, codec) => Some((name, codec)),
        Kind::Task(task) => find_signal(task.task.child?, is_wanted),
        _ => None,
    })
}

fn signal(graph: &'static Graph, wanted: &str) -> Option<(&'static str, &'static Codec)> {
    find_signal(graph, &|name, _| name == wanted)
}

/// The journal's entry for an event. An output that cannot be saved is no
/// success: the event then says that the attempt failed, for good.
pub(crate) fn entry(
    inner: &mut Inner,
    event: &mut Event,
    value: &mut Option<Value>,
    largest: usize,
) -> Entry {
    let payload = match value.as_ref().map(|value| encode(inner, event, value, largest)) {
        None | Some(Ok(None)) => None,
        Some(Ok(Some(payload))) => Some(payload),
        Some(Err(failure)) => {
            *value = None;
            if let Event::AttemptEnded { end, .. } = event {
                *end = AttemptEnd::Failed(failure, Retryability::Fatal);
            }
            None
        }
    };
    let mut stored = StoredEvent::of(event);
    if let (StoredEvent::Recalled { from, .. }, Event::Recalled { key, .. }) = (&mut stored, &*event) {
        *from = inner.leftover(*key).and_then(|left| left.from);
    }
    stored.wanted_by(inner.by.take());
    Entry { at: inner.now, event: text(&stored), value: payload, changes: Vec::new() }
}

/// Every stored event is made of numbers and texts, which JSON can write.
pub(crate) fn text(event: &StoredEvent) -> String {
    serde_json::to_string(event).unwrap_or_default()
}

/// The value that comes with an event, as it is stored. `None` where none is
/// needed.
pub(crate) fn encode(
    inner: &Inner,
    event: &Event,
    value: &Value,
    largest: usize,
) -> Result<Option<Payload>, Failure> {
    codec(inner, event).map(|codec| payload(codec, value, largest)).transpose()
}

/// A value as it is stored.
pub(crate) fn payload(codec: &Codec, value: &Value, largest: usize) -> Result<Payload, Failure> {
    let bytes = saved(codec, value, largest)?;
    Ok(Payload { type_name: (codec.type_name)().into(), bytes })
}

/// The value that an entry brought. The words of an error say what the value
/// was of.
pub(crate) fn decode(
    inner: &Inner,
    event: &Event,
    stored: Option<&Payload>,
) -> Result<Option<Value>, String> {
    let Some(codec) = codec(inner, event) else { return Ok(None) };
    let wanted = (codec.type_name)();
    let Some(stored) = stored else {
        return Err(format!("the value of {}, of type `{wanted}`, is missing", bringer(inner, event)));
    };
    match coded(|| (codec.decode)(&stored.bytes)) {
        Ok(value) => Ok(Some(value)),
        Err(failure) => Err(format!(
            "the value of {}, stored as `{}`: {failure}",
            bringer(inner, event),
            stored.type_name
        )),
    }
}

/// What brought a value, in words.
pub(super) fn bringer(inner: &Inner, event: &Event) -> String {
    match event {
        Event::AttemptEnded { key, .. } | Event::Set { key } => {
            format!("step `{}`", inner.machine.path(*key).unwrap_or_default())
        }
        Event::Signalled { name } => format!("signal `{name}`"),
        _ => "an event".to_owned(),
    }
}

/// How the value is written that a step has of itself, if it has one.
pub(super) fn output_codec(step: &'static Step) -> Option<&'static Codec> {
    match step.kind {
        Kind::Task(task) if task.task.child.is_none() => Some(&task.task.output),
        Kind::Signal { codec, .. } => Some(codec),
        _ => None,
    }
}

/// How the value is written that comes with an event, if one does.
fn codec(inner: &Inner, event: &Event) -> Option<&'static Codec> {
    match event {
        Event::AttemptEnded { key, end: AttemptEnd::Ok | AttemptEnd::Reused, .. }
            if inner.machine.state(*key) != Some(StepState::Undoing) =>
        {
            output_codec(inner.frames.step(*key)?.1)
        }
        Event::Set { key } => output_codec(inner.frames.step(*key)?.1),
        Event::Signalled { name } => {
            signal(inner.machine.graph_of(FrameId::ROOT)?, name).map(|(_, codec)| codec)
        }
        _ => None,
    }
}

/// A step's change, for the people who read the store. What nobody `begins`
/// here waits for whoever does.
pub(crate) fn change(frame: &Frame, change: &Change, begins: bool) -> Option<StepChange> {
    let Change::Step { key, state, attempt, failure } = change else { return None };
    let step = frame.scope.step(key.step)?;
    // Regions and waits have no attempts, which is what a task's name stands for.
    let task = match step.kind {
        Kind::Task(task) if task.task.child.is_none() => Some(task.task.name.into()),
        _ => None,
    };
    let decided = !begins && task.is_some() && *state == StepState::Running;
    Some(StepChange {
        path: frame.scope.path(key.step),
        task,
        state: if decided { StepState::Waiting(Wait::Turn) } else { *state },
        attempt: attempt.saturating_sub(u32::from(decided)),
        failure: failure.as_deref().cloned(),
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a store holds is read by every later version, so these texts are
    /// never changed.
    #[test]
    fn events_are_written_as_they_always_were() {
        let failure = || Failure::new(crate::Cause::Error, "no route");
        let step = (0, 0, 3);
        let cases = [
            (StoredEvent::Begun, r#"{"event":"begun"}"#),
            (StoredEvent::ArmChosen { step, arm: 1 }, r#"{"event":"arm_chosen","step":[0,0,3],"arm":1}"#),
            (
                StoredEvent::AttemptSucceeded { step, epoch: 2 },
                r#"{"event":"attempt_succeeded","step":[0,0,3],"epoch":2}"#,
            ),
            (
                StoredEvent::AttemptFailed {
                    step,
                    epoch: 2,
                    failure: failure(),
                    retry: StoredRetry::Retry,
                    roll: 0.5,
                },
                r#"{"event":"attempt_failed","step":[0,0,3],"epoch":2,"failure":{"cause":"error","messages":["no route"]},"retry":"retry","roll":0.5}"#,
            ),
            (
                StoredEvent::WaitDecided { step, until: Timestamp(7) },
                r#"{"event":"wait_decided","step":[0,0,3],"until":7}"#,
            ),
            (
                StoredEvent::Signalled { name: "go".to_owned(), by: None },
                r#"{"event":"signalled","name":"go"}"#,
            ),
            (StoredEvent::ShutDown, r#"{"event":"shut_down"}"#),
            (StoredEvent::NotBegun, r#"{"event":"not_begun"}"#),
        ];
        for (event, text) in cases {
            assert_eq!(serde_json::to_string(&event).unwrap(), text);
            assert_eq!(serde_json::from_str::<StoredEvent>(text).unwrap(), event);
        }
    }
}
