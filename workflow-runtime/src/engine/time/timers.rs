//! The waits of all runs, in one queue with one task that sleeps until the
//! next of them: a waiting run costs a row here and no task of its own.

use std::collections::{BTreeSet, HashMap};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::engine::time::clock::Clock;
use crate::run::Timestamp;

/// What happens when a wait is over.
pub(crate) type Due = Box<dyn FnOnce(TimerId) + Send>;

/// When a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum When {
    /// When so much time has passed, whatever the wall clock is set to.
    Passed(Instant),
    /// When the wall clock shows so.
    Wall(Timestamp),
    /// When either is so.
    Either(Timestamp, Instant),
}

impl When {
    fn passed(self) -> Option<Instant> {
        match self {
            Self::Passed(at) | Self::Either(_, at) => Some(at),
            Self::Wall(_) => None,
        }
    }

    pub(crate) fn wall(self) -> Option<Timestamp> {
        match self {
            Self::Wall(at) | Self::Either(at, _) => Some(at),
            Self::Passed(_) => None,
        }
    }
}

/// Names a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TimerId {
    when: When,
    number: u64,
}

impl TimerId {
    /// When the wait is over, if the clock is not set.
    pub(crate) fn instant(self, clock: &Clock) -> Instant {
        match self.when {
            When::Passed(at) => at,
            When::Wall(at) => clock.instant(at),
            When::Either(wall, at) => at.min(clock.instant(wall)),
        }
    }

    /// Whether the wait is over before the wall clock shows its time: the
    /// clock has been set back since it began.
    pub(crate) fn is_ahead_of_its_time(self, clock: &Clock) -> bool {
        const SLACK: std::time::Duration = std::time::Duration::from_millis(100);
        matches!(self.when, When::Either(wall, at) if at + SLACK < clock.instant(wall))
    }
}

pub(crate) struct Timers {
    clock: Arc<Clock>,
    /// How far it was set when the first wait could begin.
    set_by: i64,
    queue: Mutex<Queue>,
    /// Wakes the task when there is an earlier wait than the one it sleeps
    /// for, or when it should end.
    changed: Notify,
}

/// Waits for the same time are kept in order by their numbers.
#[derive(Default)]
struct Queue {
    waits: HashMap<u64, (When, Due)>,
    passed: BTreeSet<(Instant, u64)>,
    wall: BTreeSet<(Timestamp, u64)>,
    added: u64,
    closed: bool,
}

impl Queue {
    fn insert(&mut self, when: When, due: Due) -> u64 {
        let number = self.added;
        self.added += 1;
        self.passed.extend(when.passed().map(|at| (at, number)));
        self.wall.extend(when.wall().map(|at| (at, number)));
        self.waits.insert(number, (when, due));
        number
    }

    fn remove(&mut self, number: u64) -> Option<(When, Due)> {
        let (when, due) = self.waits.remove(&number)?;
        if let Some(at) = when.passed() {
            self.passed.remove(&(at, number));
        }
        if let Some(at) = when.wall() {
            self.wall.remove(&(at, number));
        }
        Some((when, due))
    }

    /// When to look again.
    fn next(&self, clock: &Clock) -> Option<Instant> {
        let passed = self.passed.first().map(|(at, _)| *at);
        let wall = self.wall.first().map(|(at, _)| clock.instant(*at));
        passed.into_iter().chain(wall).min()
    }

    /// Takes out the next wait that is over.
    fn take_due(&mut self, clock: &Clock) -> Option<(TimerId, Due)> {
        let now = Instant::now();
        let passed = self.passed.first().filter(|(at, _)| *at <= now).copied();
        let wall = self.wall.first().filter(|(at, _)| *at <= clock.now()).copied();
        let wall = wall.map(|(at, number)| (clock.instant(at), number));
        let (_, number) = passed.into_iter().chain(wall).min()?;
        let (when, due) = self.remove(number)?;
        Some((TimerId { when, number }, due))
    }
}

impl Timers {
    pub(crate) fn new(clock: Arc<Clock>) -> Self {
        Self { set_by: clock.set_by(), clock, queue: Mutex::default(), changed: Notify::new() }
    }

    pub(crate) fn add(&self, when: When, due: Due) -> TimerId {
        let mut queue = self.lock();
        let number = queue.insert(when, due);
        let first = when.passed().is_some_and(|at| queue.passed.first() == Some(&(at, number)))
            || when.wall().is_some_and(|at| queue.wall.first() == Some(&(at, number)));
        drop(queue);
        if first {
            self.changed.notify_one();
        }
        TimerId { when, number }
    }

    pub(crate) fn remove(&self, id: TimerId) {
        let removed = self.lock().remove(id.number);
        // Outside the lock: what it holds may be the last of a run.
        drop(removed);
    }

    /// Does what the task should have done a while ago, where no thread of the
    /// runtime has come to it.
    pub(crate) fn catch_up(&self, late: Duration) {
        let next = self.lock().next(&self.clock);
        if next.is_some_and(|at| at + late <= Instant::now()) {
            self.fire();
        }
    }

    /// Ends the task.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// The task. `set` hears by how many nanoseconds the wall clock was set,
    /// once that is noticed.
    pub(crate) async fn drive(self: Arc<Self>, set: impl Fn(i64) + Send) {
        let mut known = self.set_by;
        loop {
            let mut when_set = pin!(self.clock.when_set());
            when_set.as_mut().enable();
            let by = self.clock.set_by();
            if by != known {
                set(by.saturating_sub(known));
                known = by;
            }
            let next = {
                let queue = self.lock();
                if queue.closed {
                    return;
                }
                queue.next(&self.clock)
            };
            let sleep = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = sleep => {
                    self.clock.look();
                    self.fire();
                }
                () = when_set => self.fire(),
                () = self.changed.notified() => {}
            }
        }
    }

    /// Does what is due. Each is taken out first and done without the lock,
    /// since it may add and remove waits itself.
    fn fire(&self) {
        loop {
            let due = self.lock().take_due(&self.clock);
            let Some((id, due)) = due else { return };
            due(id);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::time::shared_wall::SharedWall;

    type Fired = Arc<Mutex<Vec<&'static str>>>;

    fn note(fired: &Fired, name: &'static str) -> Due {
        let fired = fired.clone();
        Box::new(move |_| fired.lock().unwrap().push(name))
    }

    #[tokio::test(start_paused = true)]
    async fn waits_end_in_the_order_of_their_times() {
        let timers = Arc::new(Timers::new(Arc::new(Clock::start())));
        let task = tokio::spawn(timers.clone().drive(|_| ()));
        let fired = Fired::default();
        let start = Instant::now();
        let seconds = |n| When::Passed(start + Duration::from_secs(n));
        timers.add(seconds(20), note(&fired, "late"));
        let removed = timers.add(seconds(5), note(&fired, "removed"));
        timers.add(seconds(10), note(&fired, "early"));
        timers.add(seconds(10), note(&fired, "early, second"));
        timers.remove(removed);

        tokio::time::sleep(Duration::from_secs(15)).await;
        assert_eq!(*fired.lock().unwrap(), ["early", "early, second"]);
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!(fired.lock().unwrap().last(), Some(&"late"));

        timers.close();
        task.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_follows_the_clock_that_it_goes_by() {
        const HOUR: i64 = 3_600_000_000_000;
        let _wall = SharedWall::new();
        let clock = Arc::new(Clock::start());
        let timers = Arc::new(Timers::new(clock.clone()));
        let steps = Arc::new(Mutex::new(Vec::new()));
        let heard = steps.clone();
        drop(tokio::spawn(timers.clone().drive(move |by| heard.lock().unwrap().push(by))));
        let fired = Fired::default();
        let add = |name, length: Duration| {
            let (wall, passed) = (clock.now().after(length), Instant::now() + length);
            timers.add(When::Wall(wall), note(&fired, name));
            timers.add(When::Passed(passed), note(&fired, "passed"));
            timers.add(When::Either(wall, passed), note(&fired, "either"));
        };
        let minutes = |n: u64| Duration::from_secs(60 * n);
        let taken = || std::mem::take(&mut *fired.lock().unwrap());

        add("wall, back", minutes(10));
        SharedWall::set(-HOUR).unwrap();
        tokio::time::sleep(minutes(11)).await;
        assert_eq!(taken(), ["passed", "either"], "never longer than it was meant to be");
        tokio::time::sleep(minutes(60)).await;
        assert_eq!(taken(), ["wall, back"]);

        add("wall, ahead", minutes(10));
        SharedWall::set(HOUR).unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(taken(), ["wall, ahead", "either"], "at once");
        tokio::time::sleep(minutes(11)).await;
        assert_eq!(taken(), ["passed"]);
        assert_eq!(*steps.lock().unwrap(), [-HOUR, HOUR]);
        timers.close();
    }
}
