//! The engine's time: one wall clock for what lasts, and tokio's for what ends
//! with the process.
//!
//! Which wait goes by which:
//!
//! | wait | goes by |
//! | --- | --- |
//! | `sleep`, `sleep_until`, `.within`, the ticks of schedules, `cache`, `keep` | the wall clock: a time that is stored is a time of day |
//! | the wait between two attempts | both: it is over when either says so, and so is never longer than it was meant to be |
//! | `timeout`, what is left of `deadline` while an attempt runs, `rate`, grace times | the time that passes |
//!
//! Between two looks at it the wall clock goes as tokio's does, so one reading
//! of the clock is all that an event costs. Whatever sets the wall clock (a
//! time server's step, a machine that slept, a virtual machine that was
//! restored) is noticed within a second or two, by the code that reads this clock, and
//! where none does by the supervisor. No wait for a time of day is taken to be
//! over before the clock was looked at.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;

#[cfg(feature = "testing")]
use crate::engine::time::shared_wall::SharedWall;
use crate::run::Timestamp;
use crate::store::Store;

/// What a wait that does not fit an `Instant` is cut down to.
pub(crate) const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);

/// How long what it showed is believed.
const BELIEVED: u64 = 1_000_000_000;

/// By how much the wall clock has to leave the other one to count as having
/// been set, in nanoseconds: two clocks are never read at the same moment.
const STEP: i64 = 10_000_000;

pub(crate) struct Clock {
    /// What the wall clock would show at `anchor` if it had never been set.
    wall: Timestamp,
    anchor: Instant,
    /// The two clocks of the operating system, read when the engine started.
    system: Option<(SystemTime, std::time::Instant)>,
    /// Whether a test steers tokio's clock.
    steered: bool,
    /// How far the wall clock has been set.
    set: Arc<Set>,
    /// When the system's clocks were looked at, in nanoseconds since `anchor`.
    looked: AtomicU64,
}

/// How far a wall clock has been set since it was first read.
#[derive(Default)]
pub(crate) struct Set {
    by: AtomicI64,
    changed: Notify,
}

impl Set {
    /// Nanoseconds; less than none where it was set back.
    pub(super) fn by(&self) -> i64 {
        self.by.load(Ordering::Acquire)
    }

    pub(super) fn is(&self, by: i64) {
        self.by.store(by, Ordering::Release);
        self.changed.notify_waiters();
    }
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

impl Clock {
    pub(crate) fn start() -> Self {
        let steered = is_steered();
        let own = || (Timestamp::from(SystemTime::now()), Instant::now(), Arc::default());
        #[cfg(feature = "testing")]
        let (wall, anchor, set) = SharedWall::read().filter(|_| steered).unwrap_or_else(own);
        #[cfg(not(feature = "testing"))]
        let (wall, anchor, set) = own();
        Self { wall, anchor, system: read_system(), steered, set, looked: AtomicU64::new(0) }
    }

    /// The clock of a process that goes on where another has died, in a test.
    #[cfg(feature = "testing")]
    pub(crate) fn starting_at(wall: Timestamp) -> Self {
        let set = SharedWall::read().map(|(_, _, set)| set).unwrap_or_default();
        let wall = shifted(wall, -i128::from(set.by()));
        Self { wall, anchor: Instant::now(), set, ..Self::start() }
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

    /// What the clock on the wall shows.
    #[inline]
    pub(crate) fn now(&self) -> Timestamp {
        let elapsed = self.anchor.elapsed();
        self.look_after(elapsed);
        shifted(self.wall.after(elapsed), i128::from(self.set.by()))
    }

    /// The time that passes, as a time that is never set: only good for
    /// comparing with others of it.
    pub(crate) fn steady(&self) -> Timestamp {
        self.wall.after(self.anchor.elapsed())
    }

    /// When the steady time is `at`.
    pub(crate) fn steady_instant(&self, at: Timestamp) -> Instant {
        self.ahead(at.since(self.wall))
    }

    /// When the wall clock shows `at`, unless it is set before that.
    pub(crate) fn instant(&self, at: Timestamp) -> Instant {
        self.ahead(at.since(shifted(self.wall, i128::from(self.set.by()))))
    }

    fn ahead(&self, by: Duration) -> Instant {
        self.anchor.checked_add(by.min(FAR)).unwrap_or(self.anchor)
    }

    /// The steady time at which the wall clock, as it is set now, shows `at`.
    #[inline]
    pub(crate) fn steady_of(&self, at: Timestamp) -> Timestamp {
        shifted(at, -i128::from(self.set.by()))
    }

    /// What the wall clock, as it is set now, shows at a steady time.
    pub(crate) fn wall_of(&self, steady: Timestamp) -> Timestamp {
        shifted(steady, i128::from(self.set.by()))
    }

    /// The steady time at a time of tokio's.
    pub(crate) fn steady_at(&self, instant: Instant) -> Timestamp {
        self.wall.after(instant.saturating_duration_since(self.anchor))
    }

    /// How far the wall clock has been set since the engine started, in
    /// nanoseconds.
    pub(crate) fn set_by(&self) -> i64 {
        self.set.by()
    }

    /// Waits until it is noticed that the wall clock has been set, from the
    /// moment on at which what this returns is first polled or enabled.
    pub(crate) fn when_set(&self) -> tokio::sync::futures::Notified<'_> {
        self.set.changed.notified()
    }

    #[inline]
    fn look_after(&self, elapsed: Duration) {
        if self.steered {
            return;
        }
        let elapsed = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        let looked = self.looked.load(Ordering::Relaxed);
        if elapsed.saturating_sub(looked) >= BELIEVED {
            self.looked.store(elapsed, Ordering::Relaxed);
            self.compare();
        }
    }

    /// Looks at the system's clocks, and tells everybody who waits where the
    /// one on the wall has been set.
    pub(crate) fn look(&self) {
        if !self.steered {
            let elapsed = u64::try_from(self.anchor.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.looked.store(elapsed, Ordering::Relaxed);
            self.compare();
        }
    }

    #[cold]
    fn compare(&self) {
        let (Some((wall, steady)), Some((wall_now, steady_now))) = (self.system, read_system()) else {
            return;
        };
        let passed = match wall_now.duration_since(wall) {
            Ok(passed) => passed.as_nanos().cast_signed(),
            Err(back) => -back.duration().as_nanos().cast_signed(),
        };
        let by = passed - steady_now.duration_since(steady).as_nanos().cast_signed();
        let by = i64::try_from(by).unwrap_or(if by < 0 { i64::MIN } else { i64::MAX });
        if by.abs_diff(self.set.by()) >= STEP.unsigned_abs() {
            self.set.is(by);
        }
    }
}

/// Both clocks of the system, read at nearly the same moment; `None` where
/// this thread is put aside each time.
fn read_system() -> Option<(SystemTime, std::time::Instant)> {
    const TRIES: usize = 5;
    (0..TRIES).find_map(|_| {
        let before = std::time::Instant::now();
        let wall = SystemTime::now();
        let took = before.elapsed();
        (took < Duration::from_millis(1)).then_some((wall, before))
    })
}

fn shifted(at: Timestamp, by: i128) -> Timestamp {
    let shown = i128::from(at.0).saturating_add(by).max(0);
    Timestamp(u64::try_from(shown).unwrap_or(u64::MAX))
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
    async fn the_wall_clock_is_set_and_the_time_that_passes_is_not() {
        let _wall = SharedWall::new();
        let clock = Clock::start();
        tokio::time::advance(Duration::from_secs(60)).await;
        let (wall, steady) = (clock.now(), clock.steady());
        assert_eq!(wall, steady);
        let hour = 3_600_000_000_000;
        SharedWall::set(hour).unwrap();
        assert_eq!(clock.now().since(wall), Duration::from_secs(3600));
        assert_eq!(clock.instant(clock.now()), Instant::now());
        SharedWall::set(-2 * hour).unwrap();
        assert_eq!(wall.since(clock.now()), Duration::from_secs(3600));
        assert_eq!(clock.steady(), steady);
        // An engine that starts later in the same test has the same clock.
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(Clock::start().now(), clock.now());
    }

    #[tokio::test]
    async fn a_step_of_the_systems_clock_is_noticed_by_whoever_looks() {
        let mut clock = Clock::start();
        let before = clock.now();
        // As if it had been an hour earlier when the engine started.
        let (wall, steady) = clock.system.unwrap();
        clock.system = Some((wall - Duration::from_secs(3600), steady));
        clock.look();
        let ahead = clock.now().since(before);
        assert!((3600..3660).contains(&ahead.as_secs()), "{ahead:?}");
        clock.system = Some((wall + Duration::from_secs(3600), steady));
        clock.look();
        assert!(before.since(clock.now()) > Duration::from_secs(3540));
    }

    #[tokio::test]
    async fn the_end_of_time_can_be_waited_for() {
        let clock = Clock::start();
        assert!(clock.instant(Timestamp(u64::MAX)) > Instant::now());
        assert_eq!(Timestamp::from(std::time::UNIX_EPOCH - Duration::from_secs(1)), Timestamp(0));
    }
}
