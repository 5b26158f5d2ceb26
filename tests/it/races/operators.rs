//! Operators who come at the same time, or just when the run ends.

use std::sync::Arc;

use serde_json::json;
use workflow_runtime::run::RunState;
use workflow_runtime::testing::block_on;
use workflow_runtime::{Engine, Error, Operation, Result};

use super::kit::{self, *};
use crate::failing_store::{FailingStore, Fault};

type Asked = tokio::task::JoinHandle<Result<String>>;

fn operate(engine: &Engine<App>, id: &str, operation: Operation) -> Asked {
    let (engine, id) = (engine.clone(), id.to_owned());
    tokio::spawn(async move { engine.operate(Some(&id), operation, by("ann")).await })
}

/// The run has failed, and its end is on the way to the store.
#[test]
fn who_goes_on_with_a_run_that_is_about_to_end_waits_for_the_end() {
    for (operation, after) in [(RETRY, 8), (set("fails/m", json!(7)), 8)] {
        let (store, world) = (FailingStore::new(), Arc::new(World::default()));
        world.break_it(true);
        block_on(async {
            let engine = kit::engine(&store, &world).await;
            store.after(1, Fault::Hold);
            let run = engine.start(fails(7)).await.unwrap();
            settle().await;
            assert_eq!(run.state(), RunState::Running, "its end is not confirmed");
            world.break_it(false);
            let asked = operate(&engine, run.id(), operation);
            settle().await;
            store.release();
            asked.await.unwrap().unwrap();
            assert!(matches!(run.clone().await, Err(Error::Failed { .. })), "this life of it");
            let again = engine.run(run.id()).await.unwrap();
            again.wait().await;
            assert_eq!(again.result().unwrap().unwrap(), after.to_string().as_bytes());
        });
        healthy(&store);
    }
}

/// Whoever stops to wait for an answer has asked all the same.
#[test]
fn what_was_asked_for_is_done_also_when_nobody_waits_for_it() {
    for polls in 0..6 {
        let (store, world) = (FailingStore::new(), Arc::new(World::default()));
        block_on(async {
            let engine = kit::engine(&store, &world).await;
            let run = engine.start(waits(1)).await.unwrap();
            settle().await;
            let asked = operate(&engine, run.id(), Operation::Cancel);
            turns(polls).await;
            asked.abort();
            settle().await;
            let requests = kit::requests(&store);
            let ended = run.state() == RunState::Cancelled;
            assert_eq!(ended, !requests.is_empty(), "after {polls} turns: {requests:?}");
            drop(operate(&engine, run.id(), Operation::Resume));
            settle().await;
        });
        healthy(&store);
    }
}

/// A run that sleeps is healthy, so there is nothing to overlook.
#[test]
fn a_run_that_sleeps_is_not_adopted() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    block_on(async {
        let engine = kit::engine(&store, &world).await;
        let id = engine.start(waits(1)).await.unwrap().id().to_owned();
        settle().await;
        let refused = engine.operate(Some(&id), Operation::Adopt, by("ann")).await.unwrap_err();
        assert!(refused.to_string().contains("is not blocked"), "{refused}");
        engine.operate(Some(&id), number(4), by("ann")).await.unwrap();
        engine.run(&id).await.unwrap().wait().await;
        assert_eq!(state(&store, &id), RunState::Succeeded);
    });
    healthy(&store);
}
