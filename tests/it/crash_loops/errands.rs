//! What the processes of crash loops work on.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use workflow_runtime::{Context, Engine, Resources, task, workflow};

/// How often the step that ends its process is lost.
pub const LOSSES: u16 = 3;

#[derive(Resources)]
struct World {
    /// Whether anything is done at all.
    works: AtomicBool,
}

/// Takes its time, so that a kill finds it under way.
async fn labour(works: &AtomicBool) {
    if !works.load(Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(Duration::from_millis(2)).await;
}

#[task]
async fn list(number: u64, #[resource] works: &AtomicBool) -> Vec<u64> {
    labour(works).await;
    (number..number + 3).collect()
}

/// Fails now and then, at first.
#[task(retry(attempts = 2, backoff = fixed("5ms")))]
async fn double(
    number: u64,
    #[resource] works: &AtomicBool,
    #[context] cx: &Context,
) -> std::io::Result<u64> {
    labour(works).await;
    if number.is_multiple_of(4) && cx.attempt() == 1 {
        Err(std::io::Error::other("busy"))
    } else {
        Ok(number * 2)
    }
}

#[task]
async fn add(sum: u64, more: u64, #[resource] works: &AtomicBool) -> u64 {
    labour(works).await;
    sum + more
}

#[task]
async fn finish(sum: u64, by: u64, #[resource] works: &AtomicBool) -> u64 {
    labour(works).await;
    sum * by
}

workflow! {
    /// A map, a branch, a loop and retries.
    pub fn innocent(number: u64) -> Result<u64> {
        let parts = list(number);
        let doubled = for part in parts {
            let once = double(part)?;
            once
        };
        let step: u64 = doubled.iter().sum::<u64>() + 1;
        let mut sum = add(0, step);
        #[limit(9)]
        while sum < 3 * step {
            sum = add(sum, step);
        }
        let end = if number % 2 == 0 { finish(sum, 2) } else { finish(sum, 3) };
        Ok(end)
    }
}

/// What a run is worth.
pub fn expected(number: u64) -> u64 {
    let step = (number..number + 3).map(|part| part * 2).sum::<u64>() + 1;
    3 * step * if number.is_multiple_of(2) { 2 } else { 3 }
}

/// Ends its process.
#[task(losses = 3)]
async fn abort(#[resource] works: &AtomicBool) -> u64 {
    labour(works).await;
    std::process::abort()
}

workflow! {
    pub fn abrupt() -> Result<u64> {
        let ended = abort();
        Ok(ended)
    }
}

fn engine(database: &Path, works: bool) -> workflow_runtime::EngineBuilder<World> {
    let engine = Engine::open(database).resources(World { works: AtomicBool::new(works) });
    engine.register::<innocent>().register::<abrupt>().grace(Duration::ZERO)
}

/// Creates the runs of these numbers, by their keys, and leaves them where they
/// are.
pub fn start(database: &Path, numbers: Vec<u64>, abruptly: bool) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let engine = engine(database, false).start().await.unwrap();
        if abruptly {
            drop(engine.start(abrupt()).key("abrupt").await.unwrap());
        }
        let mut starting = tokio::task::JoinSet::new();
        for number in numbers {
            let engine = engine.clone();
            starting.spawn(async move {
                drop(engine.start(innocent(number)).key(number.to_string()).await.unwrap());
            });
        }
        starting.join_all().await;
        engine.shutdown().await;
    });
}

/// Works on the store in a folder until it is killed.
pub fn work(folder: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        std::fs::write(folder.join("begun"), "").unwrap();
        let _engine = engine(&folder.join("runs.db"), true).start().await.unwrap();
        std::future::pending::<()>().await;
    });
}
