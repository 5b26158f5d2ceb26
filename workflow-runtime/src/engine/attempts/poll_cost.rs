//! How long it takes to poll the attempts of a task. Where that is sooner done
//! than a thread wakes, no other worker is woken to help.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::task::definition::TaskDef;

/// Less work than this is done by one worker alone: another thread would take
/// about as long to wake.
const ALONE: Duration = Duration::from_micros(20);

/// Attempts that take less are polled by one worker alone, however many they
/// are: workers would mostly wait for each other's turn at the run's lock.
const TINY: Duration = Duration::from_micros(1);

/// A guess for each task, in nanoseconds. Tasks whose names are at addresses
/// that differ by a multiple of the table's size share one.
pub(crate) struct Paces([AtomicU32; 256]);

impl Default for Paces {
    /// Nothing is known of any task, so all of them count as slow.
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU32::new(u32::MAX)))
    }
}

impl Paces {
    /// An attempt that did not have to wait took so long. A long one counts at
    /// once, a short one little by little.
    pub(crate) fn note(&self, task: &TaskDef, took: Duration) {
        let took = u32::try_from(took.as_nanos()).unwrap_or(u32::MAX);
        let place = self.place(task);
        let guess = place.load(Ordering::Relaxed);
        if took > guess || guess == u32::MAX {
            place.store(took, Ordering::Relaxed);
        } else if guess - took >= 8 {
            place.store(guess - (guess - took) / 8, Ordering::Relaxed);
        }
    }

    /// Whether so many attempts are better polled one after the other, if all
    /// take as long as those of this task.
    pub(crate) fn does_alone(&self, task: &TaskDef, attempts: usize) -> bool {
        let guess = u128::from(self.place(task).load(Ordering::Relaxed));
        guess < TINY.as_nanos() || guess * (attempts as u128) < ALONE.as_nanos()
    }

    fn place(&self, task: &TaskDef) -> &AtomicU32 {
        &self.0[task.name.as_ptr() as usize % self.0.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Task;

    #[crate::task]
    async fn noted() {}

    #[test]
    fn a_task_counts_as_slow_until_it_was_quick_for_a_while() {
        let (paces, task) = (Paces::default(), <noted as Task>::CONTRACT);
        assert!(!paces.does_alone(task, 1), "nothing is known");
        paces.note(task, Duration::from_micros(2));
        assert!(paces.does_alone(task, 9));
        assert!(!paces.does_alone(task, 10));
        paces.note(task, Duration::from_millis(1));
        paces.note(task, Duration::from_nanos(200));
        assert!(!paces.does_alone(task, 1), "it was slow a moment ago");
        (0..80).for_each(|_| paces.note(task, Duration::from_nanos(200)));
        assert!(paces.does_alone(task, 1_000_000));
    }

    #[test]
    fn what_takes_for_ever_is_no_overflow() {
        let (paces, task) = (Paces::default(), <noted as Task>::CONTRACT);
        paces.note(task, Duration::MAX);
        assert!(!paces.does_alone(task, usize::MAX));
    }
}
