//! What operators asked of a run, and what became of it.

use serde::Serialize;

use super::Time;
use crate::exact::Exact;
use crate::secret::redact_exact;
use crate::store::StoredRequest;

/// Something that was asked of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Asked {
    /// When.
    pub(crate) at: Time,
    /// Who asked.
    pub(crate) actor: String,
    /// Why.
    pub(crate) reason: Option<String>,
    /// What, without its secrets.
    pub(crate) operation: Exact,
    /// When it was seen to.
    pub(crate) answered_at: Option<Time>,
    /// The run that it was done to, or that it made.
    pub(crate) made: Option<String>,
    /// Why it was not done.
    pub(crate) refused: Option<String>,
}

impl Asked {
    pub(crate) fn of(request: &StoredRequest) -> Self {
        let (asked, answer) = (&request.request, request.answer.as_ref());
        Self {
            at: Time(asked.at),
            actor: asked.actor.clone(),
            reason: asked.reason.clone(),
            operation: operation(&asked.operation).unwrap_or_else(Exact::null),
            answered_at: answer.map(|answer| Time(answer.at)),
            made: answer.and_then(|answer| answer.result.clone().ok()),
            refused: answer.and_then(|answer| answer.result.clone().err()),
        }
    }
}

/// An operation without its secrets; nothing where it is no JSON.
pub(crate) fn operation(wanted: &str) -> Option<Exact> {
    let mut operation = Exact::parse(wanted).ok()?;
    redact_exact(&mut operation);
    Some(operation)
}
