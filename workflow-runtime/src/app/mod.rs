//! A program that is its own command line.
//!
//! [`App`] makes a whole program of some workflows: it runs and watches them,
//! lists and explains their runs, and lets an operator intervene.
//!
//! ```no_run
//! use std::process::ExitCode;
//! use workflow_runtime::{App, Result, task, workflow};
//!
//! #[task]
//! async fn greet(name: String) -> String {
//!     format!("hello {name}")
//! }
//!
//! workflow! {
//!     /// Greets somebody.
//!     pub fn greeting(name: String) -> Result<String> {
//!         let text = greet(name);
//!         Ok(text)
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     App::new().store("runs.db").register::<greeting>().main()
//! }
//! ```
//!
//! ```console
//! $ greeter run greeting name=Ada
//! "hello Ada"
//! $ greeter show @last
//! ```
//!
//! # Exit codes
//!
//! | code | means |
//! | ---- | ----- |
//! | 0 | all is well |
//! | 1 | the run failed or was cancelled |
//! | 2 | the command line was wrong |
//! | 3 | there is no such run or workflow, or there are several |
//! | 4 | the run is not in a state for it, or is blocked |
//! | 5 | the store cannot be used |
//! | 130 | interrupted by ctrl-c |

mod builder;
mod cli;
mod command;
mod ids;
mod interrupt;
mod keys;
#[cfg(feature = "logs")]
mod listen;
mod news;
mod operator;
mod output;
mod params;
mod problem;
mod program;
mod read_only;
mod reader;
mod screen;
mod short;
mod story;
mod style;
mod suggest;
mod tree;
mod watch;

pub use builder::App;
pub use short::short;
pub use watch::watch;
