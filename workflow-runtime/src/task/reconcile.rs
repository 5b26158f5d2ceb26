//! How it is found out what became of an attempt that was lost: the task that
//! does it, found to fit by the type checker.
//!
//! `#[task(at_most_once, reconcile = check_transfer)]` on `wire_money` names
//! `check_transfer` once, in [`Reconciled::By`]. That it takes what
//! `wire_money` takes is [`Reconciles`], and that it returns what the attempt
//! would have returned, if there was one, is [`Finds`].

use crate::task::context::Context;
use crate::task::definition::ReconcileDef;
use crate::task::{Ended, Running, Task, attempt};
use crate::value::{Value, wrong_type};

/// A task whose lost attempts another task looks into.
pub trait Reconciled: Task {
    /// The task that does it.
    type By: Task;
}

/// A task that can look into a lost attempt of `T`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot find out what became of `{T}`",
    label = "takes other arguments",
    note = "a task that reconciles `{T}` takes the same arguments as `{T}`, in the same order"
)]
pub trait Reconciles<T: Task>: Task {
    /// Begins to look.
    fn begin<'a>(args: T::Args<'a>, context: &'a Context) -> Running<'a>;
}

#[diagnostic::do_not_recommend]
impl<T, U> Reconciles<T> for U
where
    T: Task,
    U: for<'a> Task<Args<'a> = <T as Task>::Args<'a>>,
{
    fn begin<'a>(args: T::Args<'a>, context: &'a Context) -> Running<'a> {
        attempt::<U>(args, context, U::start)
    }
}

/// A task that returns what an attempt of `T` has returned, if there was one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what became of `{T}`",
    label = "returns something else",
    note = "a task that reconciles `{T}` returns an `Option` of what `{T}` returns, or a `Result` of one: \
            `Some(value)` when the attempt has had its effect, `None` when it has not"
)]
pub trait Finds<T: Task>: Task {
    /// What it means to the step that it has ended.
    fn found(ended: Ended) -> Ended;
}

#[diagnostic::do_not_recommend]
impl<T: Task, U: Task<Ok = Option<T::Ok>>> Finds<T> for U {
    fn found(ended: Ended) -> Ended {
        let Ended::Ok(value) = ended else { return ended };
        let found = value.into_inner::<Option<T::Ok>>().unwrap_or_else(|_| wrong_type::<Option<T::Ok>>());
        found.map_or(Ended::NotDone, |value| Ended::Ok(Value::new(value)))
    }
}

/// An attempt to find out, as the step hears of it.
pub fn reconcile(looking: Running<'_>, found: fn(Ended) -> Ended) -> Running<'_> {
    Box::pin(async move { found(looking.await) })
}

/// Checks the contract of the task that reconciles `T`.
///
/// `track_caller`, so that rustc shows the task alone and not this function.
#[track_caller]
pub const fn check_reconcile<T: Reconciled>() {
    // It has the step's idempotency key, so what it noted would be taken for
    // the answer about every later attempt.
    assert!(
        !T::By::DEF.transaction,
        "a task that finds out what became of another one is no `transaction`\n\
         help: remove `transaction` from it, and look with a connection of its own"
    );
}

/// The reconciling part of a contract.
#[must_use]
pub const fn reconcile_of<T: Reconciled>() -> ReconcileDef {
    ReconcileDef { task: const { &<T::By as Task>::DEF } }
}
