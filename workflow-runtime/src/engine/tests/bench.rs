//! How much a step costs. Not a test of anything but itself: run it by name,
//! in release, and compare ratios: `cargo test --release -- --ignored bench`.

use std::time::Instant;

use super::support::*;
use crate::engine::Run;
use crate::task::definition::{Graph, Kind, Numbers, Region, Step, TaskStep, Yield};
use crate::value::Value;
use crate::{Engine, Result};

fn leak<T>(values: Vec<T>) -> &'static [T] {
    values.leak()
}

fn graph(steps: Vec<Step>, result: u16) -> &'static Graph {
    let region = Region {
        label: "",
        captures: &[],
        slots: steps.len() as u16 + 1,
        steps: leak(steps),
        result: Yield::Slot(result),
        carried: &[],
        onces: &[],
    };
    Box::leak(Box::new(Graph {
        name: "bench",
        docs: "",
        file: "",
        line: 0,
        params: &[],
        regions: leak(vec![region]),
        output: CODEC,
        schedule: None,
        fingerprint: 0,
    }))
}

fn add(reads: Vec<u16>) -> Kind {
    Kind::Task(TaskStep {
        task: &PLAIN,
        policy: &PLAIN.policy,
        reads: Numbers::of(leak(reads)),
        moves: Numbers::NONE,
        start: |env, _| {
            let value = *env.lend::<u64>(0);
            Box::pin(async move { ok(value + 1) })
        },
        arm: 0,
        keeps: false,
    })
}

/// Layers of equal width, each step after one of the layer before, and the
/// last step after all of the last layer.
fn layered(layers: u16, width: u16) -> &'static Graph {
    let mut steps = Vec::new();
    let last = layers * width;
    for layer in 0..layers {
        for place in 0..width {
            let n = layer * width + place;
            let needs = if layer == 0 { vec![] } else { vec![n - width] };
            let dependents = if layer + 1 == layers { vec![last] } else { vec![n + width] };
            let reads = needs.first().copied().unwrap_or(last + 1);
            let kind = if layer == 0 {
                use_of(&PLAIN, &[], |_, _| Box::pin(async { ok(1) }))
            } else {
                add(vec![reads])
            };
            steps.push(step("s", leak(needs), leak(dependents), n, kind));
        }
    }
    let needs: Vec<u16> = (last - width..last).collect();
    steps.push(step("end", leak(needs), &[], last, add(vec![last - 1])));
    graph(steps, last)
}

async fn run(engine: &Engine, graph: &'static Graph) -> Result<Run<u64>> {
    engine.registry().start(engine.core().clone(), graph, None, Vec::<Value>::new()).map(Run::new)
}

#[test]
#[ignore = "a benchmark"]
fn bench() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(async {
        tokio::spawn(async {
            let engine = engine().await;
            for (name, graph, rounds) in [
                ("chain 1,000", layered(1000, 1), 3_000),
                ("fan-out 1,000", layered(1, 1000), 300),
                ("layered 10 x 100", layered(10, 100), 300),
                ("layered 2 x 2", layered(2, 2), 20_000),
            ] {
                // One shape alone, for a profiler.
                if std::env::var("SHAPE").is_ok_and(|shape| !name.starts_with(&shape)) {
                    continue;
                }
                let steps = graph.regions[0].steps.len() as u128;
                let mut best = u128::MAX;
                let mut all = Vec::new();
                for _ in 0..10 {
                    let begun = Instant::now();
                    for _ in 0..rounds / 10 {
                        run(&engine, graph).await.unwrap().await.unwrap();
                    }
                    let one = begun.elapsed().as_nanos() / (rounds as u128 / 10 * steps);
                    best = best.min(one);
                    all.push(one);
                }
                all.sort_unstable();
                println!("{name}: {best} ns a step, median {}", all[5]);
            }
        })
        .await
        .unwrap();
    });
}
