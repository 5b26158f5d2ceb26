//! What steps do.

pub use crate::plan::Work;

impl Work {
    pub fn of(self, sum: u64) -> u64 {
        match self {
            Work::Add => sum.wrapping_add(1),
            Work::Collatz if sum.is_multiple_of(2) => sum / 2,
            Work::Collatz => 3 * sum + 1,
            Work::Compute => compute(sum),
        }
    }
}

/// Keeps a core busy for some twenty microseconds.
pub fn compute(start: u64) -> u64 {
    let mut value = start | 1;
    for _ in 0..10_000 {
        value ^= value << 13;
        value ^= value >> 7;
        value ^= value << 17;
    }
    value
}
