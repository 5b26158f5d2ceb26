//! `for` over more items than are opened at once: in these tests, two.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::run::{RunState, Timestamp};
use crate::store::{Batch, Done, Layer, Memory, Store, StoreError};
use crate::testing::{block_on, crash_everywhere};
use crate::{By, Engine, EngineBuilder, NoResources, Operation, Result, task, workflow};

const ITEMS: u64 = 7;

#[task]
async fn listed(count: u64) -> Vec<u64> {
    (0..count).collect()
}

#[task]
async fn doubled(item: u64) -> u64 {
    2 * item
}

#[task]
async fn slowly_doubled(item: u64) -> u64 {
    tokio::time::sleep(Duration::from_secs(60)).await;
    2 * item
}

#[task]
async fn sum(values: Vec<u64>) -> u64 {
    values.iter().sum()
}

workflow! {
    fn quick(count: u64) -> Result<u64> {
        let items = listed(count);
        let values = for item in items { doubled(item) };
        let total = sum(values);
        Ok(total)
    }
}

workflow! {
    fn slow(count: u64) -> Result<u64> {
        let items = listed(count);
        let values = for item in items { slowly_doubled(item) };
        let total = sum(values);
        Ok(total)
    }
}

workflow! {
    fn napping(count: u64) -> Result<u64> {
        let items = listed(count);
        let values = for item in items {
            let nap = sleep(Duration::from_secs(60));
            #[after(nap)]
            let value = doubled(item);
            value
        };
        let total = sum(values);
        Ok(total)
    }
}

fn builders() -> [EngineBuilder<NoResources>; 2] {
    [Engine::in_memory(), Engine::with_store(Arc::new(Memory::new()))]
}

/// How long a run took, whose result is checked.
async fn took(run: crate::Run<u64>) -> Duration {
    let handle = run.clone();
    assert_eq!(run.await.unwrap(), ITEMS * (ITEMS - 1));
    let snapshot = handle.snapshot();
    let ended = snapshot.ended_at.unwrap_or(Timestamp(u64::MAX));
    ended.since(snapshot.started_at)
}

#[test]
fn items_whose_tasks_wait_are_all_under_way_at_the_same_time() {
    for builder in builders() {
        block_on(async {
            let engine = builder.start().await.unwrap();
            let time = took(engine.start(slow(ITEMS)).await.unwrap()).await;
            assert!(time < Duration::from_secs(61), "{time:?}");
        });
    }
}

#[test]
fn items_that_begin_with_a_wait_all_wait_at_the_same_time() {
    for builder in builders() {
        block_on(async {
            let engine = builder.start().await.unwrap();
            let time = took(engine.start(napping(ITEMS)).await.unwrap()).await;
            assert!(time < Duration::from_secs(61), "{time:?}");
        });
    }
}

#[test]
fn a_paused_run_opens_its_items_when_it_goes_on() {
    for builder in builders() {
        block_on(async {
            let engine = builder.start().await.unwrap();
            let run = engine.start(napping(ITEMS)).await.unwrap();
            let by = By { actor: "somebody".to_owned(), reason: None };
            engine.operate(Some(run.id()), Operation::Pause, by.clone()).await.unwrap();
            tokio::time::sleep(Duration::from_secs(300)).await;
            assert_eq!(run.state(), RunState::Paused);
            engine.operate(Some(run.id()), Operation::Resume, by).await.unwrap();
            assert_eq!(run.await.unwrap(), ITEMS * (ITEMS - 1));
        });
    }
}

#[test]
fn every_item_is_opened_wherever_the_process_dies() {
    let is_whole = |result: &Result<u64>| assert_eq!(*result.as_ref().unwrap(), ITEMS * (ITEMS - 1));
    let report = crash_everywhere(Engine::in_memory, || quick(ITEMS)).check(is_whole).run();
    assert!(report.commits() > ITEMS as usize, "{}", report.commits());
    let report = crash_everywhere(Engine::in_memory, || napping(ITEMS)).check(is_whole).run();
    assert!(report.commits() > ITEMS as usize, "{}", report.commits());
}

/// A store that fails from one of its commits on, after it has written it.
struct Failing {
    memory: Memory,
    commits: AtomicUsize,
}

impl Layer for Failing {
    fn below(&self) -> &dyn Store {
        &self.memory
    }

    fn append(&self, batch: Batch, done: Done<Result<(), StoreError>>) {
        match self.commits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) {
            Ok(1) => self.memory.append(batch, Box::new(move |_| done(Err(StoreError::Closed)))),
            Ok(_) => self.memory.append(batch, done),
            Err(_) => done(Err(StoreError::Closed)),
        }
    }
}

#[test]
fn what_is_left_to_open_is_opened_by_the_next_engine() {
    for commits in 1..6 {
        let memory = Memory::new();
        let store = Failing { memory: memory.clone(), commits: commits.into() };
        let id = block_on(async {
            let engine = Engine::with_store(Arc::new(store)).start().await.unwrap();
            let run = engine.start(napping(ITEMS)).await.unwrap();
            let id = run.id().to_owned();
            run.await.unwrap_err();
            id
        });
        block_on(async {
            let began = tokio::time::Instant::now();
            let engine = Engine::with_store(Arc::new(memory)).register::<napping>().start().await.unwrap();
            engine.run(&id).await.unwrap().wait().await;
            assert!(began.elapsed() < Duration::from_secs(61), "after {commits}: {:?}", began.elapsed());
        });
    }
}
