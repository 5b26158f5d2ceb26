//! The journal of a run as it is stored: one JSON object for each event that its
//! machine heard, and which graph those events are about.
//!
//! Whoever reads a journal reads it by this: the engine that goes on with a run,
//! its [`history`](crate::history), the [`doctor`](crate::doctor), the command
//! line, the test kit.
//!
//! Never here: where it is stored, and what follows from an event.

mod event;
mod lives;

#[cfg(test)]
mod tests;

pub use self::event::Why;
pub(crate) use self::event::{Holds, StoredEvent, StoredRecalled, signed, signer, text};
pub(crate) use self::lives::{first_graph, first_graph_of};
