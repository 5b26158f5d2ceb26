//! What depends on time and on room: the [`clock`], [`timers`], [`limits`] of tasks
//! (each a [`limiter`]), [`turns`] of what follows a loss, [`random`] numbers, and the
//! [end](runtime_end) of the runtime.
//!
//! Never here: what a run does when a time has come.

mod clock;
mod limiter;
mod limits;
mod random;
mod runtime_end;
#[cfg(feature = "testing")]
mod shared_wall;
mod timers;
mod turns;

pub(crate) use self::clock::{Clock, FAR, Hold};
pub(crate) use self::limits::{Limits, Request, tell as tell_granted, tell_turns};
pub(crate) use self::random::Random;
pub(crate) use self::runtime_end::RuntimeEnd;
#[cfg(feature = "testing")]
pub(crate) use self::shared_wall::SharedWall;
pub(crate) use self::timers::{TimerId, Timers, When};
pub(crate) use self::turns::{Turn, Turns};
