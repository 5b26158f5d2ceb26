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
//!
//! A signal of a service manager counts as ctrl-c, but for `work`, which ends
//! with 0. A second one ends the process at once.
//!
//! # JSON
//!
//! With `--json`, whatever a command prints is JSON, one value per line: its
//! results on standard output, and on standard error why it fails,
//! `{"error", "help", "code"}`, and what else it says, `{"note"}`. Fields are
//! never renamed, and new ones may be added. Times are RFC 3339 in UTC.
//!
//! | command | a line | with the fields |
//! | ------- | ------ | --------------- |
//! | `run`, `watch`, and what makes a run go on | for the run, once it has ended | `id`, `workflow`, `state`, `result`, `error` |
//! | `start` | for the run | `id`, `workflow` |
//! | `retry`, `fork`, `rerun`, `set`, `give-up`, `cancel` and `adopt` with `--dry-run` | for the run | `id`, `steps` (`path`, `fate`, and where they are several, how many are `kept` and which run `again`), `twice` (those that are not done a second time otherwise, and would be), `refusals` |
//! | `pause`, `signal`, `set`, `give-up`, and others with `--detach` | for the run | `id`, `operation` |
//! | `work` | for each run that begins or ends | `at`, `id`, `workflow`, `event` |
//! | `ls` | for each run | `id`, `workflow`, `key`, `state`, `suspected` (how many steps), `created_at`, `ended_at`, `error`, `parent`, `stopped` (why it does not go on for now, where its store cannot be written) |
//! | `show` | for the run | those, and `params`, `result`, `blocked` (why, where it is), `suspected` (which steps, and when they were lost), `steps`, `lives`, `requests`, `lost` (values) |
//! | `logs` | for each line | `at`, `path`, `attempt`, `undo`, `level`, `line` |
//! | `graph` | for the workflow | as [`blueprint`](crate::blueprint) writes it |
//! | `next` | for each schedule | `workflow`, `when`, `timezone`, `missed`, `overlap`, `times`, `ahead` |
//! | `backfill` | for each tick | `tick`, `key`, `id`, `what`, `why` |
//! | `check` | for each unfinished run | `id`, `workflow`, `outlook`, `reason`, `changes`, `adopt` |
//! | `lock` | for the file | `file`, `workflows`, `written` |
//! | `doctor` | for the store | those of [`doctor::Report`](crate::doctor::Report), and `healthy`, `damage`, `unfinished`, `requests`, `owner`, `trouble` (since when and why the store cannot be written, where it cannot) |
//! | `completions` | for the shell | `shell`, `script` |
//!
//! Each of the `times` of `next` has `local` and `utc`, and `run` where there is a
//! run for it already.

mod builder;
mod cli;
mod command;
mod interrupt;
mod line;
#[cfg(feature = "logs")]
mod listen;
mod news;
mod operator;
mod output;
mod problem;
mod program;
mod runtime;
mod screen;
mod style;
mod suspected;
mod tree;
mod watch;

pub use crate::inspect::time::short;
pub use builder::App;
// What a command reads of a store.
use crate::inspect::{ids, keys, outlook, params, reader, story, suggest, time as short, trouble, user};
pub use watch::watch;
