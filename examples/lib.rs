//! What the examples share: the live progress of a run, and the way out.
//!
//! [`watch`] awaits a run and shows what it does meanwhile. It builds on
//! nothing but [`Run::events`](workflow_runtime::Run::events): [`Progress`]
//! makes lines of the events, and the terminal or a plain log shows them.

mod exit;
mod progress;
mod screen;
mod short;
mod terminal;
mod watch;

pub use exit::exit;
pub use progress::{Live, Mark, News, Progress};
pub use short::short;
pub use watch::watch;
