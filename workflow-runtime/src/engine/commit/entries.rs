//! The entries of a run's journal: made of what it hears, with the values that
//! come with it, and read back.

use crate::engine::instance::Inner;
use crate::execution::frames::Frame;
use crate::execution::{Given, encode};
use crate::journal::{StoredEvent, text};
use crate::run::Timestamp;
use crate::run::{AttemptEnd, Change, Event, StepState, Wait};
use crate::store::{Entry, StepChange};
use crate::task::Retryability;
use crate::task::definition::Kind;
use crate::value::Payload;
use crate::value::Value;

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
        (None, Some(brought)) => match encode(&inner.run, event, brought, largest) {
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
    let payload = match inner.run.take_kept(event) {
        None => payload,
        Some((of, kept)) => {
            stored.keep(of);
            kept
        }
    };
    if let (StoredEvent::Recalled { from, .. }, Event::Recalled { key, .. }) = (&mut stored, &*event) {
        *from = inner.run.leftover(*key).and_then(|left| left.from);
    }
    stored.wanted_by(inner.by.take());
    Entry { at: inner.run.now, event: text(&stored), value: payload, changes: Vec::new() }
}

/// A step's change, for the people who read the store. What this engine does not `begin`
/// waits for another engine to begin it.
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

/// The entry about what a step is given.
pub(crate) fn given(at: Timestamp, given: Given) -> Entry {
    let event = text(&StoredEvent::given(given.key, given.path));
    let value = Some(Payload { type_name: "arguments".into(), bytes: given.arguments });
    Entry { at, event, value, changes: Vec::new() }
}

/// The entry about what a name was computed as.
pub(crate) fn computed(at: Timestamp, path: String, value: Payload) -> Entry {
    Entry { at, event: text(&StoredEvent::Computed { path }), value: Some(value), changes: Vec::new() }
}
