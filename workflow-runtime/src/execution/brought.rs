//! The values that events bring from outside: outputs, and what signals carry.

use super::Execution;
use super::coded::{coded, payload};
use crate::failure::Failure;
use crate::held::hold_in;
use crate::lookup::find_signal;
use crate::run::{AttemptEnd, Event, FrameId, StepState};
use crate::task::definition::{Kind, Step};
use crate::value::{Codec, Payload, Value};

/// The value that comes with an event, as it is stored and as it is read back
/// from there. `None` where none is needed.
pub(crate) fn encode(
    run: &Execution,
    event: &Event,
    value: &Value,
    largest: usize,
) -> Result<Option<(Payload, Option<Value>)>, Failure> {
    codec(run, event).map(|codec| payload(codec, value, largest)).transpose()
}

/// The value that an entry brought. The words of an error say what the value
/// was of.
pub(crate) fn decode(
    run: &Execution,
    event: &Event,
    stored: Option<&Payload>,
) -> Result<Option<Value>, String> {
    let Some(codec) = codec(run, event) else { return Ok(None) };
    let wanted = (codec.type_name)();
    let Some(stored) = stored else {
        return Err(format!("the value of {}, of type `{wanted}`, is missing", bringer(run, event)));
    };
    hold_in(&stored.bytes);
    match coded(|| (codec.decode)(&stored.bytes)) {
        Ok(value) => Ok(Some(value)),
        Err(failure) => {
            Err(format!("the value of {}, stored as `{}`: {failure}", bringer(run, event), stored.type_name))
        }
    }
}

/// What brought a value, in words.
pub(crate) fn bringer(run: &Execution, event: &Event) -> String {
    match event {
        Event::AttemptEnded { key, .. } | Event::Set { key } => {
            format!("step `{}`", run.machine.path(*key).unwrap_or_default())
        }
        Event::Signalled { signal, .. } => signal.to_string(),
        _ => "an event".to_owned(),
    }
}

/// How the value is written that a step has of itself, if it has one.
pub(crate) fn output_codec(step: &'static Step) -> Option<&'static Codec> {
    match step.kind {
        Kind::Task(task) if task.task.child.is_none() => Some(&task.task.output),
        Kind::Signal { codec, .. } => Some(codec),
        _ => None,
    }
}

/// How the value is written that comes with an event, if one does.
fn codec(run: &Execution, event: &Event) -> Option<&'static Codec> {
    match event {
        Event::AttemptEnded { key, end: AttemptEnd::Ok | AttemptEnd::Reused, .. }
            if run.machine.state(*key) != Some(StepState::Undoing) =>
        {
            output_codec(run.frames.step(*key)?.1)
        }
        Event::Set { key } if !run.machine.is_undo(*key) => output_codec(run.frames.step(*key)?.1),
        Event::Signalled { signal, .. } => {
            find_signal(run.machine.graph_of(FrameId::ROOT)?, signal.name).map(|known| known.codec)
        }
        _ => None,
    }
}
