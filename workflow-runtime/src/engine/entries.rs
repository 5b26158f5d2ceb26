//! The entries of a run's journal: made of what it hears, with the values that
//! come with it, and read back.

use super::host::Inner;
use super::params::{Saved, coded, saved};
use crate::execution::frames::Frame;
use crate::failure::Failure;
use crate::held::hold_in;
use crate::journal::{StoredEvent, text};
use crate::lookup::find_signal;
use crate::run::{AttemptEnd, Change, Event, FrameId, StepState, Wait};
use crate::store::{Entry, Payload, StepChange};
use crate::task::Retryability;
use crate::task::definition::{Kind, Step};
use crate::value::{Codec, Value};

/// The journal's entry for an event. An output that cannot be saved is no
/// success: the event then says that the attempt failed, for good.
pub(crate) fn entry(
    inner: &mut Inner,
    event: &mut Event,
    value: &mut Option<Value>,
    largest: usize,
) -> Entry {
    let payload = match (inner.saved.take(), value.as_ref()) {
        (Some(saved), _) => Some(saved),
        (None, None) => None,
        (None, Some(brought)) => match encode(inner, event, brought, largest) {
            Ok(None) => None,
            Ok(Some((payload, read))) => {
                if let Some(read) = read {
                    *value = Some(read);
                }
                Some(payload)
            }
            Err(failure) => {
                *value = None;
                if let Event::AttemptEnded { end, .. } = event {
                    *end = AttemptEnd::Failed(failure, Retryability::Fatal);
                }
                None
            }
        },
    };
    let mut stored = StoredEvent::of(event);
    let payload = match inner.take_kept(event) {
        None => payload,
        Some((of, kept)) => {
            stored.keep(of);
            kept
        }
    };
    if let (StoredEvent::Recalled { from, .. }, Event::Recalled { key, .. }) = (&mut stored, &*event) {
        *from = inner.leftover(*key).and_then(|left| left.from);
    }
    stored.wanted_by(inner.by.take());
    Entry { at: inner.now, event: text(&stored), value: payload, changes: Vec::new() }
}

/// The value that comes with an event, as it is stored and as it is read back
/// from there. `None` where none is needed.
pub(crate) fn encode(
    inner: &Inner,
    event: &Event,
    value: &Value,
    largest: usize,
) -> Result<Option<(Payload, Option<Value>)>, Failure> {
    codec(inner, event).map(|codec| payload(codec, value, largest)).transpose()
}

/// A value as it is stored, and as it is read back, unless it is what it was.
pub(crate) fn payload(
    codec: &Codec,
    value: &Value,
    largest: usize,
) -> Result<(Payload, Option<Value>), Failure> {
    let Saved { bytes, value } = saved(codec, value, largest)?;
    Ok((Payload { type_name: (codec.type_name)().into(), bytes }, value))
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
    hold_in(&stored.bytes);
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
        Event::Set { key } if !inner.machine.is_undo(*key) => output_codec(inner.frames.step(*key)?.1),
        Event::Signalled { name } => {
            find_signal(inner.machine.graph_of(FrameId::ROOT)?, name).map(|(_, codec)| codec)
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
