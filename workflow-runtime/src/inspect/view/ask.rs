//! What operators asked of a run, and what became of it.

use serde::Serialize;

use super::{Time, readable};
use crate::exact::Exact;
use crate::inspect::text::{cut, plain};
use crate::secret::{redact_exact, redacted};
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
fn operation(wanted: &str) -> Option<Exact> {
    let mut operation = Exact::parse(wanted).ok()?;
    redact_exact(&mut operation);
    Some(operation)
}

/// How long a value may be where it is one of several, in columns.
const SHOWN: usize = 200;

/// An operation in a few words: `fork from nightly/report`.
pub(crate) fn wish(wanted: &str) -> String {
    match operation(wanted) {
        Some(operation) => in_words(operation),
        None => redacted(wanted.as_bytes()),
    }
}

/// The same of one that was read.
pub(crate) fn in_words(operation: Exact) -> String {
    match operation {
        // What it is started with is told at the top.
        Exact::Object(fields) if fields.contains_key("start") => "start".to_owned(),
        Exact::Object(fields) => {
            let mut words = Vec::new();
            for (name, about) in fields {
                words.push(name);
                match about {
                    Exact::Object(about) => words.extend(
                        about.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
                            let text = value.as_str().unwrap_or_else(|| value.to_string());
                            format!("{name}={}", cut(&plain(&text), SHOWN))
                        }),
                    ),
                    other => words.extend(readable(&other)),
                }
            }
            words.join(" ")
        }
        name => name.as_str().unwrap_or_else(|| name.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_a_few_words() {
        assert_eq!(wish(r#""cancel""#), "cancel");
        assert_eq!(
            wish(r#"{"signal":{"name":"review","value":"approved"}}"#),
            "signal name=review value=approved"
        );
        assert_eq!(wish(r#"{"retry":{"step":null}}"#), "retry");
        assert_eq!(wish(r#"{"set":{"step":"w/a","value":[1,2]}}"#), "set step=w/a value=[1,2]");
        assert_eq!(wish(r#"{"start":{"workflow":"w","params":{"a":1},"key":null}}"#), "start");
        assert_eq!(wish("not json"), "not json");
    }
}
