//! The engine's time: one clock for durable times and for waiting.
//!
//! The wall clock is read once, when the engine starts; from there on time is
//! tokio's, which never jumps and which a test can pause and steer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::run::Timestamp;

/// What a wait that does not fit an `Instant` is cut down to.
const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);

pub(crate) struct Clock {
    wall: Timestamp,
    anchor: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { wall: from_system(SystemTime::now()), anchor: Instant::now() }
    }

    /// The clock of a process that goes on where another has died, in a test.
    pub(crate) fn starting_at(wall: Timestamp) -> Self {
        Self { wall, anchor: Instant::now() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.wall.after(self.anchor.elapsed())
    }

    /// When tokio's clock shows `at`.
    pub(crate) fn instant(&self, at: Timestamp) -> Instant {
        let ahead = at.since(self.wall).min(FAR);
        self.anchor.checked_add(ahead).unwrap_or(self.anchor)
    }
}

/// Times before 1970 are 1970.
pub(crate) fn from_system(time: SystemTime) -> Timestamp {
    Timestamp::default().after(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_clock_follows_a_steered_time() {
        let clock = Clock::start();
        let before = clock.now();
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(clock.now().since(before), Duration::from_secs(60));
        assert_eq!(clock.instant(before), Instant::now() - Duration::from_secs(60));
    }

    #[tokio::test]
    async fn the_end_of_time_can_be_waited_for() {
        let clock = Clock::start();
        assert!(clock.instant(Timestamp(u64::MAX)) > Instant::now());
        assert_eq!(from_system(UNIX_EPOCH - Duration::from_secs(1)), Timestamp(0));
    }
}
