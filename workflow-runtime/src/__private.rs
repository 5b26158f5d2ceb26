//! What generated code may name. Not public API: no promise covers it, and
//! nothing here is meant to be written by hand.

use std::error::Error as StdError;

pub use std::boxed::Box;
pub use std::clone::Clone;
pub use std::iter::{IntoIterator, Iterator};
pub use std::option::Option;
pub use std::result::Result;
pub use std::string::String;
pub use std::time::Duration;
pub use std::vec::Vec;

pub use crate::codec::{CodecError, Durable};
pub use crate::failure::{Cause, Failure, StepError, TaskError};
pub use crate::moment::Moment;
pub use crate::ordered::Ordered;
pub use crate::policy::{Backoff, Policy, Rate, Retry};
pub use crate::resources::{Provides, Resources};
pub use crate::task::cache::{CacheKey, CachedBy};
pub use crate::task::context::Context;
pub use crate::task::definition::*;
pub use crate::task::kept::{Argument, KeptArguments, KeptWriter, NotKept};
pub use crate::task::once::{Computed, OnceCloned, OnceLent, OnceNever, OnceStored};
pub use crate::task::reconcile::{Finds, Reconciled, Reconciles, check_reconcile, reconcile, reconcile_of};
pub use crate::task::undo::{NoArguments, Undoes, Undone, undo_of};
pub use crate::task::{
    Call, Ended, Env, Fallible, Moved, Retryability, Retryable, Running, RunsOn, Take, TakeByCodec, Task,
};
pub use crate::tried::{Tried, checked, ended, failed_by, failed_with, of, passed, tried};
pub use crate::value::{Codec, Value};
pub use jiff::Zoned;

/// The contract of a task without options.
#[must_use]
pub const fn plain_task<T: Task>(name: &'static str) -> TaskDef {
    TaskDef {
        name,
        version: 1,
        fallible: false,
        blocking: false,
        at_most_once: false,
        transaction: false,
        policy: Policy::DEFAULT,
        concurrency: None,
        rate: None,
        cache: None,
        undo: None,
        reconcile: None,
        child: None,
        output: output::<T>(),
        begin_kept: |env| env.begin_kept::<T>(),
    }
}

/// What a workflow's expression calls is imported over this; see
/// [`PlainFunction`].
pub mod called {
    /// A function that is no task.
    #[derive(Debug)]
    pub enum __WorkflowCalled {}

    #[diagnostic::do_not_recommend]
    impl crate::__private::PlainFunction for __WorkflowCalled {}
}

/// What an expression may call: a function beside which no type has its name,
/// as has every task and every workflow.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is a task, and would not run inside an expression",
    label = "this task is called as a plain function",
    note = "give it a name first, `let value = {Self}(…);`, or use `for`, which runs a step per item"
)]
pub trait PlainFunction {
    /// Nothing; that it is there is what is asked.
    const CHECKED: () = ();
}

/// Checks the policy of a step that overrides its task's when the workflow
/// compiles, since `workflow!` does not see the task's options. `waits` is
/// whether it says how to wait between attempts.
///
/// `track_caller`, so that rustc shows the step alone and not this function.
#[track_caller]
pub const fn check_policy(task: &TaskDef, policy: &Policy, waits: bool) {
    assert!(
        task.child.is_none(),
        "this step is a workflow, and retries and time limits are of tasks\n\
         help: put them on the steps of that workflow"
    );
    assert!(
        !waits || policy.retry.attempts > 1,
        "this step is attempted once, so there is no wait before another attempt\n\
         help: add `attempts = 5` to its `retry(..)`, or remove the options"
    );
    assert!(
        !task.at_most_once || policy.retry.attempts == 1,
        "the task is `at_most_once`, and this step repeats it\n\
         help: remove `retry` from the step"
    );
    assert!(
        !task.at_most_once || task.reconcile.is_some() || policy.losses == task.policy.losses,
        "the task is `at_most_once`, and this step says how often it may be lost\n\
         help: remove `losses` from the step\n\
         note: an attempt that was lost is not repeated, so it is not lost again"
    );
    assert!(
        !task.transaction || policy.timeout.is_none(),
        "the task is a `transaction`, and this step limits its time\n\
         help: remove `timeout` from the step\n\
         note: a transaction that has begun cannot be stopped"
    );
    if let (Some(timeout), Some(deadline)) = (policy.timeout, policy.deadline) {
        assert!(
            deadline.as_nanos() >= timeout.as_nanos(),
            "the step's deadline is shorter than its timeout\n\
             help: make `deadline` longer, or `timeout` shorter\n\
             note: what the step does not say, its task says"
        );
    }
}

/// The end of an attempt of a task that cannot fail.
pub fn succeed<T: Task>(output: T::Ok) -> Ended {
    Ended::Ok(Value::new(output))
}

/// The end of an attempt of a fallible task.
pub fn finish<T: Task, E>(
    returned: Result<T::Ok, E>,
    retryability: impl FnOnce(&E) -> Retryability,
    explain: impl FnOnce(E) -> Box<dyn StdError + Send + Sync>,
) -> Ended {
    match returned {
        Ok(output) => succeed::<T>(output),
        Err(error) => {
            let retryability = retryability(&error);
            let cause = match retryability {
                Retryability::Fatal => Cause::Fatal,
                Retryability::Retry | Retryability::RetryAfter(_) => Cause::Error,
            };
            let error = explain(error);
            Ended::Err(Failure::from_error(cause, &*error), retryability)
        }
    }
}

/// Asks an error about another attempt, if it has an opinion: the inherent
/// method wins where `E: Retryable`, the trait method stands in elsewhere. The
/// name is one that no trait in the user's scope has.
pub struct Ask<'e, E>(pub &'e E);

impl<E: Retryable> Ask<'_, E> {
    /// The error's own opinion.
    #[must_use]
    pub fn __retryability(&self) -> Retryability {
        self.0.retryability()
    }
}

/// The other half of [`Ask`].
pub trait NoOpinion {
    /// Try again.
    fn __retryability(&self) -> Retryability {
        Retryability::Retry
    }
}

impl<E> NoOpinion for Ask<'_, E> {}

/// In the mirror: an owned argument. Whether it is moved or copied, and so
/// has to be `Clone`, is the tables' question.
pub fn moved<T>(_: &T) -> T {
    unreachable!("the mirror of a workflow never runs")
}

pub use crate::workflow::{Invocation, KeyedSignal, Signal, SignalKey, Workflow};

/// In the mirror: a value that stays.
pub fn held<T: 'static>(_: T) -> &'static T {
    unreachable!("the mirror of a workflow never runs")
}

/// In the mirror: a value from nowhere. Not `must_use`: its type says whether it
/// may be left unused, in words that the user knows.
pub fn anything<T>() -> T {
    unreachable!("the mirror of a workflow never runs")
}

/// A pattern fitted when the arm was chosen and does not fit now, so the
/// expression it looks at is not pure.
pub fn changed() -> ! {
    panic!(
        "an expression gave another value than before; expressions in a workflow are evaluated more than once, so make a task of what can change"
    )
}

/// The results of a `for` as one value.
pub fn collect<T: Durable>(values: Vec<Value>, take: impl FnMut(Value) -> T) -> Value {
    Value::new(values.into_iter().map(take).collect::<Vec<T>>())
}

/// What all steps of a workflow share that use one task in one way.
#[derive(Clone, Copy)]
pub struct TaskUse {
    /// The task's contract.
    pub task: &'static TaskDef,
    /// The task's policy, or what the step makes of it.
    pub policy: &'static Policy,
    /// What a failure means.
    pub on_failure: OnFailure,
    /// How the output is saved.
    pub codecs: &'static [Codec],
}

/// How a task is used. Constants of the task's type, since rustc says more of
/// a path than of an argument that is no type.
pub trait Used {
    /// With `?`, or at a workflow's end: a failure ends the run.
    const ENDING: TaskUse;
    /// Without `?`: the task decides what a failure means. How its outcome is
    /// saved is known only where the type is.
    const ASKING: TaskUse;
}

impl<T: Task> Used for T {
    const ENDING: TaskUse = TaskUse {
        task: T::CONTRACT,
        policy: &T::CONTRACT.policy,
        on_failure: OnFailure::FailRun,
        // Through the task, which itself says if its output cannot be saved.
        codecs: &[output::<T>()],
    };
    const ASKING: TaskUse = TaskUse {
        on_failure: if T::DEF.fallible { failure_as_value::<T::Ok>() } else { OnFailure::FailRun },
        ..T::ENDING
    };
}

/// One row of a workflow's table: a use of a task. What it needs, who depends
/// on it, what it reads and what it moves follow each other in `numbers`, each
/// up to where it says.
#[expect(clippy::too_many_arguments, reason = "one for each column that differs from step to step")]
#[must_use]
pub const fn row(
    used: TaskUse,
    name: &'static str,
    numbers: &'static [u16],
    [from, needs, dependents, reads, moves]: [usize; 5],
    (start, arm): (Start, u16),
    output: u16,
    line: u32,
    fingerprint: u64,
) -> Step {
    let TaskUse { task, policy, on_failure, codecs } = used;
    let (reads, moves) = (Numbers::part(numbers, dependents, reads), Numbers::part(numbers, reads, moves));
    Step {
        name,
        needs: Numbers::part(numbers, from, needs),
        dependents: Numbers::part(numbers, needs, dependents),
        output,
        kind: Kind::Task(TaskStep { task, policy, reads, moves, start, arm, keeps: false }),
        on_failure,
        always: false,
        codecs,
        line,
        fingerprint,
    }
}

/// The row of a step whose arguments are kept.
#[must_use]
pub const fn keeping(step: Step) -> Step {
    match step.kind {
        Kind::Task(task) => Step { kind: Kind::Task(TaskStep { keeps: true, ..task }), ..step },
        _ => step,
    }
}

/// The failure of a step as a value.
#[must_use]
pub const fn failure_as_value<T: Durable>() -> OnFailure {
    OnFailure::Value(Outcome {
        ok: |value| Value::new(Ok::<T, StepError>(Take::<T>::of(value).copied())),
        err: |error| Value::new(Err::<T, StepError>(error)),
    })
}

/// The contract of a workflow that is used as a step.
#[must_use]
pub const fn child<W: Workflow>(name: &'static str) -> TaskDef {
    TaskDef { fallible: true, child: Some(W::GRAPH), ..plain_task::<W>(name) }
}

/// How the output of a task, or the result of a workflow, is saved. Named
/// through it, whose own bound on its output is the only one that a user hears
/// of.
#[must_use]
pub const fn output<W: Task>() -> Codec {
    Codec::of::<W::Ok>()
}

/// The attempt of a workflow that is used as a step: its parameters.
#[must_use]
pub fn arguments<'a>(values: Vec<Value>) -> Running<'a> {
    Box::pin(std::future::ready(Ended::Arguments(values)))
}

/// The end of a child workflow that a test replaces.
pub fn finish_child<W: Task>(returned: Result<W::Ok, StepError>) -> Ended {
    match returned {
        Ok(value) => Ended::Ok(Value::new(value)),
        Err(error) => Ended::Err(error.failure().clone(), Retryability::Fatal),
    }
}
