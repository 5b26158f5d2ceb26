//! Two who want the same run at the same time: whoever comes late sees what
//! the other has done, and nothing is done twice or lost.

mod cancelling;
mod kit;
mod operators;
mod pairs;
mod pausing;
mod reading;
mod sleeping;
mod starting;
mod stopping;

use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinHandle;
use workflow_runtime::run::RunState;
use workflow_runtime::store::{Store, StoredRun, Unfinished};
use workflow_runtime::{AnyRun, By, Engine, Operation, task, workflow};

use crate::failing_store::FailingStore;

#[task]
async fn add(a: u64, b: u64) -> u64 {
    a + b
}

workflow! {
    fn sums(n: u64) -> Result<u64> {
        let first = signal::<u64>("number").within("1h")?;
        #[after(first)]
        let second = signal::<u64>("number").within("3d")?;
        let sum = add(first, second);
        let all = add(sum, n);
        Ok(all)
    }
}

async fn engine(store: &Arc<FailingStore>) -> Engine {
    Engine::with_store(store.clone()).register::<sums>().start().await.unwrap()
}

fn by() -> By {
    By { actor: "ann".to_owned(), reason: None }
}

fn number(n: u64) -> Operation {
    Operation::Signal { name: "number".to_owned(), value: json!(n) }
}

fn row(store: &FailingStore, id: &str) -> StoredRun {
    store.memory.find(id).unwrap().pop().unwrap()
}

fn heard(store: &FailingStore, id: &str, what: &str) -> usize {
    let journal = store.memory.journal(row(store, id).run).unwrap();
    journal.iter().filter(|entry| entry.event.contains(what)).count()
}

/// Waits in real time, as threads do.
async fn until(what: &str, done: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it never happens: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A run that sleeps and that this process has let go of.
async fn asleep(engine: &Engine, store: &FailingStore) -> String {
    let id = engine.start(sums(1)).await.unwrap().id().to_owned();
    left(store, &id).await;
    id
}

/// Waits until the run sleeps and is here no more: a reader has to read it.
async fn left(store: &FailingStore, id: &str) {
    let now = workflow_runtime::run::Timestamp(0);
    let is_awake = || {
        store
            .memory
            .unfinished_where(Unfinished::Awake(now), None, 99)
            .unwrap()
            .iter()
            .any(|run| run.id == id)
    };
    until("it sleeps", || !is_awake()).await;
    // Letting go follows the commit, on a task of its own.
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// Somebody who has read the journal of a run, and goes on when told to.
async fn held_reader(
    engine: &Engine,
    store: &FailingStore,
    id: &str,
) -> (JoinHandle<AnyRun>, mpsc::Sender<()>) {
    let (reached, go) = store.hold_reader();
    let late = tokio::spawn({
        let (engine, id) = (engine.clone(), id.to_owned());
        async move { engine.run(&id).await.unwrap() }
    });
    let reached = move || reached.recv_timeout(Duration::from_secs(20)).unwrap();
    tokio::task::spawn_blocking(reached).await.unwrap();
    (late, go)
}

/// A reader that has read a sleeping run, and goes on only when it has been
/// woken, has gone on, and sleeps again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_reader_does_not_bring_an_old_state_back() {
    let store = FailingStore::new();
    let engine = engine(&store).await;
    let id = asleep(&engine, &store).await;
    let (late, go) = held_reader(&engine, &store, &id).await;
    let signal = tokio::spawn({
        let (engine, id) = (engine.clone(), id.clone());
        async move { engine.operate(Some(&id), number(10), by()).await.unwrap() }
    });
    // It gets as far as it can without the reader.
    tokio::time::sleep(Duration::from_millis(200)).await;
    go.send(()).unwrap();
    signal.await.unwrap();
    let run = late.await.unwrap();
    engine.operate(Some(&id), number(200), by()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), run.wait()).await.unwrap();
    assert_eq!(run.result().unwrap().unwrap(), b"211");
}

/// The same with a run that has ended meanwhile: it does not run again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_reader_of_a_run_that_has_ended_sees_its_end() {
    let store = FailingStore::new();
    let engine = engine(&store).await;
    let id = asleep(&engine, &store).await;
    let (late, go) = held_reader(&engine, &store, &id).await;
    let cancel = tokio::spawn({
        let (engine, id) = (engine.clone(), id.clone());
        async move { engine.operate(Some(&id), Operation::Cancel, by()).await.unwrap() }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    go.send(()).unwrap();
    cancel.await.unwrap();
    let run = late.await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), run.wait()).await.unwrap();
    assert_eq!(run.state(), RunState::Cancelled);
    assert_eq!(heard(&store, &id, "cancel_requested"), 1);
    let again = engine.run(&id).await.unwrap();
    assert_eq!(again.state(), RunState::Cancelled);
}
