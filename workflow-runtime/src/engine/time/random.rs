//! Random numbers for jitter and run ids. Not for secrets.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use crate::run::Timestamp;

/// SplitMix64: its state is a counter, so that many threads can draw without a
/// lock. The seed comes from the operating system, by way of the hasher that
/// `HashMap` uses.
pub(crate) struct Random(AtomicU64);

impl Random {
    pub(crate) fn seeded() -> Self {
        Self(AtomicU64::new(RandomState::new().hash_one(0_u8)))
    }

    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to, but without, 1.
    pub(crate) fn roll(&self) -> f64 {
        // The upper 53 bits, as many as a float holds exactly.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A UUID of version 7: it begins with the time, so that ids sort by it.
    pub(crate) fn run_id(&self, now: Timestamp) -> String {
        let millis = now.0 / 1_000_000;
        // RFC 9562, method 3: the twelve bits after the version may refine the
        // time. They keep the runs of one millisecond in order.
        let fraction = (now.0 % 1_000_000) * 4096 / 1_000_000;
        let high = millis << 16 | 0x7000 | fraction;
        let low = self.next() >> 2 | 1 << 63;

        let mut text = [0; 36];
        Uuid::from_u64_pair(high, low).hyphenated().encode_lower(&mut text).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolls_spread_over_their_range() {
        let random = Random::seeded();
        let rolls: Vec<f64> = (0..1000).map(|_| random.roll()).collect();
        assert!(rolls.iter().all(|roll| (0.0..1.0).contains(roll)));
        let mean = rolls.iter().sum::<f64>() / 1000.0;
        assert!((0.4..0.6).contains(&mean), "{mean}");
    }

    #[test]
    fn run_ids_are_uuids_that_sort_by_time() {
        let random = Random::seeded();
        let times = [1_767_225_600_000_000_000, 1_767_225_600_000_300_000, 1_767_225_600_001_000_000];
        let ids = times.map(|nanos| random.run_id(Timestamp(nanos)));
        assert!(ids.is_sorted(), "{ids:?}");
        for id in &ids {
            assert_eq!(id.len(), 36);
            assert_eq!(&id[14..15], "7");
            assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"), "{id}");
        }
        assert_ne!(random.run_id(Timestamp(0)), random.run_id(Timestamp(0)));
    }
}
