//! Workflows as Rust code, checked by the Rust compiler.
//!
//! [`task`](macro@task) makes a task of a function, [`workflow!`] makes a
//! static graph of a function body, and an [`Engine`] runs the graph: in
//! parallel, with retries, and with the state of every step tracked.
//!
//! ```
//! use workflow_runtime::{Engine, Result, task, workflow};
//!
//! #[task]
//! async fn double(number: u64) -> u64 {
//!     number * 2
//! }
//!
//! #[task]
//! async fn add(a: u64, b: u64) -> u64 {
//!     a + b
//! }
//!
//! workflow! {
//!     /// Adds two numbers, each doubled.
//!     pub fn sum(a: u64, b: u64) -> Result<u64> {
//!         let left = double(a);
//!         let right = double(b); // beside `left`: nothing ties them
//!         let sum = add(left, right);
//!         Ok(sum)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let engine = Engine::in_memory().start().await?;
//! let run = engine.start(sum(1, 2)).await?;
//! assert_eq!(run.await?, 6);
//! # Ok(())
//! # }
//! ```
//!
//! # Concepts
//!
//! - A **task** is an annotated function. It stays a function.
//! - A **step** is one use of a task in a workflow. It starts when the steps
//!   whose names it uses are done; steps that nothing ties run in parallel.
//! - A **workflow** is a static graph of steps: [`definition::Graph`].
//! - A **region** is a nested graph: the body of a `for` or a `while`, an arm
//!   of `if`, `match` or `select!`.
//! - A **run** is one execution of a workflow, an **attempt** one execution
//!   of a step.
//! - A **signal** is a typed value sent to a run from outside: [`Signal`].
//! - A **resource** is a value that the process owns and tasks borrow:
//!   [`Resources`](trait@Resources).
//!
//! # What is promised
//!
//! A step starts only when every step it uses has ended. An attempt that is
//! given up can no longer change its run. Every attempt of a step has the same
//! idempotency key. When a run fails, the steps that are running end and keep
//! their results, finished steps that have an `undo` are undone in reverse
//! order, and `#[always]` steps run. A panic in a task is a failed attempt.
//!
//! [`Engine::in_memory`] keeps runs in the process, so a run ends with it.

pub mod definition;
pub mod policy;
pub mod run;
pub mod store;
pub mod testing;

mod codec;
mod context;
mod engine;
mod error;
mod observe;
mod picture;
mod resources;
mod task;
mod undo;
mod value;
mod view;
mod workflow;

#[doc(hidden)]
pub mod __private;

pub use __private::Moment;
pub use codec::{CodecError, Durable};
pub use context::Context;
pub use engine::{Engine, EngineBuilder, Run, Start};
pub use error::{Cause, Error, Failure, Result, StepError, TaskError};
pub use observe::{Events, RunEvent, RunEventKind};
pub use resources::{NoResources, Provides, Resources};
pub use task::{Call, Ended, Fallible, Retryability, Retryable, Running, RunsOn, Task};
pub use undo::Undoes;
pub use value::{Codec, Value};
pub use view::{Progress, RunSnapshot, StepKind, StepSnapshot};
pub use workflow::{Invocation, Signal, Workflow};
pub use workflow_macros::{Resources, task, workflow};

// The README's code is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
