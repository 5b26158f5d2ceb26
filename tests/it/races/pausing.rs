//! Paused runs whose process dies, and time that passes while they are.

use std::sync::Arc;
use std::time::Duration;

use workflow_runtime::run::{RunState, StepState, Wait};
use workflow_runtime::testing::block_on;
use workflow_runtime::{Operation, Resources, task, workflow};

use super::kit::{self, *};
use crate::failing_store::FailingStore;

/// The process dies with the run paused; the next one lets it go on.
#[test]
fn a_paused_run_is_paused_after_a_crash_and_ends_once_it_is_resumed() {
    for dies in [false, true] {
        let (store, world) = (FailingStore::new(), Arc::new(World::default()));
        world.break_it(true);
        let (waiting, failing) = block_on(async {
            let engine = kit::engine(&store, &world).await;
            let waiting = engine.start(waits(1)).await.unwrap();
            let failing = engine.start(pays(1)).await.unwrap();
            settle().await;
            for id in [waiting.id(), failing.id()] {
                engine.operate(Some(id), Operation::Pause, by("ann")).await.unwrap();
            }
            let ids = (waiting.id().to_owned(), failing.id().to_owned());
            if !dies {
                drop((waiting, failing));
                engine.shutdown().await;
            }
            ids
        });
        world.break_it(false);
        let store = store.reopen();
        block_on(async {
            let engine = kit::engine(&store, &world).await;
            // Its backoff is long over.
            tokio::time::sleep(Duration::from_secs(2 * 3_600)).await;
            for id in [&waiting, &failing] {
                assert_eq!(state(&store, id), RunState::Paused);
            }
            let paid = engine.run(&failing).await.unwrap().snapshot().step("pays/paid").unwrap().state;
            assert_eq!(paid, StepState::Waiting(Wait::Paused));
            assert_eq!(world.starts("pays/paid"), 1);
        });
        // And once more.
        let store = store.reopen();
        block_on(async {
            let engine = kit::engine(&store, &world).await;
            settle().await;
            for id in [&waiting, &failing] {
                assert_eq!(state(&store, id), RunState::Paused);
                engine.operate(Some(id), Operation::Resume, by("bob")).await.unwrap();
            }
            engine.operate(Some(&waiting), number(2), by("bob")).await.unwrap();
            settle().await;
            for id in [&waiting, &failing] {
                assert_eq!(state(&store, id), RunState::Succeeded);
            }
        });
        assert_eq!(world.starts("pays/paid"), 2);
        healthy(&store);
    }
}

/// A signal's time goes on while the run is paused, also over a restart.
#[test]
fn a_time_limit_passes_while_the_run_is_paused() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    let id = block_on(async {
        let engine = kit::engine(&store, &world).await;
        let id = engine.start(waits(1)).await.unwrap().id().to_owned();
        settle().await;
        engine.operate(Some(&id), Operation::Pause, by("ann")).await.unwrap();
        settle().await;
        id
    });
    let store = store.reopen();
    block_on(async {
        let _engine = kit::engine(&store, &world).await;
        tokio::time::sleep(Duration::from_secs(3 * 86_400 + 5)).await;
        settle().await;
        assert_eq!(state(&store, &id), RunState::Failed);
    });
    healthy(&store);
}

#[derive(Resources)]
struct Nothing {}

#[task(deadline = "1h", timeout = "10m", retry(attempts = 3, backoff = fixed("10m")))]
async fn hurried(n: u64, #[context] cx: &workflow_runtime::Context) -> Result<u64, std::io::Error> {
    if cx.attempt() < 2 { Err(std::io::Error::other("not yet")) } else { Ok(n) }
}

workflow! {
    fn hurries(n: u64) -> Result<u64> {
        let m = hurried(n)?;
        Ok(m)
    }
}

/// A step's deadline counts from its first attempt, paused or not.
#[test]
fn a_deadline_holds_over_a_pause_and_a_restart() {
    for (paused, ends) in
        [(Duration::from_secs(1_200), RunState::Succeeded), (Duration::from_secs(7_200), RunState::Failed)]
    {
        let store = FailingStore::new();
        let start = async |store: &Arc<FailingStore>| {
            let builder = workflow_runtime::Engine::with_store(store.clone()).resources(Nothing {});
            builder.register::<hurries>().start().await.unwrap()
        };
        let id = block_on(async {
            let engine = start(&store).await;
            let id = engine.start(hurries(1)).await.unwrap().id().to_owned();
            settle().await;
            engine.operate(Some(&id), Operation::Pause, by("ann")).await.unwrap();
            settle().await;
            tokio::time::sleep(paused / 2).await;
            id
        });
        let store = store.reopen();
        block_on(async {
            let engine = start(&store).await;
            tokio::time::sleep(paused).await;
            assert_eq!(state(&store, &id), RunState::Paused);
            engine.operate(Some(&id), Operation::Resume, by("ann")).await.unwrap();
            engine.run(&id).await.unwrap().wait().await;
            assert_eq!(state(&store, &id), ends, "{paused:?}");
        });
    }
}
