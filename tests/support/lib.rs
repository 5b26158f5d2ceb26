//! What the tests share: runs on a virtual clock, what is left of a run to
//! assert on, tasks of a few kinds, and the invariants that hold for every
//! run, whatever it does.

#![allow(missing_docs, reason = "every item is read in the test that uses it")]

mod invariants;
mod ran;
mod random;
pub mod tasks;
// Their workflows stand in stored runs as they are written.
#[rustfmt::skip]
pub mod v1;
#[rustfmt::skip]
pub mod v2;

pub use invariants::{check, check_asked};
pub use ran::{Ran, STEP_SUCCEEDED, drive, drive_on, run, run_on};
pub use random::Random;

use std::time::Duration;

pub const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Lets everything that is ready happen, without letting time pass.
pub async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// Asserts that a message says all of this.
#[track_caller]
pub fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}
