//! A step in memory costs so many allocations and no more: what gets slower
//! mostly allocates more first, and a number of allocations is the same on
//! every machine. How fast it is, is measured by `benches`.

use workflow_runtime::{Engine, Invocation, NoResources, RunsOn, Workflow, task, workflow};

#[task]
async fn one() -> u64 {
    1
}

#[task]
async fn next(value: u64) -> u64 {
    value + 1
}

#[task]
async fn sum(values: Vec<u64>) -> u64 {
    values.iter().sum()
}

#[task]
async fn ones(count: usize) -> Vec<u64> {
    vec![1; count]
}

workflow! {
    fn items(count: usize) -> Result<u64> {
        let items = ones(count);
        let values = for item in items { next(item) };
        let last = sum(values);
        Ok(last)
    }
}

workflow! {
    fn single() -> Result<u64> {
        let only = one();
        Ok(only)
    }
}

#[allow(clippy::all, reason = "generated, and as plain as that")]
mod generated {
    use super::{next, one, sum};

    include!(concat!(env!("OUT_DIR"), "/shapes.rs"));
}
use generated::{chain, fan_out};

/// Allocations a step, counted in a second run of an engine: what is made once
/// for all runs is there then. On one thread, whose allocations these are.
fn allocations<W>(steps: u64, invoke: impl Fn() -> Invocation<W>) -> f64
where
    W: Workflow<Ok = u64> + RunsOn<NoResources>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let engine = runtime.block_on(Engine::in_memory().start()).unwrap();
    let run = || runtime.block_on(async { engine.start(invoke()).await.unwrap().await.unwrap() });
    let first = run();
    let counted = allocation_counter::measure(|| assert_eq!(run(), first));
    counted.count_total as f64 / steps as f64
}

#[test]
fn a_step_in_memory_costs_few_allocations() {
    // About one and a half times what was counted.
    let shapes = [
        ("a chain of 1,000", allocations(1_000, chain), 3.0),
        ("a fan-out of 1,000", allocations(1_000, fan_out), 3.0),
        ("`for` over 10,000", allocations(10_000, || items(10_000)), 9.0),
        ("a run of a step", allocations(1, single), 21.0),
    ];
    for (shape, counted, most) in shapes {
        println!("{shape}: {counted:.2} allocations a step");
        assert!(counted >= 1.0, "{shape}: {counted:.2} allocations a step; does the counter count?");
        assert!(counted <= most, "{shape}: {counted:.2} allocations a step, more than {most}");
    }
}
