//! Runs as plain data: what `--json` prints, what the console's pages show, and
//! what its API answers with. One set of types, so that all of them say the
//! same.
//!
//! Secrets are hidden before a value gets in here. Fields are never renamed or
//! removed; new ones may be added.

mod ask;
#[cfg(feature = "serve")]
mod picture;
mod preview;
mod run;
mod step;
mod value;

#[cfg(feature = "serve")]
pub(crate) use ask::in_words;
pub(crate) use ask::{Asked, wish};
#[cfg(feature = "serve")]
pub(crate) use picture::{Mark, NodePicture, RegionPicture};
pub(crate) use preview::PreviewView;
pub(crate) use run::{RunRow, RunView, Told, params};
#[cfg(feature = "serve")]
pub(crate) use step::AttemptView;
pub(crate) use step::{LineView, StepView, SuspectView};
pub(crate) use value::{readable, value};

use serde::{Serialize, Serializer};

use crate::inspect::time::utc;
use crate::run::Timestamp;

/// A time, which programs read as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(pub(crate) Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&utc(self.0))
    }
}
