//! What happens to each step, whenever it happens: attempts, answers, values.
//! A function of the step's path, so that the driver and the reference, which
//! meet the steps in different orders, see the same.

use std::time::Duration;

use super::chance::{Chance, mix};
use super::plan::TURNS;
use crate::failure::{Cause, Failure};
use crate::run::AttemptEnd;
use crate::run::machine::tests::harness::failure;
use crate::task::Retryability;

pub struct Fate {
    seed: u64,
    /// An attempt fails once in so many times.
    failures: u64,
    /// An expression panics once in so many times.
    panics: u64,
    /// Whether attempts of `at_most_once` tasks may be lost, and signals with
    /// a time limit come.
    pub races: bool,
    /// After how many events the run is cancelled.
    pub cancel_after: Option<u64>,
}

impl Fate {
    pub fn new(chance: &mut Chance, races: bool) -> Self {
        Self {
            seed: chance.next(),
            failures: [2, 5, 20, 1 << 40][chance.below(4) as usize],
            panics: [30, 200, 1 << 40][chance.below(3) as usize],
            races,
            cancel_after: (races && chance.once_in(3)).then(|| chance.below(60)),
        }
    }

    fn draw(&self, path: &str, number: u64, what: u64) -> u64 {
        let start = mix(self.seed ^ mix(number ^ mix(what)));
        path.bytes().fold(start, |hash, byte| mix(hash ^ u64::from(byte))) >> 8
    }

    /// The end of the `number`th attempt that is started, lost ones included.
    pub fn attempt(&self, path: &str, number: u64) -> AttemptEnd {
        let draw = self.draw(path, number, 1);
        if !draw.is_multiple_of(self.failures) {
            return AttemptEnd::Ok;
        }
        match (draw >> 20) % 8 {
            0 => AttemptEnd::Failed(failure("fatal"), Retryability::Fatal),
            1 => AttemptEnd::Failed(failure("busy"), Retryability::RetryAfter(Duration::from_millis(300))),
            2 | 3 => AttemptEnd::Lost,
            4 => AttemptEnd::Interrupted,
            5 => AttemptEnd::NotBegun,
            _ => AttemptEnd::Failed(failure("no luck"), Retryability::Retry),
        }
    }

    /// Whether an expression of the step panics.
    pub fn panics(&self, path: &str, number: u64) -> Option<Failure> {
        let panics = self.draw(path, number, 2).is_multiple_of(self.panics);
        panics.then(|| Failure::new(Cause::Panic, "a panic"))
    }

    /// Whether the value of a region panics, by the path of the region.
    pub fn yield_panics(&self, path: &str) -> Option<Failure> {
        let panics = self.draw(path, 0, 3).is_multiple_of(self.panics);
        panics.then(|| Failure::new(Cause::Panic, "no value"))
    }

    pub fn items(&self, path: &str) -> usize {
        (self.draw(path, 0, 4) % 4) as usize
    }

    pub fn arm(&self, path: &str) -> usize {
        (self.draw(path, 0, 5) % 3) as usize
    }

    /// Whether there is one more turn: sometimes more often than allowed.
    pub fn turn(&self, path: &str, turn: u32) -> bool {
        u64::from(turn) < self.draw(path, 0, 6) % u64::from(TURNS + 2)
    }
}
