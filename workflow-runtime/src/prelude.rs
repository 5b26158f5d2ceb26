//! What a file with tasks and workflows needs, in one line.
//!
//! ```
//! use workflow_runtime::{Result, prelude::*};
//!
//! #[task(retry(attempts = 3))]
//! async fn greeting(name: String, #[context] cx: &Context) -> std::io::Result<String> {
//!     Ok(format!("hello {name}, attempt {}", cx.attempt()))
//! }
//!
//! workflow! {
//!     fn greet(name: String) -> Result<String> {
//!         let text = greeting(name)?;
//!         Ok(text)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let engine = Engine::in_memory().start().await?;
//! assert_eq!(engine.start(greet("Ada".to_owned())).await?.await?, "hello Ada, attempt 1");
//! # Ok(())
//! # }
//! ```
//!
//! [`Result`](crate::Result) is not among them: `workflow!` imports the one that
//! a workflow names, and rustc refuses to import a name that is the standard
//! library's and a glob's. A workflow needs no import of it; other functions
//! write `workflow_runtime::Result`, or import it by name as above.
//!
//! A name of your own, or one that you import by itself, goes before one from
//! here.

#[cfg(feature = "app")]
pub use crate::app::App;
pub use crate::engine::{Engine, Run};
pub use crate::failure::StepError;
pub use crate::resources::Resources;
pub use crate::secret::Secret;
pub use crate::task::context::Context;
pub use crate::task::{Retryability, Retryable};
pub use crate::workflow::Signal;
pub use workflow_macros::{Resources, task, workflow};
