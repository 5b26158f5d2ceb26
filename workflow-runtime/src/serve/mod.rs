//! The console: pages that show the runs of a store, and an API that tells the
//! same to programs.
//!
//! A program with an [`App`](crate::App) has it as its command `serve`. A
//! service of one's own mounts [`router`]:
//!
//! ```no_run
//! use workflow_runtime::serve::{Console, router};
//! use workflow_runtime::{Result, task, workflow};
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
//! let console = Console::open("runs.db").register::<greeting>().under("/workflows");
//! let app: axum::Router = axum::Router::new().nest("/workflows", router(console));
//! # let _ = app;
//! ```
//!
//! # Whose store it is
//!
//! The console reads a store as any process may, whichever owns it. What is
//! asked of a run is written beside the runs, and the owner sees to it: this
//! process or another one.
//!
//! # What it shows
//!
//! | page | what |
//! | ---- | ---- |
//! | `/` | the runs, what needs a person on top; the address holds the filter |
//! | `/runs/ID` | how a run stands, its picture, its steps, its operators |
//! | `/runs/ID/step?path=PATH` | a step: every attempt, arguments and output as far as they are kept, what it said |
//! | `/runs/ID/act?do=NAME` | what an operation would do to a run, and the form that has it done |
//!
//! # API
//!
//! | address | answer |
//! | ------- | ------ |
//! | `GET /api/v1/runs` | `runs`, each as `ls --json` prints it, and `next`, the `before` of the next page |
//! | `GET /api/v1/runs/ID` | the run, as `show --json` prints it |
//! | `GET /api/v1/runs/ID/graph` | its picture as data, with what has become of each step |
//! | `GET /api/v1/runs/ID/step?path=PATH` | a step, with its values and lines |
//! | `POST /api/v1/runs` | starts a run: `{"workflow", "params", "reason"}`; the header `Idempotency-Key` is its key |
//! | `POST /api/v1/runs/ID/operations` | does something to a run: `{"operation", "reason"}`; with `?dry_run=true`, only what it would do |
//! | `GET /healthz` | 200 while this process answers |
//! | `GET /readyz` | 200 while the store can be read, 503 otherwise |
//!
//! Lists take `workflow`, `state` (several times), `key` (its beginning),
//! `suspected`, `error` (a part of the words), `before` and `limit`. Errors are
//! `application/problem+json` with `title`, `status`, `detail`, `code` and
//! `help`. The codes are `bad_request`, `unauthorized`, `forbidden`,
//! `not_found`, `refused`, `store_unavailable` and `too_large`; they never change.
//!
//! # Safety
//!
//! Whoever may open the console sees the values of runs, but for those that are
//! a [`Secret`](crate::Secret). On the machine itself it is open; on any other
//! address a token is asked for: of a viewer, who looks, an operator, who has
//! runs begin, stop and go on, or an admin, who also says what became of steps
//! (`set`, `undone`, `give-up`, `adopt`). A page loads nothing from elsewhere,
//! runs no script but its own, and may not be framed. All text is text. Whatever
//! is done is shown before, and is in the store with who wanted it and why. Only
//! forms of the console's own are taken, and documents as `application/json`.

mod acting;
mod api;
mod console;
mod pages;
mod problem;
mod query;
mod reading;
mod routes;
mod safety;
mod server;
mod view;

pub use console::Console;
pub use routes::router;
pub(crate) use server::{Server, new_token};
