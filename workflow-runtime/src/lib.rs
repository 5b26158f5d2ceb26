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
//! - A **signal** is a typed value sent to a run from outside: [`Signal`], or [`KeyedSignal`] where several steps wait
//!   for one name.
//! - A **resource** is a value that the process owns and tasks borrow:
//!   [`Resources`](trait@Resources).
//!
//! # Runs that outlive their process
//!
//! [`Engine::in_memory`] keeps runs in the process, so a run ends with it.
//! [`Engine::open`] keeps them in a file, and the next process goes on with
//! them. A run with a [`key`](Start::key) starts at most once:
//!
//! ```
//! # use workflow_runtime::{Engine, Result, task, workflow};
//! # #[task] async fn double(number: u64) -> u64 { number * 2 }
//! # workflow! { fn doubled(number: u64) -> Result<u64> { let result = double(number); Ok(result) } }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! # let folder = std::env::temp_dir().join(format!("workflow-doc-crate-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder).unwrap();
//! # let file = folder.join("runs.db");
//! let engine = Engine::open(&file).register::<doubled>().start().await?;
//! let first = engine.start(doubled(4)).key("today").await?;
//! let second = engine.start(doubled(4)).key("today").await?;
//! assert_eq!(first.id(), second.id());
//! assert_eq!(second.await?, 8);
//! # engine.shutdown().await;
//! # std::fs::remove_dir_all(&folder).unwrap();
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//!
//! A step starts only when every step it uses has ended. An attempt that is
//! given up can no longer change its run. Every attempt of a step has the same
//! idempotency key. When a run fails, the steps that are running end and keep
//! their results, finished steps that have an `undo` are undone in reverse
//! order, and `#[always]` steps run. A panic in a task is a failed attempt.
//!
//! With a store, every decision is committed before it is acted upon: a step
//! whose success is committed never starts again in its run, and others run at
//! least once, or as `at_most_once`, `reconcile` and `transaction` in
//! [`task`](macro@task) say.
//!
//! # Where to look
//!
//! | For | see |
//! |---|---|
//! | what a file with workflows imports | [`prelude`] |
//! | what a task may be, and its options | [`task`](macro@task), [`Context`], [`Retryable`] |
//! | setting up an engine, retention, encryption | [`EngineBuilder`] |
//! | a run: its result, events, signals | [`Run`], [`RunEvent`], [`Signal`] |
//! | what operators do: retry, fork, set, cancel and others | [`Engine::operate`], [`Operation`] |
//! | a program that is its own command line (feature `app`) | `App` |
//! | runs in flight when the code changes | [`blueprint`] |
//! | runs that start by themselves | [`schedule`], [`Engine::backfill`] |
//! | what became of a run, without its code | [`history`] |
//! | whether a store is as it should be | [`doctor`] |
//! | stores, and writing another | [`store`] |
//! | values that nobody should see | [`Secret`] |
//! | running a workflow on another engine | [`execution`] |
//! | tests of workflows (feature `testing`) | `testing` |
//! | what the macros implement, and the compiler names | [`contract`] |
//!
//! # Features
//!
//! `encryption` (by default): stored values can be encrypted. `app`: `App`,
//! and what a terminal shows of a run that goes on. `logs`: what tasks say by
//! `tracing` is kept with their run. `testing`, for dev-dependencies: the test
//! kit, mocks, and what a store of one's own has to pass.
//! `serve`: the console, as the command `serve` of an `App`, and to be mounted in
//! a service.

#[cfg(feature = "app")]
pub mod app;
pub mod blueprint;
pub mod contract;
pub mod doctor;
pub mod execution;
pub mod history;
#[cfg(feature = "logs")]
pub mod logs;
pub mod policy;
pub mod prelude;
pub mod run;
pub mod schedule;
#[cfg(feature = "serve")]
pub mod serve;
pub mod sqlite;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;

// What the macros write names the crate by its name, also in its own tests.
#[cfg(test)]
extern crate self as workflow_runtime;

mod codec;
mod engine;
mod error;
mod exact;
mod failure;
mod faithful;
mod held;
#[cfg(feature = "app")]
mod inspect;
mod journal;
mod lookup;
mod moment;
mod observe;
mod operation;
mod ordered;
mod panics;
mod picture;
mod resources;
mod secret;
mod task;
mod tried;
mod value;
mod view;
mod words;
mod workflow;

#[doc(hidden)]
pub mod __private;

#[cfg(feature = "app")]
pub use app::App;
pub use codec::Durable;
pub use engine::{
    AnyRun, Backfill, BackfillResult, BackfillTick, Backfilled, Engine, EngineBuilder, Events, Run,
    RunResult, Start, Starting,
};
pub use error::{Error, Result};
pub use failure::{Cause, Failure, StepError, TaskError};
pub use observe::{RunEvent, RunEventKind};
pub use operation::{By, Operation, OperationOf};
pub use resources::{NoResources, Provides, Resources};
pub use secret::{Secret, redact, redacted};
pub use task::context::Context;
pub use task::definition;
pub use task::{Ended, Retryability, Retryable, RunsOn, Task};
pub use view::{Items, Progress, RunSnapshot, StepKind, StepSnapshot, Stuck};
pub use workflow::{AimedSignal, Invocation, KeyedSignal, Signal, SignalTarget, Workflow};
pub use workflow_macros::{Resources, task, workflow};

// The README's code is compiled and run; its first example is an `App`. What it
// has of sessions is run by `tests/it/readme.rs`.
#[cfg(all(doctest, feature = "app"))]
#[doc = include_str!("../../README.md")]
struct Readme;
