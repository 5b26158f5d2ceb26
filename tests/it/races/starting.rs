//! Runs that are started twice, or looked at while they are created.

use std::sync::Arc;

use workflow_runtime::run::RunState;
use workflow_runtime::testing::block_on;
use workflow_runtime::{Error, Operation};

use super::kit::{self, *};
use crate::failing_store::{FailingStore, Fault};

/// The store has the run, and the engine does not know that yet.
#[test]
fn a_run_that_is_being_created_is_not_read_back() {
    for operation in [None, Some(Operation::Cancel), Some(number(5))] {
        let (store, world) = (FailingStore::new(), Arc::new(World::default()));
        block_on(async {
            let engine = kit::engine(&store, &world).await;
            store.after(0, Fault::Hold);
            let starting = tokio::spawn({
                let engine = engine.clone();
                async move { engine.start(waits(1)).await.unwrap() }
            });
            settle().await;
            let id = rows(&store).pop().unwrap().id;
            let early = engine.run(&id).await.unwrap();
            let asked = operation.clone().map(|operation| {
                let (engine, id) = (engine.clone(), id.clone());
                tokio::spawn(async move { engine.operate(Some(&id), operation, by("ann")).await })
            });
            settle().await;
            assert_eq!(world.starts("waits/m"), 0, "its creation is not confirmed");
            store.release();
            let run = starting.await.unwrap();
            match (asked, operation) {
                (Some(asked), _) => assert_eq!(asked.await.unwrap().unwrap(), id),
                (None, _) => run.signal(waits::number, 5).await.unwrap(),
            }
            run.wait().await;
            early.wait().await;
            assert_eq!(run.state(), early.state());
        });
        assert!(world.starts("waits/m") <= 1);
        assert!([RunState::Succeeded, RunState::Cancelled].contains(&rows(&store)[0].state));
        healthy(&store);
    }
}

/// Sixty-four at once, all of them with one key.
#[test]
fn one_key_is_one_run() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    block_on(async {
        let engine = kit::engine(&store, &world).await;
        let start = |n: u64| {
            let engine = engine.clone();
            tokio::spawn(async move { engine.start(waits(n)).key("k").await.map(|run| run.id().to_owned()) })
        };
        let tasks: Vec<_> = (0..64).map(|task| start(task % 8 / 7)).collect();
        let mut ids = Vec::new();
        for task in tasks {
            match task.await.unwrap() {
                Ok(id) => ids.push(id),
                Err(Error::KeyInUse { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(ids.len(), 56, "whoever has other arguments is told");
        ids.dedup();
        assert_eq!(ids.len(), 1);
        // It sleeps now, since nobody holds it; two find it at once.
        settle().await;
        let (first, second) = (start(0), start(0));
        assert_eq!(
            [first.await.unwrap().unwrap(), second.await.unwrap().unwrap()],
            [ids[0].clone(), ids[0].clone()]
        );
        let both =
            [engine.start(waits(0)).key("k").await.unwrap(), engine.start(waits(0)).key("k").await.unwrap()];
        both[0].signal(waits::number, 4).await.unwrap();
        for run in both {
            assert_eq!(run.await.unwrap(), 4);
        }
        // And of one that has ended.
        assert_eq!(engine.start(waits(0)).key("k").await.unwrap().await.unwrap(), 4);
        assert!(matches!(engine.start(waits(1)).key("k").await, Err(Error::KeyInUse { .. })));
    });
    assert_eq!(world.starts("waits/m"), 1);
    assert_eq!(rows(&store).len(), 1);
    healthy(&store);
}

/// The same by what other processes ask for, beside those here.
#[test]
fn one_key_is_one_run_also_over_requests() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    let operation = Operation::Start {
        workflow: "waits".to_owned(),
        params: [("n".to_owned(), serde_json::json!(1))].into(),
        key: Some("k".to_owned()),
    };
    block_on(async {
        let engine = kit::engine(&store, &world).await;
        let asked: Vec<i64> = (0..8).map(|_| ask(&store, "", &operation)).collect();
        let here: Vec<_> = (0..8)
            .map(|_| {
                let engine = engine.clone();
                tokio::spawn(async move { engine.start(waits(1)).key("k").await.unwrap().id().to_owned() })
            })
            .collect();
        let mut ids = Vec::new();
        for task in here {
            ids.push(task.await.unwrap());
        }
        for number in asked {
            ids.push(answered(&store, number).await.unwrap());
        }
        ids.dedup();
        assert_eq!(ids.len(), 1);
    });
    assert_eq!((world.starts("waits/m"), rows(&store).len()), (1, 1));
    healthy(&store);
}
