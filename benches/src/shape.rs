//! The shapes that are measured in memory.

use std::sync::LazyLock;

use crate::plan::{Plan, Work};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Chain,
    FanOut,
    Layered,
    Diamond,
    Items,
    Nested,
    Runs,
    Compute,
}

pub const ITEMS: u64 = 100_000;
pub const OUTER: u64 = 100;
pub const TURNS: u64 = 10;
/// Of the shape `Runs`: how many runs, and how many of them at a time.
pub const RUNS: usize = 1_000;
pub const AT_A_TIME: usize = 64;

impl Shape {
    pub const ALL: [Shape; 8] = [
        Shape::Chain,
        Shape::FanOut,
        Shape::Layered,
        Shape::Diamond,
        Shape::Items,
        Shape::Nested,
        Shape::Runs,
        Shape::Compute,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Shape::Chain => "chain of 1,000",
            Shape::FanOut => "fan-out of 1,000",
            Shape::Layered => "layered 10 x 100",
            Shape::Diamond => "diamond of 4",
            Shape::Items => "for over 100,000",
            Shape::Nested => "if in while in for",
            Shape::Runs => "1,000 runs of 10",
            Shape::Compute => "computing 10 x 100",
        }
    }

    /// The graph of one run. Where ours has regions, these are unrolled.
    pub fn plan(self) -> &'static Plan {
        static PLANS: LazyLock<Vec<Plan>> = LazyLock::new(|| Shape::ALL.map(Shape::draw).into());
        &PLANS[self as usize]
    }

    fn draw(self) -> Plan {
        match self {
            Shape::Chain => Plan::chain(1_000),
            Shape::FanOut => Plan::fan_out(1_000),
            Shape::Layered => Plan::layered(10, 100, Work::Add),
            Shape::Diamond => Plan::fan_out(2),
            Shape::Items => Plan::fan_out(ITEMS as usize),
            Shape::Nested => Plan::loops(OUTER as usize, TURNS as usize),
            Shape::Runs => Plan::chain(10),
            Shape::Compute => Plan::layered(10, 100, Work::Compute),
        }
    }

    /// The graph, for those who have to know all of it before it runs: nothing
    /// where items or turns are counted while it does.
    pub fn known(self) -> Option<&'static Plan> {
        (!matches!(self, Shape::Items | Shape::Nested)).then(|| self.plan())
    }

    /// How many runs are one measurement, and how many of them at a time.
    pub fn runs(self) -> (usize, usize) {
        if self == Shape::Runs { (RUNS, AT_A_TIME) } else { (1, 1) }
    }

    /// How many steps a run has that do something.
    pub fn steps(self) -> usize {
        self.plan().needs.len()
    }

    /// What a run results in.
    pub fn value(self) -> u64 {
        let plan = self.plan();
        let mut values: Vec<u64> = Vec::new();
        for (step, needs) in plan.needs.iter().enumerate() {
            let sum = needs.iter().fold(0, |sum: u64, need| sum.wrapping_add(values[*need]));
            values.push(plan.work(step).of(sum));
        }
        values[values.len() - 1]
    }
}
