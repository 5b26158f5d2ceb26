//! Who awaits the end of a run.

use std::task::Waker;

/// The tasks that wait, each by a number of its own. A list, since they are
/// few; most runs have one.
#[derive(Default)]
pub(crate) struct Waiters {
    waiting: Vec<(u64, Waker)>,
    next: u64,
}

impl Waiters {
    /// Has a task woken. It may have had a number before. Gives back what took
    /// its place then: a waker must not be dropped while a lock is held.
    #[must_use]
    pub(crate) fn register(&mut self, number: &mut Option<u64>, waker: &Waker) -> Option<Waker> {
        let known = number.and_then(|number| self.waiting.iter_mut().find(|(of, _)| *of == number));
        match known {
            Some((_, known)) if known.will_wake(waker) => None,
            Some((_, known)) => Some(std::mem::replace(known, waker.clone())),
            None => {
                *number = Some(self.next);
                self.waiting.push((self.next, waker.clone()));
                self.next += 1;
                None
            }
        }
    }

    /// A task does not wait any more.
    #[must_use]
    pub(crate) fn forget(&mut self, number: u64) -> Option<Waker> {
        let place = self.waiting.iter().position(|(of, _)| *of == number)?;
        Some(self.waiting.swap_remove(place).1)
    }

    /// Wakes all of them.
    pub(crate) fn wake(self) {
        self.waiting.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_waits_is_woken_once_by_its_latest_waker_and_who_has_stopped_is_not() {
        let counts: [Arc<Count>; 3] = Default::default();
        let wakers = counts.clone().map(Waker::from);
        let mut waiters = Waiters::default();
        let (mut first, mut second) = (None, None);
        assert!(waiters.register(&mut first, &wakers[0]).is_none());
        assert!(waiters.register(&mut first, &wakers[0]).is_none());
        assert!(waiters.register(&mut second, &wakers[1]).is_none());
        assert!(waiters.register(&mut first, &wakers[2]).is_some_and(|old| old.will_wake(&wakers[0])));
        assert!(waiters.forget(second.unwrap()).is_some_and(|gone| gone.will_wake(&wakers[1])));
        assert!(waiters.forget(second.unwrap()).is_none());
        waiters.wake();
        assert_eq!(counts.map(|count| count.0.load(Ordering::Relaxed)), [0, 0, 1]);
    }
}
