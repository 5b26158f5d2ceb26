//! The workflow engine that the Rust compiler checks.

pub mod definition;
pub mod policy;
pub mod run;

mod codec;
mod context;
mod error;
mod picture;
mod resources;
mod task;
mod undo;
mod value;
mod workflow;

#[doc(hidden)]
pub mod __private;

pub use codec::{CodecError, Durable};
pub use context::Context;
pub use error::{Cause, Error, Failure, Result, StepError, TaskError};
pub use resources::{NoResources, Provides, Resources};
pub use task::{Call, Ended, Fallible, Retryability, Retryable, Running, RunsOn, Task};
pub use undo::Undoes;
pub use value::{Codec, Value};
pub use workflow::{Invocation, Signal, Workflow};
pub use workflow_macros::{Resources, task, workflow};
