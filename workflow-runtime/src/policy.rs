//! How often, how long and how fast: retries, time limits and rates.
//! Pure data and arithmetic; nothing here waits or draws random numbers.

use std::time::Duration;

/// Retries and time limits of a task or a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// When and how often a failed attempt is repeated.
    pub retry: Retry,
    /// The longest that one attempt may take.
    pub timeout: Option<Duration>,
    /// The longest that all attempts and the waits between them may take.
    pub deadline: Option<Duration>,
    /// How many attempts may be lost in a row, because the process ended,
    /// before the step is suspected and waits for an operator. 0 for any
    /// number.
    pub losses: u16,
}

impl Policy {
    /// One attempt, no limits: what a plain `#[task]` has.
    pub const DEFAULT: Self = Self { retry: Retry::NEVER, timeout: None, deadline: None, losses: 10 };

    /// The wait after so many attempts that were lost in a row: none after the
    /// first two, then a second, and twice as long each time, up to five
    /// minutes; a quarter longer or shorter by the random number `roll`, from
    /// 0 up to 1.
    pub(crate) fn after_losses(losses: u16, roll: f64) -> Duration {
        const SECOND: Duration = Duration::from_secs(1);
        const LONGEST: Duration = Duration::from_secs(300);
        let backoff = Backoff::Exponential { start: SECOND, factor: 2.0, max: LONGEST };
        let waits = Retry { backoff, jitter: 0.25, ..Retry::NEVER };
        losses.checked_sub(3).map_or(Duration::ZERO, |earlier| waits.delay(u32::from(earlier) + 1, roll))
    }
}

/// When and how often a failed attempt is repeated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    /// Attempts in all, the first included. Never 0.
    pub attempts: u32,
    /// The wait before each further attempt.
    pub backoff: Backoff,
    /// By how much of itself a wait may be longer or shorter, 0 to 1.
    pub jitter: f64,
    /// No further attempt after a failure once this long has passed since the
    /// first began, whatever the next one has waited for: its backoff, room
    /// under a limit, a pause, or the next process. A lost attempt uses none
    /// of it: it is made once more also when the budget is over.
    pub budget: Option<Duration>,
}

impl Retry {
    /// One attempt.
    pub const NEVER: Self =
        Self { attempts: 1, backoff: Backoff::Fixed(Duration::from_secs(1)), jitter: 0.0, budget: None };

    /// The wait after attempt number `failed` (from 1).
    ///
    /// `roll`, from 0 up to 1, is the random part: 0.5 is the plain wait, 0
    /// the shortest and 1 the longest that `jitter` allows. It is passed in,
    /// so that the caller can draw it once and keep it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use workflow_runtime::policy::{Backoff, Retry};
    ///
    /// let second = Duration::from_secs(1);
    /// let retry = Retry {
    ///     attempts: 9,
    ///     backoff: Backoff::Exponential { start: second, factor: 2.0, max: 30 * second },
    ///     jitter: 0.0,
    ///     budget: None,
    /// };
    /// assert_eq!(retry.delay(1, 0.5), second);
    /// assert_eq!(retry.delay(4, 0.5), 8 * second);
    /// assert_eq!(retry.delay(900, 0.5), 30 * second);
    /// ```
    #[must_use]
    pub fn delay(&self, failed: u32, roll: f64) -> Duration {
        let plain = self.backoff.delay(failed);
        let spread = self.jitter.clamp(0.0, 1.0) * (2.0 * roll.clamp(0.0, 1.0) - 1.0);
        let longest = match self.backoff {
            Backoff::Linear { max, .. } | Backoff::Exponential { max, .. } => max,
            Backoff::Fixed(_) | Backoff::List(_) => Duration::MAX,
        };
        scale(plain, 1.0 + spread).min(longest)
    }
}

/// The wait between attempts.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Backoff {
    /// Always the same.
    Fixed(Duration),
    /// Longer by the same amount each time.
    Linear {
        /// The first wait.
        start: Duration,
        /// What each further wait adds.
        step: Duration,
        /// The longest wait.
        max: Duration,
    },
    /// Longer by the same factor each time.
    Exponential {
        /// The first wait.
        start: Duration,
        /// What each further wait is multiplied by.
        factor: f64,
        /// The longest wait.
        max: Duration,
    },
    /// One after the other; the last one repeats.
    List(&'static [Duration]),
}

impl Backoff {
    fn delay(&self, failed: u32) -> Duration {
        let earlier = failed.saturating_sub(1);
        match *self {
            Backoff::Fixed(delay) => delay,
            Backoff::Linear { start, step, max } => {
                start.saturating_add(step.saturating_mul(earlier)).min(max)
            }
            Backoff::Exponential { start, factor, max } => {
                // Beyond i32 the power is infinite for every factor above 1,
                // and `scale` turns that into `max`.
                scale(start, factor.powi(earlier.try_into().unwrap_or(i32::MAX))).min(max)
            }
            Backoff::List(delays) => {
                let index = (earlier as usize).min(delays.len().saturating_sub(1));
                delays.get(index).copied().unwrap_or_default()
            }
        }
    }
}

/// Multiplies without a panic: what does not fit becomes the longest duration.
fn scale(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

/// So many per period, such as `10/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In how long.
    pub per: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry(backoff: Backoff, jitter: f64) -> Retry {
        Retry { attempts: 5, backoff, jitter, budget: None }
    }

    #[test]
    fn waits_follow_each_backoff() {
        let s = Duration::from_secs;
        let waits = |backoff| (1..=4).map(|n| retry(backoff, 0.0).delay(n, 0.5)).collect::<Vec<_>>();
        assert_eq!(waits(Backoff::Fixed(s(2))), [s(2), s(2), s(2), s(2)]);
        assert_eq!(waits(Backoff::Linear { start: s(1), step: s(2), max: s(6) }), [s(1), s(3), s(5), s(6)]);
        assert_eq!(
            waits(Backoff::Exponential { start: s(1), factor: 3.0, max: s(10) }),
            [s(1), s(3), s(9), s(10)]
        );
        assert_eq!(
            waits(Backoff::List(const { &[Duration::from_secs(1), Duration::from_secs(5)] })),
            [s(1), s(5), s(5), s(5)]
        );
    }

    #[test]
    fn jitter_stays_within_its_share_and_below_max() {
        let s = Duration::from_secs;
        let fixed = retry(Backoff::Fixed(s(10)), 0.2);
        assert_eq!([fixed.delay(1, 0.0), fixed.delay(1, 0.5), fixed.delay(1, 1.0)], [s(8), s(10), s(12)]);
        let capped = retry(Backoff::Exponential { start: s(10), factor: 2.0, max: s(10) }, 1.0);
        assert_eq!(capped.delay(1, 1.0), s(10));
    }

    #[test]
    fn the_wait_after_losses_grows_from_nothing_to_five_minutes() {
        let s = Duration::from_secs;
        let waits: Vec<Duration> = (0..=13).map(|losses| Policy::after_losses(losses, 0.5)).collect();
        let expected = [0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300].map(s);
        assert_eq!(waits, expected);
        assert_eq!(Policy::after_losses(3, 0.0), Duration::from_millis(750));
        assert_eq!(Policy::after_losses(3, 1.0), Duration::from_millis(1250));
        assert_eq!(Policy::after_losses(u16::MAX, 1.0), s(300));
    }

    #[test]
    fn extreme_numbers_do_not_overflow() {
        let huge = Backoff::Exponential { start: Duration::MAX, factor: 1e300, max: Duration::MAX };
        assert_eq!(retry(huge, 1.0).delay(u32::MAX, 1.0), Duration::MAX);
        assert_eq!(retry(Backoff::List(&[]), 0.0).delay(3, 0.5), Duration::ZERO);
    }
}
