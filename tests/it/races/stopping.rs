//! Engines that stop while somebody wants something of their runs.

use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use workflow_runtime::run::RunState;
use workflow_runtime::testing::block_on;
use workflow_runtime::{Engine, Error, Operation};

use super::kit::{self, *};
use crate::failing_store::FailingStore;

fn all() -> Vec<Operation> {
    vec![
        RETRY,
        Operation::Rerun,
        Operation::Fork { from: "waits/m".to_owned() },
        set("waits/m", json!(1)),
        Operation::Pause,
        Operation::Resume,
        Operation::Cancel,
        number(3),
        Operation::Adopt,
        Operation::Start {
            workflow: "waits".to_owned(),
            params: [("n".to_owned(), json!(1))].into(),
            key: None,
        },
    ]
}

/// Whatever is asked of an engine that has shut down, it says so.
#[test]
fn after_the_shutdown_everything_says_so() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    block_on(async {
        let engine = kit::engine(&store, &world).await;
        says_so(&engine).await;
    });
    let store = store.reopen();
    healthy(&store);
    assert_eq!(rows(&store).len(), 2);
    let world = Arc::new(World::default());
    block_on(async {
        let engine = kit::in_memory(&world).await;
        says_so(&engine).await;
    });
}

async fn says_so(engine: &Engine<App>) {
    let ended = engine.start(waits(1)).key("ended").await.unwrap();
    ended.cancel().await.unwrap();
    ended.wait().await;
    let held = engine.start(waits(1)).key("held").await.unwrap();
    settle().await;
    engine.shutdown().await;
    let awaited = tokio::time::timeout(Duration::from_secs(60), held.clone()).await.unwrap();
    assert!(matches!(awaited, Err(Error::ShutDown)), "{awaited:?}");
    assert!(matches!(held.cancel().await, Err(Error::ShutDown)));
    assert!(matches!(held.signal(waits::number, 1).await, Err(Error::ShutDown)));
    assert!(matches!(engine.start(waits(2)).await, Err(Error::ShutDown)));
    for run in [&ended, &held] {
        let found = engine.run(run.id()).await.map(|run| run.state());
        assert!(matches!(found, Err(Error::ShutDown)), "{found:?}");
        for operation in all() {
            let done = engine.operate(Some(run.id()), operation.clone(), by("ann")).await;
            assert!(matches!(done, Err(Error::ShutDown)), "{operation:?}: {done:?}");
        }
    }
    engine.shutdown().await;
}

/// What an engine accepts while it shuts down is done, by it or by the next.
#[test]
fn what_is_accepted_during_a_shutdown_is_not_lost() {
    for operation in all() {
        for moment in 0..8 {
            let (store, world) = (FailingStore::new(), Arc::new(World::default()));
            let (before, done) = block_on(async {
                let engine =
                    kit::builder(&store, &world).grace(Duration::from_millis(5)).start().await.unwrap();
                let run = engine.start(waits(1)).await.unwrap();
                // Has the shutdown take its time.
                let busy = engine.start(runs(1)).await.unwrap();
                settle().await;
                let shutting = tokio::spawn({
                    let engine = engine.clone();
                    async move { engine.shutdown().await }
                });
                if moment < 4 {
                    turns(moment).await;
                } else {
                    tokio::time::sleep(Duration::from_millis(moment - 3)).await;
                }
                let done = engine.operate(Some(run.id()), operation.clone(), by("ann")).await;
                tokio::time::timeout(Duration::from_secs(60), shutting).await.unwrap().unwrap();
                drop(busy);
                (run.id().to_owned(), done)
            });
            let store = store.reopen();
            block_on(async {
                let engine = kit::engine(&store, &world).await;
                settle().await;
                match (&operation, &done) {
                    (_, Err(error)) => {
                        let clear = matches!(error, Error::ShutDown | Error::Refused { .. });
                        assert!(clear, "{operation:?} at {moment}: {error:?}");
                    }
                    (Operation::Cancel, Ok(id)) => assert_eq!(state(&store, id), RunState::Cancelled),
                    (Operation::Pause, Ok(id)) => assert_eq!(state(&store, id), RunState::Paused),
                    (Operation::Signal { .. }, Ok(id)) => assert_eq!(state(&store, id), RunState::Succeeded),
                    (_, Ok(id)) => assert!(rows(&store).iter().any(|run| run.id == *id), "{before}"),
                }
                drop(engine);
            });
            healthy(&store);
        }
    }
}

/// Nobody shuts the engine down; its runs are held by handles alone.
#[test]
fn a_handle_outlives_its_engine() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    block_on(async {
        let engine = kit::engine(&store, &world).await;
        let run = engine.start(waits(1)).await.unwrap();
        settle().await;
        drop(engine);
        settle().await;
        run.signal(waits::number, 4).await.unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(60), run).await;
        assert_eq!(ended.unwrap().unwrap(), 5);
    });
    healthy(&store);
}

/// Whoever waits for a run hears of the shutdown, wherever the run is.
#[test]
fn who_awaits_a_run_is_told_of_the_shutdown() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    world.break_it(true);
    block_on(async {
        let engine = kit::builder(&store, &world).grace(Duration::from_millis(5)).start().await.unwrap();
        let handles = [
            engine.start(waits(1)).await.unwrap(),
            engine.start(pays(1)).await.unwrap(),
            engine.start(runs(1)).await.unwrap(),
        ];
        let paused = engine.start(waits(2)).await.unwrap();
        settle().await;
        engine.operate(Some(paused.id()), Operation::Pause, by("ann")).await.unwrap();
        let before = handles.clone().map(|run| tokio::spawn(run.into_future()));
        settle().await;
        engine.shutdown().await;
        for waiting in before {
            let told = tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap().unwrap();
            assert!(matches!(told, Err(Error::ShutDown)), "{told:?}");
        }
        for run in handles.into_iter().chain([paused]) {
            let told = tokio::time::timeout(Duration::from_secs(60), run).await.unwrap();
            assert!(matches!(told, Err(Error::ShutDown)), "{told:?}");
        }
    });
    healthy(&store.reopen());
}
