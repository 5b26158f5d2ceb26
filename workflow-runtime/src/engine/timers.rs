//! The waits of all runs, in one queue with one task that sleeps until the
//! next of them: a waiting run costs a row here and no task of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// What happens when a wait is over.
pub(crate) type Due = Box<dyn FnOnce(TimerId) + Send>;

/// Names a wait. The time comes first, so that ids sort by it; the number
/// tells waits for the same time apart and keeps them in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TimerId {
    pub(crate) at: Instant,
    number: u64,
}

#[derive(Default)]
pub(crate) struct Timers {
    queue: Mutex<Queue>,
    /// Wakes the task when there is an earlier wait than the one it sleeps
    /// for, or when it should end.
    changed: Notify,
}

#[derive(Default)]
struct Queue {
    waits: BTreeMap<TimerId, Due>,
    added: u64,
    closed: bool,
}

impl Timers {
    pub(crate) fn add(&self, at: Instant, due: Due) -> TimerId {
        let mut queue = self.lock();
        let id = TimerId { at, number: queue.added };
        queue.added += 1;
        let first = queue.waits.first_key_value().is_none_or(|(next, _)| id < *next);
        queue.waits.insert(id, due);
        drop(queue);
        if first {
            self.changed.notify_one();
        }
        id
    }

    pub(crate) fn remove(&self, id: TimerId) {
        let removed = self.lock().waits.remove(&id);
        // Outside the lock: what it holds may be the last of a run.
        drop(removed);
    }

    /// Does what the task should have done a while ago, where no thread of the
    /// runtime has come to it.
    pub(crate) fn catch_up(&self, late: Duration) {
        let next = self.lock().waits.first_key_value().map(|(id, _)| id.at);
        if next.is_some_and(|at| at + late <= Instant::now()) {
            self.fire();
        }
    }

    /// Ends the task.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// The task.
    pub(crate) async fn drive(self: Arc<Self>) {
        loop {
            let next = {
                let queue = self.lock();
                if queue.closed {
                    return;
                }
                queue.waits.first_key_value().map(|(id, _)| id.at)
            };
            match next {
                None => self.changed.notified().await,
                Some(at) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(at) => self.fire(),
                        () = self.changed.notified() => {}
                    }
                }
            }
        }
    }

    /// Does what is due. Each is taken out first and done without the lock,
    /// since it may add and remove waits itself.
    fn fire(&self) {
        let now = Instant::now();
        loop {
            let mut queue = self.lock();
            match queue.waits.first_entry() {
                Some(wait) if wait.key().at <= now => {
                    let (id, due) = wait.remove_entry();
                    drop(queue);
                    due(id);
                }
                _ => return,
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_end_in_the_order_of_their_times() {
        let timers = Arc::new(Timers::default());
        let task = tokio::spawn(timers.clone().drive());
        let fired = Arc::new(Mutex::new(Vec::new()));
        let note = |name: &'static str| -> Due {
            let fired = fired.clone();
            Box::new(move |_| fired.lock().unwrap().push(name))
        };
        let start = Instant::now();
        let seconds = |n| start + Duration::from_secs(n);
        timers.add(seconds(20), note("late"));
        let removed = timers.add(seconds(5), note("removed"));
        timers.add(seconds(10), note("early"));
        timers.add(seconds(10), note("early, second"));
        timers.remove(removed);

        tokio::time::sleep(Duration::from_secs(15)).await;
        assert_eq!(*fired.lock().unwrap(), ["early", "early, second"]);
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!(fired.lock().unwrap().last(), Some(&"late"));

        timers.close();
        task.await.unwrap();
    }
}
