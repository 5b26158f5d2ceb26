//! The engine: the driver around the machine, in this process.
//!
//! In reading order: an [`Engine`] ([`builder`], [`handle`]) starts [`Run`]s
//! ([`run`]) and knows them ([`registry`]). A run's [`host`] holds its machine
//! and its values; [`driver`] is the one loop that feeds the machine and
//! performs what it decides, with [`values`] over [`frames`]; what follows is
//! done [`after`] the lock is released. [`durable`] hands it to a store as a
//! [`journal`], and [`recovery`] reads it back ([`again`], where either failed).
//! [`health`] tells whoever waits for a commit that the store is in trouble.
//! [`worker`]s poll [`attempt`]s, alone where that is quick ([`pace`]);
//! [`controls`] can stop them. `blocking` ones have [`threads`] of their own;
//! the [`supervisor`] sees which [`polls`] do not return, and what is
//! [`left_behind`] keeps its room until it does. [`record`] keeps what observers see. [`schedules`]
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
pub(crate) mod host;

mod again;
mod create;
mod driver;
mod durable;
mod ending;
mod journal;
mod kept;
mod key;
mod leftovers;
mod open;
mod params;
mod past;
mod recovery;
mod replay;
mod schedules;
mod sleepers;
mod takeup;
mod values;

mod noted;
mod operate;
mod requests;
mod retention;

pub(crate) mod frames;
mod parts;

mod attempt;
mod controls;
mod left_behind;
mod pace;
mod polls;
mod supervisor;
mod worker;

pub(crate) mod record;

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
#[cfg(feature = "logs")]
pub(crate) use self::core::Core;
#[cfg(feature = "app")]
pub(crate) use self::schedules::fill;
pub use backfill::{Backfill, BackfillResult, BackfillTick, Backfilled};
pub use builder::EngineBuilder;
#[cfg(feature = "app")]
pub(crate) use builder::LARGEST_VALUE;
pub(crate) use clock::from_system;
pub use handle::{Engine, Start, Starting};
pub use journal::Why;
pub(crate) use journal::{Holds, StoredEvent, StoredRecalled, signer};
#[cfg(feature = "app")]
pub(crate) use registry::Passing;
pub use run::{AnyRun, Run, RunResult};
