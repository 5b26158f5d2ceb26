//! Runs that wait and that nobody holds: rows, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use workflow_runtime::run::{RunState, Timestamp};
use workflow_runtime::store::{Memory, Store, StoredRun};
use workflow_runtime::testing::block_on;
use workflow_runtime::{By, Engine, Operation, task, workflow};

#[task]
async fn twice(n: u64) -> u64 {
    n * 2
}

workflow! {
    fn naps(n: u64) -> Result<u64> {
        let a = twice(n);
        sleep("1h");
        #[after(sleep)]
        let b = twice(a);
        Ok(b)
    }
}

workflow! {
    fn asks(n: u64) -> Result<u64> {
        let more = signal::<u64>("more").within("3d")?;
        let b = twice(n + more);
        Ok(b)
    }
}

async fn engine(store: &Memory) -> Engine {
    let builder = Engine::with_store(Arc::new(store.clone())).register::<naps>().register::<asks>();
    builder.start().await.unwrap()
}

fn row(store: &Memory, id: &str) -> StoredRun {
    store.find(id).unwrap().pop().unwrap()
}

/// The runs that are not asleep.
fn awake(store: &Memory) -> usize {
    store.awake(Timestamp(0), None, 99).unwrap().len()
}

/// Lets everything happen that does not wait.
async fn settle() {
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn a_run_that_nobody_holds_falls_asleep_and_wakes_in_time() {
    let store = Memory::new();
    block_on(async {
        let engine = engine(&store).await;
        let run = engine.start(naps(1)).await.unwrap();
        let id = run.id().to_owned();
        settle().await;
        assert_eq!(awake(&store), 1, "it is held");
        drop(run);
        settle().await;
        assert_eq!(awake(&store), 0);
        assert!(store.next_wake(Timestamp(0)).unwrap().is_some());
        tokio::time::sleep(Duration::from_secs(3_601)).await;
        assert_eq!(row(&store, &id).state, RunState::Succeeded);
    });
}

#[test]
fn it_wakes_in_the_next_process_too() {
    let store = Memory::new();
    let id = block_on(async {
        let engine = engine(&store).await;
        let run = engine.start(naps(1)).await.unwrap();
        settle().await;
        run.id().to_owned()
    });
    block_on(async {
        let _engine = engine(&store).await;
        settle().await;
        assert_eq!(awake(&store), 0, "it was read back, and fell asleep again");
        tokio::time::sleep(Duration::from_secs(3_601)).await;
        assert_eq!(row(&store, &id).state, RunState::Succeeded);
    });
}

#[test]
fn a_signal_wakes_it() {
    let store = Memory::new();
    block_on(async {
        let engine = engine(&store).await;
        let id = engine.start(asks(1)).await.unwrap().id().to_owned();
        settle().await;
        assert_eq!(awake(&store), 0);
        let by = By { actor: "ann".to_owned(), reason: None };
        let signal = Operation::Signal { name: "more".to_owned(), value: 4.into() };
        engine.operate(Some(&id), signal, by).await.unwrap();
        let run = engine.run(&id).await.unwrap();
        run.wait().await;
        assert_eq!(run.result().unwrap().unwrap(), b"10");
    });
}

#[test]
fn whoever_has_the_key_finds_it() {
    let store = Memory::new();
    block_on(async {
        let engine = engine(&store).await;
        drop(engine.start(asks(1)).key("a").await.unwrap());
        settle().await;
        assert_eq!(awake(&store), 0);
        let run = engine.start(asks(1)).key("a").await.unwrap();
        run.signal(asks::more, 4).await.unwrap();
        assert_eq!(run.await.unwrap(), 10);
    });
}

#[test]
fn many_fall_asleep_and_each_wakes_once() {
    let store = Memory::new();
    block_on(async {
        let engine = engine(&store).await;
        for n in 0..500 {
            drop(engine.start(naps(n)).await.unwrap());
        }
        settle().await;
        assert_eq!(awake(&store), 0);
        tokio::time::sleep(Duration::from_secs(3_700)).await;
    });
    assert!(store.unfinished(None, 999).unwrap().is_empty());
}
