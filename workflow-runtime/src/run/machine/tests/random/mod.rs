//! All rules at once: random workflows, driven through random fates, in a
//! random order of events.
//!
//! Four judges: a recursive [`reference`] predicts how each run ends, the
//! [`driver`] knows what it may be asked at each moment, its [`watch`] holds
//! the promises that are about the whole of a run, and what is [`written`] of
//! the run has to tell the same story. A run is a function
//! of its seed; `WORKFLOW_SEEDS=100000` tries more of them than by default,
//! `WORKFLOW_SEED=7` only that one.

mod chance;
mod driver;
mod fate;
mod meddle;
mod memory;
mod plan;
mod reference;
mod watch;
mod written;

use crate::run::StepState;
use chance::Chance;
use driver::Driver;
use fate::Fate;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::blueprint::Blueprint;

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

/// What a run is driven by, apart from its driver's own rules.
type Drive = fn(&mut Driver);

/// Random runs that do not depend on the order of events, driven somehow.
fn end_as_the_reference_says(drive: Drive) {
    for_seeds(|seed| {
        let mut chance = Chance::new(seed);
        let graph = plan::graph(&mut chance, false);
        let fate = Fate::new(&mut chance, false);
        let expected = reference::predict(graph, &fate);
        let mut driver = Driver::new(graph, fate, chance);
        drive(&mut driver);
        let Some(expected) = expected else { return };
        assert_eq!(driver.run_state(), expected.state);
        for (path, state) in &expected.steps {
            let last = driver.watch.last.get(path).map(|state| match state {
                // Whose work it was does not matter to the run.
                StepState::Succeeded { .. } => StepState::Succeeded { cached: false },
                other => *other,
            });
            assert_eq!(last, Some(*state), "{path}");
        }
    });
}

/// Random runs where the order of events decides, driven somehow.
fn keep_every_promise(drive: Drive) {
    for_seeds(|seed| {
        let mut chance = Chance::new(!seed);
        let graph = plan::graph(&mut chance, true);
        let fate = Fate::new(&mut chance, true);
        drive(&mut Driver::new(graph, fate, chance));
    });
}

/// The process dies up to three times, and the run is taken up again.
fn with_several_lives(driver: &mut Driver) {
    for _ in 0..=driver.chance.below(3) {
        let events = driver.chance.below(80);
        driver.run_for(events);
        driver.take_up();
    }
    driver.run();
}

#[test]
fn runs_without_races_end_as_the_reference_says() {
    end_as_the_reference_says(Driver::run);
}

#[test]
fn runs_with_races_and_cancels_keep_every_promise() {
    keep_every_promise(Driver::run);
}

#[test]
fn runs_that_are_taken_up_again_end_as_the_reference_says() {
    end_as_the_reference_says(with_several_lives);
}

#[test]
fn runs_with_races_that_are_taken_up_again_keep_every_promise() {
    keep_every_promise(with_several_lives);
}

#[test]
fn pauses_change_nothing_of_the_end() {
    end_as_the_reference_says(|driver| {
        driver.meddlers.pauses = true;
        driver.run();
    });
    end_as_the_reference_says(|driver| {
        driver.meddlers.pauses = true;
        with_several_lives(driver);
    });
}

#[test]
fn runs_that_people_meddle_with_keep_every_promise() {
    keep_every_promise(|driver| {
        driver.meddlers = meddle::Meddlers { pauses: true, settles: true };
        with_several_lives(driver);
    });
}

/// A store keeps graphs as blueprints; an old journal is followed on a graph
/// made of one.
#[test]
fn a_graph_made_from_a_blueprint_runs_like_its_original() {
    for_seeds(|seed| {
        let drive = |remade: bool| {
            let mut chance = Chance::new(seed);
            let graph = plan::graph(&mut chance, true);
            let blueprint = Blueprint::of(graph);
            let again = Blueprint::parse(&blueprint.to_json()).unwrap();
            assert_eq!(Blueprint::of(again.graph()), blueprint);
            let fate = Fate::new(&mut chance, true);
            let mut driver = Driver::new(if remade { again.graph() } else { graph }, fate, chance);
            driver.run();
            (driver.run_state(), driver.watch.last)
        };
        assert_eq!(drive(true), drive(false));
    });
}
