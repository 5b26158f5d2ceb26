//! The engine's time: one clock for durable times and for waiting.
//!
//! The wall clock is read once, when the engine starts; from there on time is
//! tokio's, which never jumps and which a test can pause and steer.

use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::run::Timestamp;
use crate::store::Store;

/// What a wait that does not fit an `Instant` is cut down to.
const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);

pub(crate) struct Clock {
    wall: Timestamp,
    anchor: Instant,
    /// The two clocks of the operating system, read when the engine started.
    system: (SystemTime, std::time::Instant),
    /// Whether a test steers tokio's clock.
    steered: bool,
    /// How far a test has the wall clock jump, in milliseconds.
    #[cfg(test)]
    jump: std::sync::atomic::AtomicI64,
}

/// How long a steered clock waits for another thread, in real time. An answer
/// may also be held back by a test that wants time to pass meanwhile.
const LONGEST_HOLD: Duration = Duration::from_millis(500);

/// Holds a steered clock.
pub(crate) struct Hold(#[expect(dead_code, reason = "dropping it is what it is for")] mpsc::Sender<()>);

/// Whether tokio's clock stands still while the system's goes on.
fn is_steered() -> bool {
    let (before, steady) = (Instant::now(), std::time::Instant::now());
    while steady.elapsed() < Duration::from_micros(1) {
        std::hint::spin_loop();
    }
    Instant::now() == before
}

/// By how much the wall clock has to leave the other one to count as having
/// jumped: it is pulled a little all the time.
const JUMP: i128 = 1_000_000_000;

impl Clock {
    pub(crate) fn start() -> Self {
        Self::starting_at(from_system(SystemTime::now()))
    }

    /// The clock of a process that goes on where another has died, in a test.
    pub(crate) fn starting_at(wall: Timestamp) -> Self {
        Self {
            wall,
            anchor: Instant::now(),
            system: (SystemTime::now(), std::time::Instant::now()),
            steered: is_steered(),
            #[cfg(test)]
            jump: 0.into(),
        }
    }

    /// Keeps a steered clock where it is until a store has answered, and what
    /// this returns is dropped. Such a clock jumps whenever
    /// its runtime has nothing to do, and of that thread it knows nothing: a
    /// step would be over its time because a disk took a millisecond.
    pub(crate) fn hold(&self, store: &dyn Store, runtime: &Handle) -> Option<Hold> {
        (self.steered && store.answers_later()).then(|| {
            let (hold, released) = mpsc::channel();
            // While a blocking task runs, the clock does not jump.
            drop(runtime.spawn_blocking(move || released.recv_timeout(LONGEST_HOLD)));
            Hold(hold)
        })
    }

    /// Whether a test steers the runtime's clock.
    pub(crate) fn is_steered(&self) -> bool {
        self.steered
    }

    #[inline]
    pub(crate) fn now(&self) -> Timestamp {
        self.wall.after(self.anchor.elapsed())
    }

    /// What a clock on the wall shows, which may jump: it is set, and goes on
    /// while the machine sleeps.
    pub(crate) fn wall(&self) -> Timestamp {
        // Both clocks of the system run on while a test steers tokio's, so
        // their difference is that of the wall clock alone.
        let (wall, steady) = (self.system.0, self.system.1.elapsed().as_nanos().cast_signed());
        let passed = match wall.elapsed() {
            Ok(passed) => passed.as_nanos().cast_signed(),
            Err(back) => -back.duration().as_nanos().cast_signed(),
        };
        let jump = passed - steady;
        #[cfg(test)]
        let jump = jump + 1_000_000 * i128::from(self.jump.load(std::sync::atomic::Ordering::Relaxed));
        let now = self.now();
        if jump.abs() < JUMP {
            return now;
        }
        let shown = i128::from(now.0).saturating_add(jump).max(0);
        Timestamp(u64::try_from(shown).unwrap_or(u64::MAX))
    }

    /// Has the wall clock jump by so many seconds.
    #[cfg(test)]
    pub(crate) fn jump(&self, seconds: i64) {
        self.jump.fetch_add(1_000 * seconds, std::sync::atomic::Ordering::Relaxed);
    }

    /// What this clock shows at a time of tokio's.
    pub(crate) fn at(&self, instant: Instant) -> Timestamp {
        self.wall.after(instant.saturating_duration_since(self.anchor))
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

    #[tokio::test(start_paused = true)]
    async fn the_wall_clock_may_jump() {
        let clock = Clock::start();
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(clock.wall(), clock.now());
        clock.jump(3600);
        assert!(clock.wall().since(clock.now()) >= Duration::from_secs(3599));
        clock.jump(-7200);
        assert!(clock.now().since(clock.wall()) >= Duration::from_secs(3599));
    }

    #[tokio::test]
    async fn the_end_of_time_can_be_waited_for() {
        let clock = Clock::start();
        assert!(clock.instant(Timestamp(u64::MAX)) > Instant::now());
        assert_eq!(from_system(UNIX_EPOCH - Duration::from_secs(1)), Timestamp(0));
    }
}
