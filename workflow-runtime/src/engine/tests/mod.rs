//! The engine on graphs written by hand, one file per topic. Time is steered,
//! never slept, but for the few tests that need real threads.

mod bench;
mod support;

#[cfg(feature = "app")]
mod asking;
mod cancelling;
mod failing;
mod flowing;
mod items;
mod limiting;
mod observing;
mod scheduling;
mod sleeping;
mod starting;
