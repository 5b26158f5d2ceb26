//! The engine: the driver around the machine, in this process.
//!
//! In reading order: an [`Engine`] ([`builder`], [`handle`]) starts [`Run`]s
//! ([`run`]) and knows them ([`registry`]). A run's [`host`] holds its machine
//! and its values; [`driver`] is the one loop that feeds the machine and
//! performs what it decides, with [`values`] over [`frames`]; [`durable`] hands
//! it to a store as a [`journal`], and [`recovery`] reads it back; [`worker`]s
//! poll [`attempt`]s, which [`controls`] can stop. [`record`] keeps what observers
//! see. All runs share a [`core`]: the [`clock`], [`timers`], [`limits`].
//!
//! Never here: what follows from an event (that is `run`, the machine).

mod builder;
mod handle;
mod run;

mod registry;

pub(crate) mod host;

mod driver;
mod durable;
mod journal;
mod recovery;
mod values;

pub(crate) mod frames;

mod attempt;
mod controls;
mod worker;

pub(crate) mod record;

mod clock;
mod core;
mod limiter;
mod limits;
mod panics;
mod random;
mod timers;

#[cfg(test)]
mod tests;

pub(crate) use self::core::Begun;
pub use builder::EngineBuilder;
pub use handle::{Engine, Start};
pub(crate) use journal::StoredEvent;
pub use run::Run;
