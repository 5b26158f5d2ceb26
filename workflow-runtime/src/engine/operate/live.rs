//! What is done to a run that goes on in this process.

use std::sync::Arc;

use super::{from_json, needs_store, refused, value_for};
use crate::engine::instance::{Inner, RunHost};
use crate::error::{Error, Result};
use crate::execution::{Aim, output_codec};
use crate::lookup::find_signal;
use crate::operation::{Asker, By, ExactOperation};
use crate::run::{Event, Key, StepState};
use crate::value::Value;

/// Does to a run of this process what can be done to one that goes on.
pub(crate) async fn to_live(
    host: &Arc<RunHost>,
    operation: &ExactOperation,
    by: &By,
    request: Option<i64>,
) -> Result<()> {
    let asker = Asker { by: Some(by.clone()), request };
    if let ExactOperation::Retry { step: None } = operation {
        let waiting = {
            let inner = host.lock();
            host.check_open(&inner)?;
            waiting(host, &inner)?
        };
        // The last one answers: until then something is left to do.
        let last = waiting.last().copied();
        for key in waiting {
            let request = asker.request.filter(|_| Some(key) == last);
            let asker = Asker { request, ..asker.clone() };
            host.ask(asker, |_| Ok((Event::RetryRequested { key }, None))).await?;
        }
        return Ok(());
    }
    host.ask(asker, |inner| event(host, inner, operation)).await
}

/// What a run hears that something is to be done to: all of it, or nothing
/// where that is refused.
pub(super) fn events(
    host: &RunHost,
    inner: &Inner,
    operation: &ExactOperation,
) -> Result<Vec<(Event, Option<Value>)>> {
    match operation {
        ExactOperation::Retry { step: None } => {
            let waiting = waiting(host, inner)?.into_iter();
            Ok(waiting.map(|key| (Event::RetryRequested { key }, None)).collect())
        }
        operation => event(host, inner, operation).map(|event| vec![event]),
    }
}

/// The steps that wait for another attempt.
fn waiting(host: &RunHost, inner: &Inner) -> Result<Vec<Key>> {
    let machine = &inner.run.machine;
    let steps = machine.steps().map(|view| view.key);
    let waiting: Vec<Key> = steps.filter(|key| machine.may_retry(*key).is_ok()).collect();
    match waiting.is_empty() {
        true => Err(refused(&host.id, "goes on by itself: none of its steps waits for another attempt")),
        false => Ok(waiting),
    }
}

/// What a run hears that one thing is to be done to, and the value of that.
fn event(host: &RunHost, inner: &Inner, operation: &ExactOperation) -> Result<(Event, Option<Value>)> {
    let machine = &inner.run.machine;
    match operation {
        ExactOperation::Cancel => Ok((Event::CancelRequested, None)),
        ExactOperation::Pause if machine.is_paused() => Err(refused(&host.id, "is paused already")),
        ExactOperation::Pause => Ok((Event::Paused, None)),
        ExactOperation::Resume if machine.is_paused() => {
            let over_budget = machine.held_over_budget(host.core.clock.now());
            Ok((Event::Resumed { over_budget }, None))
        }
        ExactOperation::Resume => Err(refused(&host.id, "is not paused")),
        ExactOperation::Signal { name, value } | ExactOperation::SignalTo { name, value, .. } => {
            let Some(known) = find_signal(host.graph, name) else {
                let (workflow, signal) = (host.graph.name.to_owned(), name.clone());
                return Err(Error::UnknownSignal { workflow, signal });
            };
            let value = from_json(&host.id, &format!("signal `{name}`"), known.codec, value)?;
            let aim = match operation {
                ExactOperation::SignalTo { key, step, .. } => Aim { key: key.clone(), step: step.clone() },
                _ => Aim::default(),
            };
            let event = inner.run.aim(&known, &aim).map_err(|reason| refused(&host.id, reason))?;
            Ok((event, Some(value)))
        }
        ExactOperation::Set { step, value } => {
            let (key, _) = open_step(host, inner, step)?;
            machine.may_set(key).map_err(|refusal| {
                let what = "wait until it has ended, or cancel";
                refused(&host.id, format!("cannot set `{step}`: it {refusal}; {what}"))
            })?;
            if machine.is_undo(key) {
                return match value.get() == "null" {
                    true => Ok((Event::Set { key }, None)),
                    false => Err(refused(
                        &host.id,
                        format!(
                            "has no value to set for step `{step}`: it is being undone; null says that it was \
                             undone by hand"
                        ),
                    )),
                };
            }
            let codec = machine.step(key).and_then(output_codec);
            let value = value_for(&host.id, step, codec, value)?;
            Ok((Event::Set { key }, Some(value)))
        }
        ExactOperation::Retry { step: Some(step) } => {
            let (key, _) = open_step(host, inner, step)?;
            machine
                .may_retry(key)
                .map_err(|refusal| refused(&host.id, format!("cannot retry `{step}`: it {refusal}")))?;
            Ok((Event::RetryRequested { key }, None))
        }
        ExactOperation::Undone { step } | ExactOperation::GiveUp { step } => {
            let gives_up = matches!(operation, ExactOperation::GiveUp { .. });
            let (key, _) = open_step(host, inner, step)?;
            let allowed = match gives_up {
                true => machine.may_give_up(key),
                false => machine.may_give_up(key).and_then(|()| machine.may_set(key)),
            };
            allowed.map_err(|refusal| {
                let what = if gives_up { "give up" } else { "settle" };
                refused(&host.id, format!("cannot {what} the undo of `{step}`: it {refusal}"))
            })?;
            Ok((if gives_up { Event::UndoGivenUp { key } } else { Event::Set { key } }, None))
        }
        ExactOperation::Adopt | ExactOperation::AdoptAgain { .. } => Err(refused(&host.id, "is not blocked")),
        // Made of what a store holds.
        ExactOperation::Rerun
        | ExactOperation::Fork { .. }
        | ExactOperation::Start { .. }
        | ExactOperation::Backfill { .. }
        | ExactOperation::Retry { step: None } => Err(needs_store(&host.id)),
    }
}

/// The open step of a path, and its state.
fn open_step(host: &RunHost, inner: &Inner, path: &str) -> Result<(Key, StepState)> {
    let mut steps = inner.run.machine.steps();
    let found = steps.find(|view| inner.run.machine.path(view.key).as_deref() == Some(path));
    found.map(|view| (view.key, view.state)).ok_or_else(|| {
        refused(&host.id, format!("has no step `{path}` that is under way; `show` lists its steps"))
    })
}
