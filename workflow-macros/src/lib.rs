//! The compiler of the `workflow` engine. Use it through `workflow-runtime`.

use proc_macro::TokenStream;

mod diagnostics;
mod duration;
mod entries;
mod options;
mod private;
mod resources;
mod task;
mod workflow;

/// Makes a task of a function.
///
/// The function stays as it is: it can be called, documented and tested. Its
/// name also becomes a type that carries the task's contract, so `use
/// shop::charge;` brings both, and `workflow!` can use `charge(..)` as a step.
///
/// ```
/// use std::time::Duration;
/// use workflow_runtime::{Context, Retryability, Retryable, task};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Clone, Serialize, Deserialize)] pub struct Order { id: u64 }
/// # #[derive(Clone, Serialize, Deserialize)] pub struct Receipt { key: String, cents: u64 }
/// # pub struct Bank;
/// # impl Bank {
/// #     async fn book(&self, key: String, _: &Order, cents: u64) -> Result<Receipt, CardError> {
/// #         Ok(Receipt { key, cents })
/// #     }
/// #     async fn pay_back(&self, _: &Receipt) -> Result<(), CardError> { Ok(()) }
/// # }
///
/// #[derive(Debug)]
/// pub enum CardError { Declined, Busy }
/// # impl std::fmt::Display for CardError {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { write!(f, "{self:?}") }
/// # }
/// # impl std::error::Error for CardError {}
///
/// // An error may decide its own fate.
/// impl Retryable for CardError {
///     fn retryability(&self) -> Retryability {
///         match self {
///             CardError::Declined => Retryability::Fatal,
///             CardError::Busy => Retryability::RetryAfter(Duration::from_secs(30)),
///         }
///     }
/// }
///
/// /// Takes the money for an order.
/// #[task(
///     retry(attempts = 5, backoff = exponential("200ms", factor = 2, max = "30s"), jitter = 0.2),
///     timeout = "10s",
///     undo = refund,
/// )]
/// async fn charge(
///     order: &Order,
///     cents: u64,
///     #[resource] bank: &Bank,
///     #[context] cx: &Context,
/// ) -> Result<Receipt, CardError> {
///     // The same key on every attempt: the bank books it once.
///     bank.book(cx.idempotency_key(), order, cents).await
/// }
///
/// /// Gives it back, when the run fails later on.
/// #[task(retry(attempts = 10))]
/// async fn refund(receipt: &Receipt, #[resource] bank: &Bank) -> Result<(), CardError> {
///     bank.pay_back(receipt).await
/// }
/// # fn main() {}
/// ```
///
/// # Parameters
///
/// An argument is owned (`T`: the task gets its own copy) or borrowed (`&T`,
/// `&str`, `&[T]`). `#[resource] name: &T` is taken from the engine, which
/// has it in a struct with [`#[derive(Resources)]`](macro@Resources).
/// `#[context] cx: &Context` is the attempt that is running. `&mut`, `self`,
/// generic and `impl Trait` parameters are refused.
///
/// # Result
///
/// A function that returns a `Result`, by any path or alias of that name, can
/// fail; its error is any `std::error::Error`, or a boxed one. What it returns
/// otherwise is serialisable, since a run saves it. A panic is a failed
/// attempt.
///
/// # Options
///
/// | Option | Meaning |
/// |---|---|
/// | `retry(..)` | repeats a failed attempt; see below |
/// | `timeout = "10s"` | the longest that one attempt may take |
/// | `deadline = "5m"` | the longest that all attempts and the waits between them may take |
/// | `losses = 10` | how often in a row an attempt may be lost to a crash before the step is suspected; 0 for any number |
/// | `blocking` | for a function that is not `async`: it runs on a thread of its own |
/// | `at_most_once` | an attempt lost to a crash is not repeated |
/// | `reconcile = check_transfer` | the task that finds out what became of such an attempt |
/// | `transaction` | for a function that is not `async`: what it writes with `cx.transaction()` and its success are one commit |
/// | `undo = refund` | the task that undoes this one when the run fails or is cancelled |
/// | `cache = "24h"` | results are reused by later runs, for so long |
/// | `concurrency = 4` | attempts at a time, over the whole engine |
/// | `rate = "10/s"` | attempts started over time, over the whole engine; also `"100/10s"` |
/// | `name = ".."` | the task's name where it is not the function's |
/// | `version = 2` | raise it when the task means something else than before |
///
/// In `retry`: `attempts` (in all, the first included), `backoff`, `jitter`
/// (by how much of itself a wait may differ, 0 to 1), `when` (a predicate on
/// the error, where the error does not implement `Retryable`), and `budget`
/// (no further attempt after so long, whatever it has waited for; but an attempt
/// that was lost to a crash is made once more). The kinds of `backoff`:
///
/// - `fixed("1s")`
/// - `linear("1s", step = "2s", max = "30s")`
/// - `exponential("200ms", factor = 2, max = "30s")`
/// - `list("1s", "5s", "30s")`, the last one repeated
///
/// Without `retry`, there is one attempt. One that is lost to a crash, or
/// interrupted, uses up none of them: it is repeated, after the third loss in a
/// row with growing waits, and after `losses` of them, ten unless it is said
/// otherwise, the step is suspected to be what ends the process, and waits for
/// an operator. A `deadline` goes on meanwhile. Durations are whole numbers with
/// units: `250ms`, `10s`, `5m`, `2h`, `3d`, `1h30m`.
///
/// Every other option, in use:
///
/// ```
/// use workflow_runtime::{Context, sqlite, task};
/// # use std::io;
///
/// /// On a thread of its own, since it does not await.
/// #[task(blocking, deadline = "5m")]
/// fn read(path: &str) -> io::Result<String> {
///     std::fs::read_to_string(path)
/// }
///
/// /// Not again after a crash: first, `was_wired` finds out.
/// #[task(at_most_once, reconcile = was_wired)]
/// async fn wire(to: String, cents: u64, #[context] cx: &Context) -> io::Result<u64> {
///     let _ = (to, cx.idempotency_key());
///     Ok(cents)
/// }
///
/// #[task]
/// async fn was_wired(to: String, cents: u64, #[context] cx: &Context) -> io::Result<Option<u64>> {
///     let _ = (to, cents, cx.idempotency_key());
///     Ok(None)
/// }
///
/// /// The row is there exactly if the step has succeeded.
/// #[task(transaction)]
/// fn book(cents: i64, #[context] cx: &Context) -> sqlite::Result<usize> {
///     let tx = cx.transaction();
///     tx.execute_batch("CREATE TABLE IF NOT EXISTS bookings (cents INTEGER)")?;
///     tx.execute("INSERT INTO bookings VALUES (?1)", [cents])
/// }
///
/// /// At most four at a time and ten a second over all runs, and not again for
/// /// a text of which the result is known.
/// #[task(name = "embedding", version = 2, cache = "24h", concurrency = 4, rate = "10/s")]
/// async fn embed(text: String) -> Vec<f32> {
///     text.bytes().map(f32::from).collect()
/// }
///
/// fn is_busy(error: &io::Error) -> bool {
///     error.kind() == io::ErrorKind::WouldBlock
/// }
///
/// /// Only when it is busy, and not for longer than an hour.
/// #[task(retry(attempts = 20, backoff = list("1s", "5s", "1m"), when = is_busy, budget = "1h"))]
/// async fn knock() -> io::Result<()> {
///     Ok(())
/// }
/// # fn main() {}
/// ```
///
/// The task that undoes another takes the other's output by reference and, if
/// it wants them, all its arguments after that, each by reference: for
/// `charge` above, `refund(&Receipt)` or `refund(&Receipt, &Order, &u64)`.
///
/// The task that finds out what became of a lost attempt takes the same
/// arguments as the task itself, and returns an `Option` of what that returns,
/// or a `Result` of one: `Some(value)` when the attempt has had its effect,
/// which is then the step's result, and `None` when it has not, which has the
/// step attempted again. It has the step's idempotency key.
///
/// The result of a task with `cache` is found by its name, its `version` and
/// its arguments, without resources; arguments are the same when their JSON is.
/// Failures are not kept. An engine in memory keeps the latest few thousand
/// results for itself, one with a store shares them with the next process.
///
/// # Errors
///
/// A mistake in an option is reported where it is, with what may stand there.
/// What contradicts itself does not compile: `at_most_once` with several
/// attempts, or with `losses` and no `reconcile`, a `deadline` shorter than the `timeout`, a function that is neither
/// `async` nor `blocking`, an `undo` that does not fit the output. What is not
/// serialisable is reported at the workflow that uses the task.
///
/// ```compile_fail
/// # use workflow_runtime::task;
/// #[task(retry(atempts = 3))]     // unknown option `atempts`; a similar one is `attempts`
/// async fn fetch() {}
/// # fn main() {}
/// ```
#[proc_macro_attribute]
pub fn task(options: TokenStream, item: TokenStream) -> TokenStream {
    task::expand(options.into(), item.into()).into()
}

#[doc = include_str!("../docs/workflow.md")]
#[proc_macro]
pub fn workflow(input: TokenStream) -> TokenStream {
    workflow::compile(input.into()).into()
}

/// Makes the fields of a struct the resources of an engine.
///
/// Each field is a resource, found by its type: a task that takes
/// `#[resource] db: &Pool` gets the field of type `Pool`. A workflow whose
/// tasks need what the engine does not have does not compile.
///
/// ```
/// use workflow_runtime::{Engine, Resources, Result, task, workflow};
///
/// struct Greeting(String);
///
/// #[derive(Resources)]
/// struct App {
///     greeting: Greeting,
/// }
///
/// #[task]
/// async fn greet(name: &str, #[resource] greeting: &Greeting) -> String {
///     format!("{}, {name}!", greeting.0)
/// }
///
/// workflow! {
///     /// Greets a person by name.
///     pub fn welcome(name: String) -> Result<String> {
///         let text = greet(&name);
///         Ok(text)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let app = App { greeting: Greeting("Hello".to_owned()) };
/// let engine = Engine::in_memory().resources(app).start().await?;
/// assert_eq!(engine.start(welcome("Ada".to_owned())).await?.await?, "Hello, Ada!");
/// # Ok(())
/// # }
/// ```
///
/// The types differ from each other; wrap two of one type in types of their
/// own.
#[proc_macro_derive(Resources)]
pub fn resources(input: TokenStream) -> TokenStream {
    resources::expand(input.into()).into()
}
