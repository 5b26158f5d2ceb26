//! What fails by itself: `?` on an expression of a workflow, and `fail!`.

use crate::failure::{Cause, Failure, TaskError};
use crate::task::definition::Checked;
use crate::value::Value;

/// What `?` takes in an expression of a workflow.
#[diagnostic::on_unimplemented(
    message = "`?` takes a `Result`, and this is `{Self}`",
    label = "this is no `Result`",
    note = "of an `Option`, write `.ok_or(\"what is missing\")?`"
)]
pub trait Tried {
    /// What it is worth.
    type Ok;
    /// Why not.
    type Error;
    /// Which of the two it is.
    fn result(self) -> Result<Self::Ok, Self::Error>;
}

#[diagnostic::do_not_recommend]
impl<T, E> Tried for Result<T, E> {
    type Ok = T;
    type Error = E;

    fn result(self) -> Self {
        self
    }
}

/// `?`: what the value is worth, or why the run fails.
pub fn tried<T>(value: impl Tried<Ok = T, Error: TaskError>) -> Result<T, Failure> {
    value.result().map_err(failed_by)
}

/// What has been tried, of a type that is written down.
pub fn of<T>(tried: Result<T, Failure>) -> Result<T, Failure> {
    tried
}

/// The value of what has been checked.
pub fn passed<T>(tried: Result<T, Failure>) -> T {
    tried.unwrap_or_else(|failure| {
        panic!(
            "an expression has failed that did not before ({failure}); expressions in a workflow are evaluated more \
             than once, so make a task of what can change"
        )
    })
}

/// What the step of a `?` comes to.
pub fn checked<T>(tried: Result<T, Failure>) -> Checked {
    tried.map(|_| Value::new(()))
}

/// `fail!("words")`
#[must_use]
pub fn failed_with(words: String) -> Failure {
    Failure::new(Cause::Fatal, words)
}

/// `fail!(error)`, and `Err(error)?`
pub fn failed_by<E: TaskError>(error: E) -> Failure {
    Failure::from_error(Cause::Fatal, &*error.boxed())
}

/// In the mirror: what a workflow that fails is worth.
pub fn ended<T>(_: Failure) -> T {
    unreachable!("the mirror of a workflow never runs")
}
