//! The engine: the driver around the machine, in this process.
//!
//! An [`Engine`] ([`builder`], [`handle`]) starts runs and knows them
//! ([`registry`]); all of them [share](shared) a clock, a store and room. Its rooms,
//! each with a door that says what lives there and what never does:
//!
//! - [`instance`]: a run of this engine, and the loop that drives it;
//! - [`attempts`]: who polls attempts, and code that does not return;
//! - [`commit`]: what a run has decided, on its way to the store;
//! - [`recover`]: runs that go on later, or in another life;
//! - [`operate`]: what operators do, from here and from other processes;
//! - [`schedules`]: runs that start when they are due;
//! - [`time`]: clocks, timers, limits and turns.
//!
//! Never here: what follows from an event (that is `run`, the machine), and the
//! values of a run (that is `execution`).

mod attempts;
mod commit;
mod instance;
mod operate;
mod recover;
mod schedules;
mod time;

mod builder;
mod handle;
mod key;
mod registry;
mod shared;

#[cfg(test)]
mod tests;

#[cfg(feature = "testing")]
pub(crate) use self::attempts::Begun;
pub use self::builder::EngineBuilder;
#[cfg(feature = "app")]
pub(crate) use self::builder::LARGEST_VALUE;
pub use self::handle::{Engine, Start, Starting};
pub use self::instance::{AnyRun, Events, Run, RunResult};
#[cfg(feature = "app")]
pub(crate) use self::operate::{Outlook, Wanted, step_codec};
#[cfg(feature = "app")]
pub(crate) use self::registry::Passing;
pub use self::schedules::{Backfill, BackfillResult, BackfillTick, Backfilled};
#[cfg(feature = "app")]
pub(crate) use self::schedules::{Span, fill, span};
#[cfg(feature = "testing")]
pub(crate) use self::time::SharedWall;
