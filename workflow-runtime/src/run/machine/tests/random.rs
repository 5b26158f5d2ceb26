//! All rules at once: random workflows, driven through random fates, in a
//! random order of events.
//!
//! Three judges: a recursive [`reference`] predicts how each run ends, the
//! [`driver`] knows what it may be asked at each moment, and its [`watch`]
//! holds the promises that are about the whole of a run. A run is a function
//! of its seed; `WORKFLOW_SEEDS=100000` tries more of them than by default,
//! `WORKFLOW_SEED=7` only that one.

mod chance;
mod driver;
mod fate;
mod plan;
mod reference;
mod watch;

use chance::Chance;
use driver::Driver;
use fate::Fate;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Runs a check under many seeds and names the one that fails.
fn for_seeds(check: impl Fn(u64)) {
    let seeds = match number("WORKFLOW_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("WORKFLOW_SEEDS").unwrap_or(1500),
    };
    for seed in seeds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(seed))) {
            eprintln!("seed {seed} fails; WORKFLOW_SEED={seed} repeats it alone");
            resume_unwind(panic);
        }
    }
}

#[test]
fn runs_without_races_end_as_the_reference_says() {
    for_seeds(|seed| {
        let mut chance = Chance::new(seed);
        let graph = plan::graph(&mut chance, false);
        let fate = Fate::new(&mut chance, false);
        let expected = reference::predict(graph, &fate);
        let mut driver = Driver::new(graph, fate, chance);
        driver.run();
        let Some(expected) = expected else { return };
        assert_eq!(driver.run_state(), expected.state);
        for (path, state) in &expected.steps {
            assert_eq!(driver.watch.last.get(path), Some(state), "{path}");
        }
    });
}

#[test]
fn runs_with_races_and_cancels_keep_every_promise() {
    for_seeds(|seed| {
        let mut chance = Chance::new(!seed);
        let graph = plan::graph(&mut chance, true);
        let fate = Fate::new(&mut chance, true);
        let mut driver = Driver::new(graph, fate, chance);
        driver.run();
    });
}
