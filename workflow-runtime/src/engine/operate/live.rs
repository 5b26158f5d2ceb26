//! What is done to a run that goes on in this process.

use std::sync::Arc;

use super::{from_json, needs_store, refused, value_for};
use crate::engine::instance::{Inner, RunHost};
use crate::error::{Error, Result};
use crate::execution::output_codec;
use crate::lookup::find_signal;
use crate::operation::{Asker, By, ExactOperation};
use crate::run::{Event, Key, StepState};

/// Does to a run of this process what can be done to one that goes on.
pub(crate) async fn to_live(
    host: &Arc<RunHost>,
    operation: &ExactOperation,
    by: &By,
    request: Option<i64>,
) -> Result<()> {
    let asker = Asker { by: Some(by.clone()), request };
    match operation {
        ExactOperation::Cancel => host.cancel(asker).await?,
        ExactOperation::Pause => {
            let event = |inner: &Inner| match inner.run.machine.is_paused() {
                true => Err(refused(&host.id, "is paused already")),
                false => Ok((Event::Paused, None)),
            };
            host.ask(asker, event).await?;
        }
        ExactOperation::Resume => {
            let event = |inner: &Inner| match inner.run.machine.is_paused() {
                true => Ok((Event::Resumed, None)),
                false => Err(refused(&host.id, "is not paused")),
            };
            host.ask(asker, event).await?;
        }
        ExactOperation::Signal { name, value } => {
            let Some((name, codec)) = find_signal(host.graph, name) else {
                let (workflow, signal) = (host.graph.name.to_owned(), name.clone());
                return Err(Error::UnknownSignal { workflow, signal });
            };
            let value = from_json(&host.id, &format!("signal `{name}`"), codec, value)?;
            host.signal(name, value, asker).await?;
        }
        ExactOperation::Set { step, value } => {
            let event = |inner: &Inner| {
                let (key, _) = open_step(host, inner, step)?;
                inner.run.machine.may_set(key).map_err(|refusal| {
                    let what = "wait until it has ended, or cancel";
                    refused(&host.id, format!("cannot set `{step}`: it {refusal}; {what}"))
                })?;
                if inner.run.machine.is_undo(key) {
                    return match value.get() == "null" {
                        true => Ok((Event::Set { key }, None)),
                        false => Err(refused(
                            &host.id,
                            format!(
                                "has no value to set for step `{step}`: it is being undone; null says that it \
                                 was undone by hand"
                            ),
                        )),
                    };
                }
                let codec = inner.run.machine.step(key).and_then(output_codec);
                let value = value_for(&host.id, step, codec, value)?;
                Ok((Event::Set { key }, Some(value)))
            };
            host.ask(asker, event).await?;
        }
        ExactOperation::Retry { step: Some(step) } => {
            let event =
                |inner: &Inner| {
                    let (key, _) = open_step(host, inner, step)?;
                    inner.run.machine.may_retry(key).map_err(|refusal| {
                        refused(&host.id, format!("cannot retry `{step}`: it {refusal}"))
                    })?;
                    Ok((Event::RetryRequested { key }, None))
                };
            host.ask(asker, event).await?;
        }
        ExactOperation::Retry { step: None } => {
            let waiting: Vec<Key> = {
                let inner = host.lock();
                host.check_open(&inner)?;
                let steps = inner.run.machine.steps().map(|view| view.key);
                steps.filter(|key| inner.run.machine.may_retry(*key).is_ok()).collect()
            };
            if waiting.is_empty() {
                return Err(refused(
                    &host.id,
                    "goes on by itself: none of its steps waits for another attempt",
                ));
            }
            // The last one answers: until then something is left to do.
            let last = waiting.last().copied();
            for key in waiting {
                let request = asker.request.filter(|_| Some(key) == last);
                let asker = Asker { request, ..asker.clone() };
                host.ask(asker, |_| Ok((Event::RetryRequested { key }, None))).await?;
            }
        }
        ExactOperation::Undone { step } | ExactOperation::GiveUp { step } => {
            let gives_up = matches!(operation, ExactOperation::GiveUp { .. });
            let event = |inner: &Inner| {
                let (key, _) = open_step(host, inner, step)?;
                let machine = &inner.run.machine;
                let allowed = match gives_up {
                    true => machine.may_give_up(key),
                    false => machine.may_give_up(key).and_then(|()| machine.may_set(key)),
                };
                allowed.map_err(|refusal| {
                    let what = if gives_up { "give up" } else { "settle" };
                    refused(&host.id, format!("cannot {what} the undo of `{step}`: it {refusal}"))
                })?;
                let event = if gives_up { Event::UndoGivenUp { key } } else { Event::Set { key } };
                Ok((event, None))
            };
            host.ask(asker, event).await?;
        }
        ExactOperation::Adopt | ExactOperation::AdoptAgain { .. } => {
            return Err(refused(&host.id, "is not blocked"));
        }
        // Made of what a store holds.
        ExactOperation::Rerun
        | ExactOperation::Fork { .. }
        | ExactOperation::Start { .. }
        | ExactOperation::Backfill { .. } => {
            return Err(needs_store(&host.id));
        }
    }
    Ok(())
}

/// The open step of a path, and its state.
fn open_step(host: &RunHost, inner: &Inner, path: &str) -> Result<(Key, StepState)> {
    let mut steps = inner.run.machine.steps();
    let found = steps.find(|view| inner.run.machine.path(view.key).as_deref() == Some(path));
    found.map(|view| (view.key, view.state)).ok_or_else(|| {
        refused(&host.id, format!("has no step `{path}` that is under way; `show` lists its steps"))
    })
}
