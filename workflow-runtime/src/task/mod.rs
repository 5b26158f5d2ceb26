//! What a task is to the engine: its contract, its arguments, and the future
//! of one attempt.
//!
//! `#[task]` implements [`Task`] for a type named like the function; the rest
//! of the expansion is data. Never here: when an attempt starts or what its
//! end means to the run.

pub(crate) mod cache;
pub(crate) mod context;
pub mod definition;
pub(crate) mod kept;
pub(crate) mod once;
pub(crate) mod place;
pub(crate) mod reconcile;
pub(crate) mod transaction;
pub(crate) mod undo;

use std::any::{Any, TypeId};
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::codec::{CodecError, Durable};
use crate::failure::{Cause, Failure};
use crate::task::context::Context;
use crate::task::definition::TaskDef;
use crate::task::kept::KeptArguments;
use crate::task::once::{OnceCell, Onces};
use crate::value::{Value, wrong_type};

/// A task, or a workflow that is used like one.
///
/// Implemented by `#[task]` and `workflow!`, never by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a task",
    note = "write `#[task]` above the function to use it as a step"
)]
pub trait Task: Sized + 'static {
    /// What it is called with: nothing, one type, or a tuple.
    type Args<'a>: Send;
    /// What the function returns, as written.
    type Return;
    /// What a successful attempt leaves to the steps that use it.
    type Ok: Durable;
    /// What the step's name stands for without `?`.
    type Outcome;
    /// The contract.
    const DEF: TaskDef;
    /// The contract, in one place of the program.
    #[doc(hidden)]
    const CONTRACT: &'static TaskDef = &Self::DEF;

    /// Begins an attempt.
    fn start<'a>(args: Self::Args<'a>, context: &'a Context) -> Running<'a>;

    /// What `returned` means.
    fn finish(returned: Self::Return) -> Ended;

    /// What the result of these arguments is remembered under, for a task with
    /// `cache`.
    fn cache_key(_args: &Self::Args<'_>) -> Option<Result<Vec<u8>, CodecError>> {
        None
    }

    /// The arguments written down, where they can be: for a step that is to be
    /// given them again.
    fn keep(_args: &Self::Args<'_>) -> Option<Vec<u8>> {
        None
    }

    /// The arguments as they were written down, where they can be read.
    fn kept(_kept: &KeptArguments) -> Option<Self::Args<'_>> {
        None
    }

    /// Begins to undo a finished step.
    fn undo<'a>(_args: Self::Args<'a>, _output: &'a Self::Ok, _context: &'a Context) -> Running<'a> {
        unreachable!("only a task with `undo` in its contract is undone")
    }

    /// Begins to find out what became of a lost attempt.
    fn reconcile<'a>(_args: Self::Args<'a>, _context: &'a Context) -> Running<'a> {
        unreachable!("only a task with `reconcile` in its contract is looked into")
    }
}

/// What a fallible task returns: a `Result`, by whatever alias.
///
/// `#[task]` sees only tokens, and `io::Result<T>` hides the error type, so
/// the type system takes it apart.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `Result`",
    label = "this names another type",
    note = "a task whose return type is called `Result` is one that can fail"
)]
pub trait Fallible {
    /// What success is worth.
    type Ok;
    /// What failure says.
    type Error;
    /// The standard type behind the alias.
    ///
    /// # Errors
    /// When it is one.
    fn into_result(self) -> Result<Self::Ok, Self::Error>;
}

#[diagnostic::do_not_recommend]
impl<T, E> Fallible for Result<T, E> {
    type Ok = T;
    type Error = E;
    fn into_result(self) -> Result<T, E> {
        self
    }
}

/// A task, or a workflow, all of whose resources `R` provides.
///
/// Implemented by `#[task]` and `workflow!`, never by hand.
pub trait RunsOn<R> {}

/// One attempt under way.
pub type Running<'a> = Pin<Box<dyn Future<Output = Ended> + Send + 'a>>;

/// How an attempt ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Ended {
    /// With a value.
    Ok(Value),
    /// With the value that an earlier run has left.
    Reused(Value),
    /// With a value that later runs may use, and what they find it by.
    Remember(Value, Vec<u8>),
    /// Of a reconciliation: the lost attempt has had no effect.
    NotDone,
    /// With an error, and what the error says about another attempt.
    Err(Failure, Retryability),
    /// Nothing was begun: these are the arguments, where they can be written.
    Kept(Option<Vec<u8>>),
    /// A workflow used as a step does not run here: these are its parameters,
    /// and the engine opens its graph.
    Arguments(Vec<Value>),
}

/// What an error says about another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retryability {
    /// Another attempt may succeed; wait as the policy says.
    Retry,
    /// Another attempt may succeed after this long.
    RetryAfter(Duration),
    /// No attempt will ever succeed.
    Fatal,
}

/// An error that knows whether another attempt makes sense.
///
/// A task whose error implements it needs no `when` in its `retry(..)`.
///
/// ```
/// use std::time::Duration;
/// use workflow_runtime::{Retryability, Retryable};
///
/// enum FetchError { NotFound, Busy { seconds: u64 }, Broken }
///
/// impl Retryable for FetchError {
///     fn retryability(&self) -> Retryability {
///         match self {
///             FetchError::NotFound => Retryability::Fatal,
///             FetchError::Busy { seconds } => Retryability::RetryAfter(Duration::from_secs(*seconds)),
///             FetchError::Broken => Retryability::Retry,
///         }
///     }
/// }
/// ```
pub trait Retryable {
    /// Whether, and when, to try again.
    fn retryability(&self) -> Retryability;
}

/// The use of a task with its arguments, not yet begun: what a step of a
/// workflow is to rustc.
#[must_use]
pub struct Call<'a, T: Task> {
    args: T::Args<'a>,
}

impl<'a, T: Task> Call<'a, T> {
    /// Takes the arguments.
    pub fn new(args: T::Args<'a>) -> Self {
        Self { args }
    }

    /// What the step's name stands for; only rustc's type checker gets here.
    pub fn outcome(self) -> T::Outcome {
        unreachable!("the mirror of a workflow never runs")
    }

    /// What the step leaves behind; only rustc's type checker gets here.
    pub fn value(self) -> T::Ok {
        unreachable!("the mirror of a workflow never runs")
    }
}

/// The values a step is given, and the attempt it is given them for.
pub struct Env {
    values: Vec<Value>,
    purpose: Purpose,
    /// `None` for an expression.
    context: Option<Context>,
    /// The arguments, where they are those of an earlier evaluation.
    kept: Option<KeptArguments>,
    /// The names around that are computed once.
    onces: Option<Arc<Onces>>,
    arm: u16,
}

/// Why a step's arguments are evaluated.
#[derive(Debug)]
pub(crate) enum Purpose {
    Attempt,
    /// To write the arguments down, and begin nothing.
    Keep,
    Undo {
        output: Value,
    },
    Reconcile,
}

impl Env {
    /// For the attempts of a run, one after the other.
    pub(crate) fn new(context: Context) -> Self {
        Self { context: Some(context), ..Self::plain() }
    }

    /// For expressions, which belong to no attempt.
    pub(crate) const fn plain() -> Self {
        Self { values: Vec::new(), purpose: Purpose::Attempt, context: None, kept: None, onces: None, arm: 0 }
    }

    /// Takes what the next attempt, or expression, reads.
    pub(crate) fn lend_all(&mut self, values: impl Iterator<Item = Value>) {
        values.for_each(|value| self.values.push(value));
    }

    /// What the next attempt is for, and where its arguments are.
    pub(crate) fn prepare(&mut self, purpose: Purpose, arm: u16) {
        (self.purpose, self.arm) = (purpose, arm);
    }

    /// Lets go of the values.
    pub(crate) fn clear(&mut self) {
        self.values.clear();
        (self.purpose, self.kept, self.onces) = (Purpose::Attempt, None, None);
    }

    /// Has the task be given these arguments, whatever is evaluated.
    pub(crate) fn give(&mut self, arguments: Option<&[u8]>) {
        self.kept = arguments.and_then(KeptArguments::of);
    }

    /// Has the names that are computed once be those of a frame.
    #[inline]
    pub(crate) fn know(&mut self, onces: Option<&Arc<Onces>>) {
        self.onces = onces.cloned();
    }

    pub(crate) fn once(&self, level: usize, number: usize) -> Option<(&Onces, &OnceCell)> {
        self.onces.as_ref()?.cell(level, number)
    }

    /// The step's arm of the function that it shares with others.
    pub fn arm(&self) -> u16 {
        self.arm
    }

    pub(crate) fn context(&self) -> &Context {
        match &self.context {
            Some(context) => context,
            None => panic!("an expression has no attempt; please report this"),
        }
    }

    pub(crate) fn context_mut(&mut self) -> Option<&mut Context> {
        self.context.as_mut()
    }

    /// Lends the value of the `index`th slot that the expression reads.
    pub fn lend<T: Send + Sync + 'static>(&self, index: usize) -> &T {
        self.values.get(index).and_then(Value::get).unwrap_or_else(|| wrong_type::<T>())
    }

    /// Shares the `index`th value as it is.
    pub fn share(&self, index: usize) -> Value {
        self.values.get(index).cloned().unwrap_or_else(|| wrong_type::<Value>())
    }

    /// Hands the evaluated arguments to the task.
    pub fn begin<'a, T: Task>(&'a self, call: Call<'a, T>) -> Running<'a> {
        if let Purpose::Keep = self.purpose {
            return Box::pin(std::future::ready(Ended::Kept(T::keep(&call.args))));
        }
        let args = match &self.kept {
            None => call.args,
            Some(kept) => match T::kept(kept) {
                Some(args) => args,
                // Written, and of a type that is not read.
                None if T::keep(&call.args).as_deref() == Some(kept.bytes()) => call.args,
                None => return refuse_other(T::DEF.name),
            },
        };
        self.begin_with::<T>(args)
    }

    /// Begins with the arguments that were written down, where nothing is there
    /// to evaluate them from: in another process.
    pub(crate) fn begin_kept<T: Task>(&self) -> Running<'_> {
        match self.kept.as_ref().and_then(T::kept) {
            Some(args) => self.begin_with::<T>(args),
            None => refuse_unread(T::DEF.name),
        }
    }

    fn begin_with<'a, T: Task>(&'a self, args: T::Args<'a>) -> Running<'a> {
        match &self.purpose {
            Purpose::Keep | Purpose::Attempt => {
                attempt::<T>(args, self.context(), |args, context| match T::cache_key(&args) {
                    None => T::start(args, context),
                    Some(key) => start_cached::<T>(key, args, context),
                })
            }
            Purpose::Reconcile => T::reconcile(args, self.context()),
            Purpose::Undo { output } => {
                let output = output.get::<T::Ok>().unwrap_or_else(|| wrong_type::<T::Ok>());
                T::undo(args, output, self.context())
            }
        }
    }
}

/// Begins an attempt of a task, unless something stands in for it in a test.
pub(crate) fn attempt<'a, T: Task>(
    args: T::Args<'a>,
    context: &'a Context,
    start: impl FnOnce(T::Args<'a>, &'a Context) -> Running<'a>,
) -> Running<'a> {
    match context.host().mock(TypeId::of::<T>()) {
        None if T::DEF.transaction && transaction::lent().is_none() => refuse_transaction(T::DEF.name),
        None => start(args, context),
        Some(mock) => match mock.downcast_ref::<Mock<T>>() {
            Some(mock) => mock.start(args),
            None => wrong_type::<T>(),
        },
    }
}

/// What a transaction needs is missing, and will be at every attempt.
fn refuse_transaction<'a>(task: &str) -> Running<'a> {
    let words = format!(
        "the task `{task}` is a transaction, and tasks cannot write where this engine keeps its runs; \
         use `Engine::open(\"runs.db\")`, or in a test `mock::<{task}>(..)`"
    );
    let failure = Failure::new(Cause::Fatal, words);
    Box::pin(std::future::ready(Ended::Err(failure, Retryability::Fatal)))
}

/// Another evaluation has given other arguments than the first one.
fn refuse_other<'a>(task: &str) -> Running<'a> {
    let words = format!(
        "the arguments of `{task}` are others than at its first attempt, and what a step is given never changes; \
         have a task find out what can change, and derive `serde::Deserialize` for what it is given"
    );
    Box::pin(std::future::ready(Ended::Err(Failure::new(Cause::Fatal, words), Retryability::Fatal)))
}

/// The arguments cannot be read where the task is to run.
fn refuse_unread<'a>(task: &str) -> Running<'a> {
    let words = format!(
        "the arguments of `{task}` cannot be read from how they were written down, so it cannot run in another \
         process; derive `serde::Deserialize` for what it is given, and have it take no `&dyn Trait`"
    );
    Box::pin(std::future::ready(Ended::Err(Failure::new(Cause::Fatal, words), Retryability::Fatal)))
}

/// An attempt that runs only where no earlier run has left its result.
fn start_cached<'a, T: Task>(
    key: Result<Vec<u8>, CodecError>,
    args: T::Args<'a>,
    context: &'a Context,
) -> Running<'a> {
    let key = match key {
        Ok(key) => key,
        Err(error) => {
            tracing::warn!(task = T::DEF.name, %error, "the task runs: without a key nothing is remembered");
            return T::start(args, context);
        }
    };
    Box::pin(async move {
        let found = context.host().remembered(&key, T::CONTRACT).await;
        // Another task of this name and version may have left something else.
        if let Some(value) = found.filter(|value| value.get::<T::Ok>().is_some()) {
            return Ended::Reused(value);
        }
        match T::start(args, context).await {
            Ended::Ok(value) => Ended::Remember(value, key),
            other => other,
        }
    })
}

/// The values that a step alone uses, and may consume.
#[derive(Default)]
pub struct Moved(Vec<Value>);

impl Moved {
    pub(crate) fn take_all(&mut self, values: impl Iterator<Item = Value>) {
        values.for_each(|value| self.0.push(value));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    fn next(&mut self, index: usize) -> Value {
        self.0.get_mut(index).map_or(Value::ABSENT, Value::take)
    }
}

/// Takes a moved argument: the value itself where nothing else holds it, a copy
/// otherwise (a retry or an undo may need it again).
///
/// The inherent method wins for types that are `Clone`; the trait method makes
/// the copy through the codec for those that are not. Both see a concrete
/// type, which is what makes this choice possible.
pub struct Take<T>(Value, PhantomData<fn() -> T>);

impl<T> Take<T> {
    /// Takes the `index`th moved value.
    pub fn new(moved: &mut Moved, index: usize) -> Self {
        Self::of(moved.next(index))
    }

    /// Takes a value.
    #[must_use]
    pub fn of(value: Value) -> Self {
        Self(value, PhantomData)
    }
}

impl<T: Clone + Send + Sync + 'static> Take<T> {
    /// The value, or a clone of it.
    #[must_use]
    pub fn take(self) -> T {
        self.0.into_inner().unwrap_or_else(|shared| T::clone(&shared))
    }
}

/// The other half of [`Take`].
pub trait TakeByCodec<T> {
    /// The value, or a copy of it made by encoding and decoding it.
    fn take(self) -> T;
}

impl<T: Durable> TakeByCodec<T> for Take<T> {
    fn take(self) -> T {
        self.copied()
    }
}

impl<T: Durable> Take<T> {
    /// The value, or a copy of it made by encoding and decoding it.
    pub(crate) fn copied(self) -> T {
        self.0.into_inner().unwrap_or_else(|shared: Arc<T>| {
            match shared.encode().and_then(|bytes| T::decode(&bytes)) {
                Ok(copy) => copy,
                Err(error) => panic!("{error}"),
            }
        })
    }
}

/// A task's stand-in in a test.
pub(crate) struct Mock<T: Task>(pub(crate) Box<MockFn<T>>);

pub(crate) type MockFn<T> = dyn for<'a> Fn(<T as Task>::Args<'a>) -> <T as Task>::Return + Send + Sync;

impl<T: Task> Mock<T> {
    fn start<'a>(&self, args: T::Args<'a>) -> Running<'a> {
        let ended = T::finish((self.0)(args));
        Box::pin(std::future::ready(ended))
    }
}

/// A resource by its type, or a mock by its task's type.
pub(crate) type Shared = dyn Any + Send + Sync;
