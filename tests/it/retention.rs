//! `keep`: runs that ended long ago go, and nothing else does.

use std::sync::Arc;
use std::time::Duration;

use workflow_runtime::store::{Memory, Store};
use workflow_runtime::testing::block_on;
use workflow_runtime::{Engine, task, workflow};

#[task]
async fn twice(n: u64) -> u64 {
    n * 2
}

workflow! {
    fn quick(n: u64) -> Result<u64> {
        let b = twice(n);
        Ok(b)
    }
}

workflow! {
    fn patient(n: u64) -> Result<u64> {
        let more = signal::<u64>("more");
        let b = twice(n + more);
        Ok(b)
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn a_run_goes_when_its_time_is_over_and_not_before() {
    let store = Memory::new();
    block_on(async {
        let engine = Engine::with_store(Arc::new(store.clone())).keep(2 * DAY).start().await.unwrap();
        assert_eq!(engine.start(quick(1)).key("a").await.unwrap().await.unwrap(), 2);
        let waiting = engine.start(patient(1)).key("b").await.unwrap();
        tokio::time::sleep(DAY).await;
        assert_eq!(engine.start(quick(1)).key("c").await.unwrap().await.unwrap(), 2);
        assert!(store.by_key("a").unwrap().is_some(), "a day is not two");
        tokio::time::sleep(DAY + Duration::from_secs(2 * 60 * 60)).await;
        assert!(store.by_key("a").unwrap().is_none());
        assert!(store.by_key("c").unwrap().is_some());
        // What has not ended stays, however old it is.
        tokio::time::sleep(100 * DAY).await;
        assert!(store.by_key("c").unwrap().is_none());
        waiting.signal(patient::more, 4).await.unwrap();
        assert_eq!(waiting.await.unwrap(), 10);
        // Its key is free again.
        assert_eq!(engine.start(quick(3)).key("a").await.unwrap().await.unwrap(), 6);
    });
}

#[test]
fn without_it_runs_are_kept() {
    let store = Memory::new();
    block_on(async {
        let engine = Engine::with_store(Arc::new(store.clone())).start().await.unwrap();
        assert_eq!(engine.start(quick(1)).key("a").await.unwrap().await.unwrap(), 2);
        tokio::time::sleep(1_000 * DAY).await;
        assert!(store.by_key("a").unwrap().is_some());
    });
}
