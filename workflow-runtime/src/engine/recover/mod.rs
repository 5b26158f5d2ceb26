//! Runs that go on after their process has ended, or in another life.
//!
//! [`recovery`] finds them, [`replay`] reads one back, and [`in_flight`] says what it
//! had under way. [`suspension`] leaves runs that wait to their rows and wakes them,
//! [`reload`] reads again what the store failed to give. A [`new_life`] goes by what
//! the [prior ones](prior_lives) have left; [`advice`] says what an operator can do.
//! [`preview`] tells what one would do. [`retention`] removes old runs.
//!
//! Never here: editing a journal.

mod advice;
mod in_flight;
mod new_life;
mod preview;
mod prior_lives;
mod recovery;
mod reload;
mod replay;
mod retention;
mod suspension;

#[cfg(feature = "app")]
pub(crate) use self::advice::Advice;
pub(crate) use self::in_flight::Open;
#[cfg(feature = "app")]
pub(crate) use self::new_life::compared;
pub(crate) use self::new_life::{AdoptWanted, TakeUp, adoption};
pub(crate) use self::preview::{Life, places};
pub(crate) use self::prior_lives::{blueprint_of, read as history_of};
pub(crate) use self::recovery::{attach, introduce, make_known, recover as recover_runs, recover_one};
pub(crate) use self::reload::{Again, is_well, stopped as reload_stopped};
pub(crate) use self::replay::{GoOn, Unread};
pub(crate) use self::retention::keep as keep_to_retention;
pub(crate) use self::suspension::{Sleepers, set_back as shorten_backoffs};
