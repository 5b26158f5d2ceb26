//! Measuring: rounds in which everybody has a turn, so that what else the
//! machine does hits all of them.

use std::time::{Duration, Instant};

use crate::contestant::Once;
use crate::shape::Shape;

/// How long a turn should take.
const TURN: Duration = Duration::from_millis(40);

/// One who is measured, with the turns that were taken.
pub struct Runner {
    once: Once,
    shape: Shape,
    repeat: u32,
    /// Nanoseconds a step, by round.
    pub turns: Vec<f64>,
}

impl Runner {
    /// Has it run until it is warm, looks whether what it gives is right, and
    /// finds how often it has to run for a turn.
    pub async fn new(once: Once, shape: Shape, name: &str) -> Self {
        let value = once().await;
        assert_eq!(value, shape.value(), "{name} computes something else for: {}", shape.name());
        let mut runner = Self { once, shape, repeat: 1, turns: Vec::new() };
        let began = Instant::now();
        let mut turns = 0;
        while began.elapsed() < TURN {
            runner.run().await;
            turns += 1;
        }
        runner.repeat = turns;
        runner
    }

    pub async fn turn(&mut self) {
        let began = Instant::now();
        for _ in 0..self.repeat {
            self.run().await;
        }
        let steps = self.shape.steps() * self.shape.runs().0 * self.repeat as usize;
        self.turns.push(began.elapsed().as_nanos() as f64 / steps as f64);
    }

    async fn run(&self) {
        let (runs, at_a_time) = self.shape.runs();
        if runs == 1 {
            (self.once)().await;
        } else {
            many(&self.once, runs, at_a_time).await;
        }
    }
}

/// Makes so many runs, so many of them at a time.
pub async fn many(once: &Once, runs: usize, at_a_time: usize) {
    let lanes = (0..at_a_time).map(|lane| {
        let once = once.clone();
        tokio::spawn(async move {
            for _ in (lane..runs).step_by(at_a_time) {
                once().await;
            }
        })
    });
    for lane in lanes.collect::<Vec<_>>() {
        lane.await.expect("no run panics");
    }
}

pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// The median of what one took over what the reference took in the same round.
pub fn ratio(turns: &[f64], reference: &[f64]) -> f64 {
    let ratios: Vec<f64> = turns.iter().zip(reference).map(|(turn, reference)| turn / reference).collect();
    median(&ratios)
}
