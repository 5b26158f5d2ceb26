//! The values of a journal: there where they should be, and readable.

use serde::de::IgnoredAny;

use super::finding::Problem;
use super::life::{ReplayedLife, Wrong};
use crate::journal::{StoredEvent, StoredRecalled};
use crate::run::{AttemptEnd, Event, StepState};
use crate::store::{Payload, StoredEntry};
use crate::task::definition::Kind;

/// What is wrong with the value of an entry that `life` is about to hear as
/// `event`.
pub(super) fn of_event(
    life: &ReplayedLife,
    event: &Event,
    value: Option<&Payload>,
    in_clear: bool,
) -> Option<Wrong> {
    let (step, whose, is_needed) = match event {
        Event::AttemptEnded { key, end: AttemptEnd::Ok, .. } => {
            let is_undo = life.machine.state(*key) == Some(StepState::Undoing);
            (life.machine.path(*key), "its result".to_owned(), !is_undo && is_task(life, *key))
        }
        Event::Signalled { signal, .. } => (None, format!("the value of {signal}"), true),
        _ => (None, "its value".to_owned(), false),
    };
    let what = match value {
        None if is_needed => format!("{whose} is missing"),
        None => return None,
        Some(value) => {
            let why = unreadable(value, in_clear)?;
            format!("{whose}, a `{}`, cannot be read: {why}", value.type_name)
        }
    };
    Some((step, Problem::Value, what))
}

fn is_task(life: &ReplayedLife, key: crate::run::Key) -> bool {
    matches!(life.machine.step(key).map(|step| &step.kind), Some(Kind::Task(_)))
}

/// What is wrong with the place where a recalled value stands.
pub(super) fn of_recalled(event: &StoredEvent, number: usize, journal: &[StoredEntry]) -> Option<String> {
    let StoredEvent::Recalled { recalled: StoredRecalled::Value, from: Some(from), .. } = event else {
        return None;
    };
    let place = usize::try_from(*from).ok().filter(|place| *place < number);
    match place.and_then(|place| journal.get(place)) {
        Some(StoredEntry { value: Some(_), .. }) => None,
        Some(_) => Some(format!("its value is said to stand in entry {from}, which has none")),
        None => Some(format!("its value is said to stand in entry {from}, which comes later")),
    }
}

/// Why a value cannot be read: every value is JSON, unless it is encrypted.
pub(super) fn unreadable(value: &Payload, in_clear: bool) -> Option<serde_json::Error> {
    in_clear.then(|| serde_json::from_slice::<IgnoredAny>(&value.bytes).err()).flatten()
}
