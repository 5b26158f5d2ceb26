//! The engine: the driver around the machine, in this process.
//!
//! In reading order: an [`Engine`] ([`builder`], [`handle`]) starts [`Run`]s
//! ([`run`]) and knows them ([`registry`]). A run's [`host`] holds its machine
//! and its values; [`driver`] is the one loop that feeds the machine and
//! performs what it decides, over its [execution](crate::execution); what follows is
//! done [`after`] the lock is released. [`durable`] hands it to a store as a
//! [`entries`], and [`recovery`] reads it back ([`again`], where either failed).
//! [`health`] tells whoever waits for a commit that the store is in trouble.
//! [`worker`]s poll [`attempt`]s, alone where that is quick ([`pace`]);
//! [`controls`] can stop them. `blocking` ones have [`threads`] of their own;
//! the [`supervisor`] sees which [`polls`] do not return, and what is
//! [`left_behind`] keeps its room until it does. What observers see is kept by its log. [`schedules`]
//! starts runs when they are due, [`backfill`] those that were not started then.
//! All runs share a [`core`]: the [`clock`], [`timers`], [`limits`], the
//! [`turns`] of what follows a loss, and the [`parts`] of those that have ended;
//! [`ending`] is that of their runtime.
//!
//! Never here: what follows from an event (that is `run`, the machine).

#[cfg(feature = "app")]
mod app;
mod backfill;
mod backfills;
mod builder;
mod handle;
mod health;
mod run;

mod registry;

mod advice;
mod after;
mod asked;
mod events;
pub(crate) mod host;
mod snapshot;

mod again;
mod create;
mod driver;
mod durable;
mod ending;
mod entries;
mod key;
mod open;
mod params;
mod past;
mod recovery;
mod replay;
mod schedules;
mod sleepers;
mod takeup;

mod noted;
mod operate;
mod requests;
mod retention;

mod parts;

mod attempt;
mod controls;
mod left_behind;
mod pace;
mod polls;
mod supervisor;
mod worker;

mod cached;
mod clock;
mod core;
mod limiter;
mod limits;
mod random;
mod threads;
mod timers;
mod transact;
mod turns;
mod waiters;

#[cfg(test)]
mod tests;

#[cfg(feature = "app")]
pub(crate) use self::app::{Outlook, Wanted, step_codec};
#[cfg(feature = "app")]
pub(crate) use self::backfill::{Span, span};
pub(crate) use self::clock::SharedWall;
pub(crate) use self::core::Begun;
#[cfg(feature = "app")]
pub(crate) use self::schedules::fill;
pub use backfill::{Backfill, BackfillResult, BackfillTick, Backfilled};
pub use builder::EngineBuilder;
#[cfg(feature = "app")]
pub(crate) use builder::LARGEST_VALUE;
pub use events::Events;
pub use handle::{Engine, Start, Starting};
#[cfg(feature = "app")]
pub(crate) use registry::Passing;
pub use run::{AnyRun, Run, RunResult};
