//! Runs in memory: nanoseconds and allocations a step, by shape.

use std::collections::HashMap;

use crate::contestant::Contestant;
use crate::measure::{Runner, median, ratio};
use crate::shape::Shape;
use crate::table::{Table, number};
use crate::{floor, ours};

/// What everybody is held against.
pub const REFERENCE: &str = floor::TRACKED.name;

pub fn contestants() -> Vec<Contestant> {
    #[cfg_attr(not(feature = "peers"), allow(unused_mut, reason = "the peers are added"))]
    let mut contestants = vec![floor::COUNTERS, floor::TRACKED, ours::OURS];
    #[cfg(feature = "peers")]
    contestants.extend([
        crate::async_dag::ASYNC_DAG,
        crate::cano::CANO,
        crate::dag_flow::DAG_FLOW,
        crate::dagrs::DAGRS,
        crate::dagx::DAGX,
        crate::sayiir::SAYIIR,
    ]);
    contestants
}

/// How many allocations a step has, by shape and contestant.
pub type Allocations = HashMap<(String, String), f64>;

/// Measures the shapes and gives their tables.
pub async fn tables(shapes: &[Shape], rounds: usize, allocations: &Allocations) -> String {
    let contestants = contestants();
    let mut cells: HashMap<(usize, &str), String> = HashMap::new();
    for (place, shape) in shapes.iter().enumerate() {
        eprintln!("in memory: {}", shape.name());
        for (name, nanoseconds, ratio) in measured(*shape, &contestants, rounds).await {
            cells.insert((place, name), format!("{} ({ratio:.2})", number(nanoseconds)));
        }
    }
    let table = |cell: &dyn Fn(usize, Shape, &'static str) -> Option<String>| {
        let mut table = Table::new([""].into_iter().chain(shapes.iter().map(|shape| shape.name())));
        for Contestant { name, .. } in &contestants {
            let cells = shapes.iter().enumerate().map(|(place, shape)| cell(place, *shape, name));
            let row = cells.map(|cell| cell.unwrap_or_else(|| "-".to_owned()));
            table.row([(*name).to_owned()].into_iter().chain(row));
        }
        table
    };
    let times = table(&|place, _, name| cells.get(&(place, name)).cloned());
    let counts = table(&|_, shape, name| {
        let count = allocations.get(&(shape.name().to_owned(), name.to_owned()))?;
        Some(format!("{count:.2}"))
    });
    format!(
        "### In memory: nanoseconds a step\n\n\
         In brackets: times the reference, `{REFERENCE}`.\n\n{times}\n\
         ### In memory: allocations a step\n\n{counts}"
    )
}

/// For each contestant that can express the shape: nanoseconds a step, and
/// times the reference.
async fn measured(shape: Shape, contestants: &[Contestant], rounds: usize) -> Vec<(&'static str, f64, f64)> {
    let mut runners = Vec::new();
    for Contestant { name, prepare } in contestants {
        if let Some(once) = prepare(shape).await {
            runners.push((*name, Runner::new(once, shape, name).await));
        }
    }
    for _ in 0..rounds {
        for (_, runner) in &mut runners {
            runner.turn().await;
        }
    }
    let reference = runners.iter().find(|(name, _)| *name == REFERENCE);
    let reference = reference.expect("it runs every shape").1.turns.clone();
    let result = |(name, runner): &(&'static str, Runner)| {
        (*name, median(&runner.turns), ratio(&runner.turns, &reference))
    };
    runners.iter().map(result).collect()
}
