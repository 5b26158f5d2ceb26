//! A run in hand: the values that it works with, and what is to be seen of it.
//!
//! Never here: tokio, a store, an engine, a clock, a thread.

pub(crate) mod frames;
pub(crate) mod log;
pub(crate) mod snapshot;
