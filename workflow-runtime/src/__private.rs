//! What generated code may name. Not public API: no promise covers it, and
//! nothing here is meant to be written by hand.

use std::error::Error as StdError;

pub use std::boxed::Box;
pub use std::option::Option;
pub use std::result::Result;
pub use std::time::Duration;
pub use std::vec::Vec;

pub use crate::codec::Durable;
pub use crate::context::Context;
pub use crate::definition::*;
pub use crate::error::{Cause, Failure, StepError};
pub use crate::policy::{Backoff, Policy, Rate, Retry};
pub use crate::resources::{Provides, Resources};
pub use crate::task::{
    Call, Ended, Env, Moved, Retryability, Retryable, Running, RunsOn, Take, TakeByCodec, Task,
};
pub use crate::value::{Codec, Value};
pub use jiff::Zoned;

/// A task's `Result`, taken apart by the type system: the attribute sees only
/// tokens, and `io::Result<T>` hides the error type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `Result`",
    label = "a task's return type that is called `Result` has to be one"
)]
pub trait Fallible {
    /// What success is worth.
    type Ok;
    /// What failure says.
    type Error;
    /// The standard type behind the alias.
    fn into_result(self) -> Result<Self::Ok, Self::Error>;
}

impl<T, E> Fallible for Result<T, E> {
    type Ok = T;
    type Error = E;
    fn into_result(self) -> Result<T, E> {
        self
    }
}

/// The end of an attempt of a fallible task.
pub fn finish<T, E>(returned: Result<T, E>, retryability: impl FnOnce(&E) -> Retryability) -> Ended
where
    T: Durable,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    match returned {
        Ok(value) => Ended::Ok(Value::new(value)),
        Err(error) => {
            let retryability = retryability(&error);
            let cause = match retryability {
                Retryability::Fatal => Cause::Fatal,
                Retryability::Retry | Retryability::RetryAfter(_) => Cause::Error,
            };
            let error: Box<dyn StdError + Send + Sync> = error.into();
            Ended::Err(Failure::from_error(cause, &*error), retryability)
        }
    }
}

/// Asks an error about another attempt, if it has an opinion: the inherent
/// method wins where `E: Retryable`, the trait method stands in elsewhere.
pub struct Ask<'e, E>(pub &'e E);

impl<E: Retryable> Ask<'_, E> {
    /// The error's own opinion.
    #[must_use]
    pub fn retryability(&self) -> Retryability {
        self.0.retryability()
    }
}

/// The other half of [`Ask`].
pub trait NoOpinion {
    /// Try again.
    fn retryability(&self) -> Retryability {
        Retryability::Retry
    }
}

impl<E> NoOpinion for Ask<'_, E> {}

/// What an owned argument needs when it is not the last use of its name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is used more than once, so each use needs a copy, and it is not `Clone`",
    label = "this needs a copy",
    note = "derive `Clone` for `{Self}`, or lend the value with `&`"
)]
pub trait Copies {
    /// The copy's type. An associated type, so that what the task expects
    /// does not flow back into the argument and rustc points at the user's
    /// own token.
    type Copy;
    /// Makes the copy.
    fn copy(&self) -> Self::Copy;
}

#[diagnostic::do_not_recommend]
impl<T: Clone> Copies for T {
    type Copy = T;
    fn copy(&self) -> T {
        self.clone()
    }
}

/// A copy for an owned argument.
pub fn own<T: Copies>(value: &T) -> T::Copy {
    value.copy()
}

/// The mirror's stand-in for a moved argument.
pub fn moved<T>(_: &T) -> T {
    unreachable!("the mirror of a workflow never runs")
}
