//! A run of this engine: its [execution](crate::execution) under a lock, and the one
//! loop that has it hear events, has its decisions committed, and acts on them.
//!
//! [`host`] is the run, [`driver`] the loop; what must not be done under the lock is
//! [`deferred`]; how it stands is [`standing`]. [`run`] is what users hold, [`snapshot`] and [`events`] what they see.
//! [`spares`] are what ended runs leave to the next.
//!
//! Never here: what follows from an event, how a commit is made, who polls.

mod deferred;
mod driver;
mod events;
mod host;
mod run;
mod snapshot;
mod spares;
mod standing;
mod waiters;

pub(crate) use self::deferred::After;
pub use self::events::Events;
pub(crate) use self::host::{Identity, Inner, RunHost};
pub(crate) use self::run::aimed;
pub use self::run::{AnyRun, Run, RunResult};
pub(crate) use self::spares::Spares;
pub(crate) use self::standing::{RunEnd, Stop};
