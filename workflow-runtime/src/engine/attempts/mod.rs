//! Attempts: who polls them, how long, and what becomes of code that does not return.
//!
//! What a run has under way is its [`work`]. A [`worker`] takes a ready [`attempt`] and
//! polls it, alone where that is quick ([`poll_cost`]); [`cancellation`] asks it to
//! stop. What blocks has [`threads`]. The [`supervisor`] sees which polls take
//! [long](long_polls); what is [`left_behind`] keeps its room. [`context_host`] answers what attempts ask, [`transaction`] and
//! [`result_cache`] are for tasks with these options. The test kit has a `witness`.
//!
//! Never here: what the end of an attempt means to its run.

mod attempt;
mod cancellation;
mod context_host;
mod left_behind;
mod long_polls;
mod poll_cost;
mod result_cache;
mod supervisor;
mod threads;
mod transaction;
#[cfg(feature = "testing")]
mod witness;
mod work;
mod worker;

pub(crate) use self::poll_cost::Paces;
pub(crate) use self::result_cache::{Results, result as result_to_keep};
pub(crate) use self::supervisor::start as supervise;
pub(crate) use self::threads::Pools;
pub(crate) use self::transaction::Done;
#[cfg(feature = "testing")]
pub(crate) use self::witness::{Begun, Witness};
pub(crate) use self::work::{Room, Work};
pub(crate) use self::worker::{Goal, Ready};
