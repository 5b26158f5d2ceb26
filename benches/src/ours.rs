//! The engine, in memory and with a file.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;

use workflow_runtime::{Engine, Invocation, NoResources, RunsOn, Workflow, task, workflow};

use crate::contestant::{Boxed, Contestant, Once, once};
use crate::durable::{Keeper, Load, Written, timed};
use crate::shape::{ITEMS, OUTER, Shape};
use crate::work::Work;

pub const OURS: Contestant = Contestant { name: "ours", prepare };

pub const DURABLE: Keeper = Keeper {
    name: "ours",
    durability: "SQLite WAL, FULL",
    fewer: 1,
    turn: |load, folder| Box::pin(kept(load, folder)),
};

#[task]
async fn source() -> u64 {
    1
}

#[task]
async fn add_one(value: u64) -> u64 {
    Work::Add.of(value)
}

#[task]
async fn add_two(left: u64, right: u64) -> u64 {
    Work::Add.of(left.wrapping_add(right))
}

#[task]
async fn compute_one(value: u64) -> u64 {
    Work::Compute.of(value)
}

#[task]
async fn compute_two(left: u64, right: u64) -> u64 {
    Work::Compute.of(left.wrapping_add(right))
}

#[task]
async fn join(values: Vec<u64>) -> u64 {
    Work::Add.of(values.iter().fold(0, |sum, value| sum.wrapping_add(*value)))
}

#[task]
async fn ones(count: u64) -> Vec<u64> {
    vec![1; count as usize]
}

#[task]
async fn halve(value: u64) -> u64 {
    value / 2
}

#[task]
async fn triple(value: u64) -> u64 {
    3 * value + 1
}

workflow! {
    pub fn items(count: u64) -> Result<u64> {
        let items = ones(count);
        let values = for item in items { add_one(item) };
        let end = join(values);
        Ok(end)
    }
}

workflow! {
    pub fn nested(count: u64) -> Result<u64> {
        let items = ones(count);
        let values = for item in items {
            let mut value = item;
            let mut turn: u64 = 0;
            #[limit(10)]
            while turn < 10 {
                value = if value % 2 == 0 { halve(value) } else { triple(value) };
                turn = turn + 1;
            }
            value
        };
        let end = join(values);
        Ok(end)
    }
}

#[allow(clippy::all, reason = "generated, and as plain as that")]
mod generated {
    use super::{add_one, add_two, compute_one, compute_two, join, source};

    include!(concat!(env!("OUT_DIR"), "/workflows.rs"));
}
use generated::{chain, compute, diamond, fan_out, layered, ten};

fn prepare(shape: Shape) -> Boxed<Option<Once>> {
    Box::pin(async move {
        let engine = Engine::in_memory().start().await.expect("an engine in memory starts");
        Some(match shape {
            Shape::Chain => runs(engine, chain),
            Shape::FanOut => runs(engine, fan_out),
            Shape::Layered => runs(engine, layered),
            Shape::Diamond => runs(engine, diamond),
            Shape::Items => runs(engine, || items(ITEMS)),
            Shape::Nested => runs(engine, || nested(OUTER)),
            Shape::Runs => runs(engine, ten),
            Shape::Compute => runs(engine, compute),
        })
    })
}

/// Runs a workflow on an engine.
fn runs<W: Workflow<Ok = u64> + RunsOn<NoResources>>(engine: Engine, invoke: fn() -> Invocation<W>) -> Once {
    once(move || {
        let engine = engine.clone();
        async move {
            let run = engine.start(invoke()).await.expect("the engine is not shut down");
            run.await.expect("no step fails")
        }
    })
}

/// Makes the runs of a load with a file in the folder.
pub async fn kept(load: Load, folder: PathBuf) -> Duration {
    let engine = Engine::open(folder.join("runs.db")).start().await.expect("a new file can be made");
    let once = if load.runs == 1 { runs(engine.clone(), chain) } else { runs(engine.clone(), ten) };
    let took = timed(once, load).await;
    engine.shutdown().await;
    took
}

/// What the file has of the runs of a load: of each, a row and its journal.
pub async fn written(load: Load, folder: PathBuf) -> Written {
    kept(load, folder.clone()).await;
    let file = Connection::open(folder.join("runs.db")).expect("the engine has made it");
    let count = "SELECT count(*), sum(bytes) FROM (
        SELECT length(event) + ifnull(length(value), 0) + ifnull(length(value_type), 0)
            + ifnull(length(changes), 0) AS bytes FROM journal
        UNION ALL SELECT length(id) + length(workflow) + length(params) + length(result) FROM runs)";
    let count = file.query_row(count, [], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, u32>(1)?)));
    let (records, bytes) = count.expect("the file can be read");
    Written { records: records as usize / load.runs, bytes: (bytes / records) as usize }
}
