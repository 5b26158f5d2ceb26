//! The budget of retries: after a failure no attempt is made once it is over,
//! whatever the next one has waited for; an attempt that was lost is made once
//! more.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::tasks::{Oops, oops};
use workflow_runtime::doctor;
use workflow_runtime::run::{RunState, StepState};
use workflow_runtime::store::{Memory, Store};
use workflow_runtime::testing::block_on;
use workflow_runtime::{By, Context, Engine, Error, Operation, Resources, task, workflow};

const SECOND: Duration = Duration::from_secs(1);

/// The attempts that have begun: each with its step and its number.
#[derive(Default)]
struct World(Mutex<Vec<String>>);

impl World {
    fn note(&self, what: &str, cx: &Context) {
        self.0.lock().unwrap().push(format!("{what} {}", cx.attempt()));
    }

    fn begun(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[derive(Resources)]
struct App {
    world: Arc<World>,
}

/// The only place at the desk is taken for ten seconds, or an attempt fails at
/// once.
#[task(concurrency = 1, retry(attempts = 9, backoff = fixed("1s"), budget = "3s"))]
async fn ask(takes: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> Result<u64, Oops> {
    world.note(if takes > 0 { "long" } else { "short" }, cx);
    tokio::time::sleep(SECOND * u32::try_from(takes).unwrap()).await;
    if takes > 0 { Ok(takes) } else { Err(oops("nobody is there")) }
}

workflow! {
    fn asks(takes: u64) -> Result<u64> {
        let asked = ask(takes)?;
        Ok(asked)
    }
}

#[task(undo = refund)]
async fn charge(amount: u64) -> u64 {
    amount
}

/// Longer than the grace of an engine that shuts down.
#[task(retry(attempts = 9, backoff = fixed("1m"), budget = "90s"))]
async fn refund(_charged: &u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> Result<(), Oops> {
    world.note("refund", cx);
    Err(oops("the bank is closed"))
}

#[task]
async fn ship(charged: u64) -> Result<u64, Oops> {
    Err(oops(format!("{charged} is too heavy")))
}

workflow! {
    fn sells(amount: u64) -> Result<u64> {
        let charged = charge(amount);
        let shipped = ship(charged)?;
        Ok(shipped)
    }
}

#[task(at_most_once, reconcile = look)]
async fn wire(amount: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> u64 {
    world.note("wire", cx);
    std::future::pending::<()>().await;
    amount
}

#[task(retry(attempts = 9, backoff = fixed("1m"), budget = "90s"))]
async fn look(
    _amount: u64,
    #[context] cx: &Context,
    #[resource] world: &Arc<World>,
) -> Result<Option<u64>, Oops> {
    world.note("look", cx);
    Err(oops("the bank is closed"))
}

workflow! {
    fn wires(amount: u64) -> Result<u64> {
        let wired = wire(amount);
        Ok(wired)
    }
}

/// Is lost once; a failure follows, and then nothing.
#[task(retry(attempts = 9, backoff = fixed("2s"), budget = "3s"))]
async fn slow(#[context] cx: &Context, #[resource] world: &Arc<World>) -> Result<u64, Oops> {
    world.note("slow", cx);
    if world.begun().len() == 1 {
        std::future::pending::<()>().await;
    }
    Err(oops("not yet"))
}

workflow! {
    fn waits() -> Result<u64> {
        let waited = slow()?;
        Ok(waited)
    }
}

async fn engine(store: &Memory, world: &Arc<World>) -> Engine<App> {
    let builder = Engine::with_store(Arc::new(store.clone())).resources(App { world: world.clone() });
    let builder = builder.register::<asks>().register::<sells>().register::<wires>().register::<waits>();
    builder.start().await.unwrap()
}

/// How the run ends, in time.
async fn end(store: &Memory, id: &str) -> RunState {
    for _ in 0..1200 {
        if let Some(end) = &store.find(id).unwrap()[0].end {
            return end.state;
        }
        tokio::time::sleep(SECOND / 10).await;
    }
    panic!("it goes on: {:?}", store.find(id).unwrap()[0].state);
}

fn is_well(store: &Memory) {
    let report = doctor::examine(store, &[asks::GRAPH, sells::GRAPH, wires::GRAPH, waits::GRAPH]).unwrap();
    assert!(report.is_healthy(), "{report}");
}

#[test]
fn no_attempt_is_made_where_room_comes_after_the_budget() {
    let (store, world) = (Memory::new(), Arc::new(World::default()));
    block_on(async {
        let engine = engine(&store, &world).await;
        let short = engine.start(asks(0)).await.unwrap();
        tokio::time::sleep(SECOND / 2).await;
        let long = engine.start(asks(10)).await.unwrap();
        let Err(Error::Failed { error, .. }) = short.await else { panic!("it has failed") };
        assert_eq!(error.attempts(), 1);
        assert_eq!(long.await.unwrap(), 10);
        // The place is free again.
        assert_eq!(engine.start(asks(1)).await.unwrap().await.unwrap(), 1);
    });
    assert_eq!(world.begun(), ["short 1", "long 1", "long 1"]);
    is_well(&store);
}

#[test]
fn nor_in_the_next_process() {
    let (store, world) = (Memory::new(), Arc::new(World::default()));
    block_on(async {
        let first = engine(&store, &world).await;
        let short = first.start(asks(0)).await.unwrap().id().to_owned();
        tokio::time::sleep(SECOND / 2).await;
        let long = first.start(asks(100)).await.unwrap().id().to_owned();
        tokio::time::sleep(SECOND).await;
        // The one that has the place is interrupted after its grace.
        first.shutdown().await;
        let _second = engine(&store, &world).await;
        assert_eq!(end(&store, &short).await, RunState::Failed);
        tokio::time::sleep(100 * SECOND).await;
        assert_eq!(end(&store, &long).await, RunState::Succeeded);
    });
    assert_eq!(world.begun(), ["short 1", "long 1", "long 1"]);
    is_well(&store);
}

#[test]
fn nor_where_the_run_was_paused_meanwhile() {
    let (store, world) = (Memory::new(), Arc::new(World::default()));
    let by = || By { actor: "ann".to_owned(), reason: None };
    block_on(async {
        let engine = engine(&store, &world).await;
        let run = engine.start(asks(0)).await.unwrap();
        let id = run.id().to_owned();
        tokio::time::sleep(SECOND / 2).await;
        engine.operate(Some(&id), Operation::Pause, by()).await.unwrap();
        tokio::time::sleep(60 * SECOND).await;
        engine.operate(Some(&id), Operation::Resume, by()).await.unwrap();
        assert_eq!(end(&store, &id).await, RunState::Failed);
    });
    assert_eq!(world.begun(), ["short 1"]);
    is_well(&store);
}

/// Down for so long after the first attempt, how many are made in all?
fn attempts_of_an_undo(down: u32) -> usize {
    let (store, world) = (Memory::new(), Arc::new(World::default()));
    block_on(async {
        let first = engine(&store, &world).await;
        let id = first.start(sells(1)).await.unwrap().id().to_owned();
        tokio::time::sleep(SECOND / 2).await;
        first.shutdown().await;
        tokio::time::sleep(SECOND * down).await;
        let _second = engine(&store, &world).await;
        assert_eq!(end(&store, &id).await, RunState::Failed);
    });
    is_well(&store);
    world.begun().len()
}

#[test]
fn the_budget_of_an_undo_is_over_for_the_next_process_too() {
    assert_eq!(attempts_of_an_undo(0), 2, "at once and after a minute");
    assert_eq!(attempts_of_an_undo(120), 1);
}

fn attempts_of_a_reconciliation(down: u32) -> usize {
    let (store, world) = (Memory::new(), Arc::new(World::default()));
    let id = block_on(async {
        let engine = engine(&store, &world).await;
        let id = engine.start(wires(1)).await.unwrap().id().to_owned();
        tokio::time::sleep(SECOND / 2).await;
        id
    });
    block_on(async {
        let first = engine(&store, &world).await;
        tokio::time::sleep(SECOND / 2).await;
        first.shutdown().await;
        tokio::time::sleep(SECOND * down).await;
        let second = engine(&store, &world).await;
        tokio::time::sleep(SECOND * 200).await;
        let run = second.run(&id).await.unwrap();
        assert_eq!(run.snapshot().steps[0].state, StepState::OutcomeUnknown, "an operator decides");
    });
    is_well(&store);
    world.begun().len() - 1
}

#[test]
fn the_budget_of_a_reconciliation_is_over_for_the_next_process_too() {
    assert_eq!(attempts_of_a_reconciliation(0), 2, "at once and after a minute");
    assert_eq!(attempts_of_a_reconciliation(120), 1);
}

#[test]
fn a_lost_attempt_is_made_once_more_after_the_budget() {
    let (store, world) = (Memory::new(), Arc::new(World::default()));
    block_on(async {
        let first = engine(&store, &world).await;
        let id = first.start(waits()).await.unwrap().id().to_owned();
        tokio::time::sleep(SECOND * 60).await;
        first.shutdown().await;
        let _second = engine(&store, &world).await;
        assert_eq!(end(&store, &id).await, RunState::Failed);
    });
    // The second one failed by itself, and there was no time left.
    assert_eq!(world.begun(), ["slow 1", "slow 1"]);
    is_well(&store);
}
