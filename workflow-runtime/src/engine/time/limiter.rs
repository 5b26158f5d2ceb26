//! `concurrency` and `rate` of one task: who may start, and when. Pure; the
//! engine's [`Limits`](crate::engine::time::limits::Limits) drives it.

use std::collections::VecDeque;

use crate::policy::Rate;
use crate::run::Timestamp;

/// The limits of one task over the whole engine, first come first served.
pub(crate) struct Limiter<T> {
    concurrency: Option<u32>,
    rate: Option<Rate>,
    running: u32,
    /// The latest starts, oldest first, never more than the rate's count: the
    /// oldest one leaving the window makes room for the next.
    recent: VecDeque<Timestamp>,
    waiting: VecDeque<T>,
}

impl<T: PartialEq> Limiter<T> {
    pub(crate) fn new(concurrency: Option<u32>, rate: Option<Rate>) -> Self {
        Self { concurrency, rate, running: 0, recent: VecDeque::new(), waiting: VecDeque::new() }
    }

    pub(crate) fn request(&mut self, who: T) {
        self.waiting.push_back(who);
    }

    /// Withdraws a request that was not granted yet, and says whether it was
    /// there.
    pub(crate) fn withdraw(&mut self, who: &T) -> bool {
        let place = self.waiting.iter().position(|waiting| waiting == who);
        place.and_then(|place| self.waiting.remove(place)).is_some()
    }

    /// Takes granted room back.
    pub(crate) fn release(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// The next in line, if there is room now.
    pub(crate) fn grant(&mut self, now: Timestamp) -> Option<T> {
        let place = self.concurrency.is_none_or(|limit| self.running < limit);
        if !place || self.opens_at().is_some_and(|at| at > now) {
            return None;
        }
        let who = self.waiting.pop_front()?;
        self.running += 1;
        if let Some(rate) = self.rate {
            if self.recent.len() >= rate.count as usize {
                self.recent.pop_front();
            }
            self.recent.push_back(now);
        }
        Some(who)
    }

    /// When time alone makes room for the next in line.
    pub(crate) fn next_grant(&self, now: Timestamp) -> Option<Timestamp> {
        let place = self.concurrency.is_none_or(|limit| self.running < limit);
        if self.waiting.is_empty() || !place {
            return None;
        }
        self.opens_at().filter(|at| *at > now)
    }

    /// When the window has room; `None` when it has never been full.
    fn opens_at(&self) -> Option<Timestamp> {
        let rate = self.rate?;
        let full = self.recent.len() >= rate.count as usize;
        if full { self.recent.front().map(|oldest| oldest.after(rate.per)) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(millis: u64) -> Timestamp {
        Timestamp(millis * 1_000_000)
    }

    fn granted(limiter: &mut Limiter<u32>, now: Timestamp) -> Vec<u32> {
        std::iter::from_fn(|| limiter.grant(now)).collect()
    }

    #[test]
    fn places_are_given_in_order_and_given_back() {
        let mut limiter = Limiter::new(Some(2), None);
        (1..=4).for_each(|n| limiter.request(n));
        assert_eq!(granted(&mut limiter, at(0)), [1, 2]);
        assert_eq!(limiter.next_grant(at(0)), None, "only an end makes room");
        assert!(limiter.withdraw(&3));
        assert!(!limiter.withdraw(&1), "granted already");
        limiter.release();
        assert_eq!(granted(&mut limiter, at(0)), [4]);
    }

    #[test]
    fn no_window_sees_more_starts_than_the_rate() {
        let rate = Rate { count: 3, per: Duration::from_secs(1) };
        let mut limiter = Limiter::new(None, Some(rate));
        let mut starts = Vec::new();
        for millis in (0..5000).step_by(50) {
            limiter.request(0);
            starts.extend(granted(&mut limiter, at(millis)).iter().map(|_| millis));
        }
        for window in starts.windows(4) {
            assert!(window[3] - window[0] >= 1000, "{starts:?}");
        }
        assert_eq!(starts.len(), 15);
    }

    #[test]
    fn it_says_when_the_window_opens() {
        let rate = Rate { count: 1, per: Duration::from_secs(1) };
        let mut limiter = Limiter::new(None, Some(rate));
        limiter.request(1);
        limiter.request(2);
        assert_eq!(granted(&mut limiter, at(0)), [1]);
        assert_eq!(limiter.next_grant(at(10)), Some(at(1000)));
        assert_eq!(granted(&mut limiter, at(1000)), [2]);
        assert_eq!(limiter.next_grant(at(1000)), None);
    }
}
