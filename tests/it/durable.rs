//! Runs that outlive their process: promises 1 to 4, 7 to 11.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use workflow_runtime::store::{Memory, Store};
use workflow_runtime::{Engine, Resources, task, workflow};

#[derive(Default)]
struct Calls {
    first: AtomicU64,
    items: AtomicU64,
    gate: tokio::sync::Notify,
    block: AtomicU64,
}

#[derive(Resources)]
struct App {
    calls: Arc<Calls>,
}

#[task]
async fn first(n: u64, #[resource] calls: &Arc<Calls>) -> Vec<u64> {
    calls.first.fetch_add(1, Ordering::SeqCst);
    (0..n).collect()
}

#[task]
async fn item(n: u64, #[resource] calls: &Arc<Calls>) -> u64 {
    if n == 2 && calls.block.load(Ordering::SeqCst) == 1 {
        calls.gate.notified().await;
    }
    calls.items.fetch_add(1, Ordering::SeqCst);
    n + 1
}

#[task]
async fn add(list: &[u64], more: u64) -> u64 {
    list.iter().sum::<u64>() + more
}

workflow! {
    /// Adds numbers.
    fn sum(n: u64) -> Result<u64> {
        let list = first(n);
        let items = for one in list {
            item(one)
        };
        let mut total = add(&items, 0);
        #[limit(10)]
        while total < 100 {
            total = add(&items, total);
        }
        let more = signal::<u64>("more");
        let end = if total > 50 { add(&items, more) } else { add(&[], 1) };
        Ok(end)
    }
}

/// A runtime that is dropped with everything in it, like a process that dies.
fn process<T>(body: impl AsyncFnOnce() -> T) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let result = runtime.block_on(body());
    runtime.shutdown_timeout(Duration::ZERO);
    result
}

#[test]
fn what_is_committed_is_not_lost_and_what_is_finished_does_not_run_again() {
    let store: Arc<dyn Store> = Arc::new(Memory::default());
    let calls = Arc::new(Calls::default());
    calls.block.store(1, Ordering::SeqCst);
    let app = || App { calls: calls.clone() };
    let id = process(async || {
        let engine =
            Engine::with_store(store.clone()).resources(app()).register::<sum>().start().await.unwrap();
        let run = engine.start(sum(4)).key("a").await.unwrap();
        let mut events = run.events();
        while calls.items.load(Ordering::SeqCst) < 3 {
            events.next().await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        run.id().to_owned()
    });
    calls.block.store(0, Ordering::SeqCst);
    let result = process(async || {
        let engine =
            Engine::with_store(store.clone()).resources(app()).register::<sum>().start().await.unwrap();
        let run = engine.start(sum(4)).key("a").await.unwrap();
        assert_eq!(run.id(), id);
        run.signal(sum::more, 7).await.unwrap();
        run.await.unwrap()
    });
    assert_eq!(result, 17);
    assert_eq!(calls.first.load(Ordering::SeqCst), 1);
    assert_eq!(calls.items.load(Ordering::SeqCst), 4);
    let again = process(async || {
        let engine =
            Engine::with_store(store.clone()).resources(app()).register::<sum>().start().await.unwrap();
        engine.start(sum(4)).key("a").await.unwrap().await.unwrap()
    });
    assert_eq!(again, 17);
}
