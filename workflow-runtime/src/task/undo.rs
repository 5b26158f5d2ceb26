//! How one task undoes another: which shapes of arguments fit, found by the
//! type checker.
//!
//! `#[task(undo = refund)]` on `charge` names `refund` once, in
//! [`Undone::By`]; that `refund` can be called with what `charge` leaves is
//! [`Undoes`].

use std::ops::Deref;

use crate::task::context::Context;
use crate::task::definition::UndoDef;
use crate::task::{Running, Task, attempt};

/// A task that another task undoes.
pub trait Undone: Task {
    /// The task that does it.
    type By: Task;
    /// Its arguments, if it takes those of this task: the output, which is
    /// seen as an `O`, and every argument, all of them lent.
    type Lent<'a, O: ?Sized + 'static>;
    /// Lends them.
    fn lend<'a, 'args: 'a, O: ?Sized + 'static>(
        args: &'a Self::Args<'args>,
        output: &'a O,
    ) -> Self::Lent<'a, O>;
}

/// A task that can undo `T`.
///
/// `Shape` only keeps the two implementations apart: rustc infers it, since
/// at most one of them fits.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot undo `{T}`",
    label = "takes other arguments",
    note = "a task that undoes `{T}` takes what `{T}` returns, by reference",
    note = "it may also take, after that, every argument of `{T}`, each by reference"
)]
pub trait Undoes<T: Task, Shape>: Task {
    /// Begins to undo.
    fn begin<'a>(args: T::Args<'a>, output: &'a T::Ok, context: &'a Context) -> Running<'a>;
}

// The shapes. An output that points to something else, as `String` does to
// `str`, is lent as either: what every call in Rust allows.

/// `refund(&Receipt)`
pub enum Output {}

/// `delete(&str)`
pub enum OutputTarget {}

/// `refund(&Receipt, &Order, &u64)`
pub enum WithArguments {}

/// `delete(&str, &Region)`
pub enum TargetWithArguments {}

#[diagnostic::do_not_recommend]
impl<T, U> Undoes<T, Output> for U
where
    T: Task,
    U: for<'a> Task<Args<'a> = &'a <T as Task>::Ok>,
{
    fn begin<'a>(_: T::Args<'a>, output: &'a T::Ok, context: &'a Context) -> Running<'a> {
        attempt::<U>(output, context, U::start)
    }
}

#[diagnostic::do_not_recommend]
impl<T, U, O> Undoes<T, OutputTarget> for U
where
    T: Task,
    T::Ok: Deref<Target = O>,
    O: ?Sized + 'static,
    U: for<'a> Task<Args<'a> = &'a O>,
{
    fn begin<'a>(_: T::Args<'a>, output: &'a T::Ok, context: &'a Context) -> Running<'a> {
        attempt::<U>(output, context, U::start)
    }
}

#[diagnostic::do_not_recommend]
impl<T, U> Undoes<T, WithArguments> for U
where
    T: Undone,
    U: for<'a> Task<Args<'a> = <T as Undone>::Lent<'a, <T as Task>::Ok>>,
{
    fn begin<'a>(args: T::Args<'a>, output: &'a T::Ok, context: &'a Context) -> Running<'a> {
        // The arguments live in this future while the undoing task borrows
        // them.
        Box::pin(async move {
            let undoing = attempt::<U>(T::lend(&args, output), context, U::start);
            undoing.await
        })
    }
}

#[diagnostic::do_not_recommend]
impl<T, U, O> Undoes<T, TargetWithArguments> for U
where
    T: Undone,
    T::Ok: Deref<Target = O>,
    O: ?Sized + Sync + 'static,
    U: for<'a> Task<Args<'a> = <T as Undone>::Lent<'a, O>>,
{
    fn begin<'a>(args: T::Args<'a>, output: &'a T::Ok, context: &'a Context) -> Running<'a> {
        Box::pin(async move {
            let undoing = attempt::<U>(T::lend(&args, &**output), context, U::start);
            undoing.await
        })
    }
}

/// What a task without arguments lends: no task takes it, so that its undo
/// has one shape.
pub enum NoArguments {}

/// The undo part of a contract.
#[must_use]
pub const fn undo_of<T: Undone>() -> UndoDef {
    UndoDef { task: const { &<T::By as Task>::DEF } }
}
