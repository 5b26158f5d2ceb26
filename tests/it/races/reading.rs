//! Stores that cannot be read for a moment, just when a run is read back.

use std::sync::Arc;
use std::time::Duration;

use workflow_runtime::run::RunState;
use workflow_runtime::testing::block_on;
use workflow_runtime::{Error, Operation};

use super::kit::{self, *};
use crate::failing_store::{FailingStore, broken};

/// A run that sleeps, and one that a process has left at work.
fn left(world: &Arc<World>) -> (Arc<FailingStore>, [String; 2]) {
    let store = FailingStore::new();
    let ids = block_on(async {
        let engine = kit::engine(&store, world).await;
        let asleep = engine.start(waits(1)).await.unwrap().id().to_owned();
        let at_work = engine.start(runs(1)).await.unwrap();
        settle().await;
        [asleep, at_work.id().to_owned()]
    });
    (store.reopen(), ids)
}

#[test]
fn a_run_that_cannot_be_read_as_the_engine_starts_is_read_again() {
    let world = Arc::new(World::default());
    for times in [1, 2, 9] {
        let (store, [_, at_work]) = left(&world);
        let before = world.starts("runs/m");
        block_on(async {
            store.fail_journals(times);
            let _engine = kit::engine(&store, &world).await;
            settle().await;
            assert_eq!(state(&store, &at_work), RunState::Running, "nothing is wrong with it");
            // Twice as long each time, and never longer than five minutes.
            let mut passed = 0;
            while store.failing_journals() > 0 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                passed += 1;
            }
            assert!(passed < 600, "{passed}");
            tokio::time::sleep(Duration::from_secs(301)).await;
            settle().await;
            assert_eq!(world.starts("runs/m"), before + 1, "after {times} times");
        });
        healthy(&store);
    }
}

#[test]
fn a_run_that_cannot_be_read_as_it_wakes_is_read_again() {
    let world = Arc::new(World::default());
    let (store, [asleep, _]) = left(&world);
    block_on(async {
        let engine = kit::engine(&store, &world).await;
        settle().await;
        store.fail_journals(3);
        tokio::time::sleep(Duration::from_secs(3 * 86_400 + 60)).await;
        settle().await;
        assert_eq!(store.failing_journals(), 0);
        assert_eq!(state(&store, &asleep), RunState::Failed, "its signal did not come in time");
        drop(engine);
    });
}

/// Whoever asks for it just then is told, and the run is as it was.
#[test]
fn who_asks_meanwhile_is_told_what_is_wrong() {
    let world = Arc::new(World::default());
    let (store, [asleep, _]) = left(&world);
    block_on(async {
        let engine = kit::engine(&store, &world).await;
        settle().await;
        for operation in [Operation::Cancel, Operation::Adopt, number(4)] {
            store.fail_journals(1);
            let told = engine.operate(Some(&asleep), operation, by("ann")).await;
            assert!(matches!(&told, Err(Error::Store(error)) if *error == broken()), "{told:?}");
            assert_eq!(state(&store, &asleep), RunState::Waiting);
        }
        engine.operate(Some(&asleep), number(4), by("ann")).await.unwrap();
        engine.run(&asleep).await.unwrap().wait().await;
        assert_eq!(state(&store, &asleep), RunState::Succeeded);
    });
    healthy(&store);
}
