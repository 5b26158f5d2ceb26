//! Why an attempt, or a step, did not succeed: in words, since the error's own value
//! may be of any type.

use std::error::Error as StdError;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::words::{chain, words};

/// Why an attempt failed: the error's message and those of its causes.
///
/// The task's own error value is not kept, since it may be of any type; its
/// words are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// How it ended.
    pub cause: Cause,
    /// The error's message, and the messages of the errors that caused it.
    pub messages: Vec<String>,
}

/// How an attempt that did not succeed ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// The task returned an error that another attempt may not meet.
    Error,
    /// The task returned an error that every attempt would meet.
    Fatal,
    /// It took longer than its `timeout` or `deadline`, or a signal did not
    /// come `within` its time.
    Timeout,
    /// The task panicked.
    Panic,
    /// The process died while it ran.
    Lost,
    /// The engine shut down while it ran.
    Interrupted,
    /// It was cancelled.
    Cancelled,
    /// A `while` was still not done after its last turn.
    Limit,
}

impl Failure {
    /// The failure that an error describes, with the chain of its causes: the
    /// first 64 KiB of each message, and the first 32 causes.
    pub fn from_error(cause: Cause, error: &(dyn StdError + 'static)) -> Self {
        Self { cause, messages: chain(error) }
    }

    pub(crate) fn new(cause: Cause, message: impl AsRef<str>) -> Self {
        Self { cause, messages: vec![words(message.as_ref())] }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.messages.join(": "))
    }
}

/// An error that a task may return: every `std::error::Error`, and every error
/// that becomes a boxed one, such as that of `anyhow`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a task",
    label = "this type is not an error",
    note = "a run keeps the words of a task's error, and those of the errors that caused it",
    note = "implement `std::error::Error` for `{Self}`; it must also be `Send + Sync + 'static`"
)]
pub trait TaskError {
    /// The error, its type forgotten.
    fn boxed(self) -> Box<dyn StdError + Send + Sync>;
}

#[diagnostic::do_not_recommend]
impl<E: Into<Box<dyn StdError + Send + Sync>>> TaskError for E {
    fn boxed(self) -> Box<dyn StdError + Send + Sync> {
        self.into()
    }
}

/// Why a step failed: what a step without `?` hands to the steps that use it.
///
/// ```
/// use workflow_runtime::{StepError, task};
///
/// #[task]
/// async fn report(fetched: Result<String, StepError>) -> String {
///     match fetched {
///         Ok(page) => page,
///         Err(error) => format!("{} failed {} times: {error}", error.step(), error.attempts()),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepError {
    step: String,
    attempts: u32,
    failure: Failure,
}

impl StepError {
    pub(crate) fn new(step: String, attempts: u32, failure: Failure) -> Self {
        Self { step, attempts, failure }
    }

    /// The step's path.
    #[must_use]
    pub fn step(&self) -> &str {
        &self.step
    }

    /// How many attempts were made.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How the last attempt ended, and in what words.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        &self.failure
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step `{}` failed: {}", self.step, self.failure)
    }
}

impl StdError for StepError {}
