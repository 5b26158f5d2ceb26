//! Faults of a store that pass: a full disk, an I/O error, a lock of another
//! program, too few files. Whatever has stopped goes on by itself, in the same
//! process, and nothing is done twice that had been committed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use workflow_runtime::run::RunState;
use workflow_runtime::store::{RunFilter, Store, StoreError};
use workflow_runtime::testing::block_on;
use workflow_runtime::{By, Engine, Error, Operation, Resources, task, workflow};

use crate::failing_store::{FailingStore, Fault, broken};
use crate::files::{Scratch, assert_sound};

#[derive(Default)]
struct World {
    quick: AtomicUsize,
    slow: AtomicUsize,
    last: AtomicUsize,
    open: Notify,
    go: AtomicUsize,
}

#[derive(Resources)]
struct App {
    world: Arc<World>,
}

#[task]
async fn quick(n: u64, #[resource] world: &Arc<World>) -> u64 {
    world.quick.fetch_add(1, Ordering::SeqCst);
    n + 1
}

/// Until somebody lets it.
#[task]
async fn slow(n: u64, #[resource] world: &Arc<World>) -> u64 {
    world.slow.fetch_add(1, Ordering::SeqCst);
    while world.go.load(Ordering::SeqCst) == 0 {
        world.open.notified().await;
    }
    n + 1
}

#[task]
async fn last(a: u64, b: u64, more: u64, #[resource] world: &Arc<World>) -> u64 {
    world.last.fetch_add(1, Ordering::SeqCst);
    a + b + more
}

workflow! {
    fn both(n: u64) -> Result<u64> {
        let a = quick(n);
        let b = slow(n);
        let more = signal::<u64>("more");
        let c = last(a, b, more);
        Ok(c)
    }
}

async fn engine(store: &Arc<FailingStore>, world: &Arc<World>) -> Engine<App> {
    let builder = Engine::with_store(store.clone()).resources(App { world: world.clone() });
    builder.register::<both>().start().await.unwrap()
}

impl World {
    fn let_go(&self) {
        self.go.store(1, Ordering::SeqCst);
        self.open.notify_waiters();
    }
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn full() -> StoreError {
    StoreError::Full { path: "runs.db".into() }
}

fn locked() -> StoreError {
    StoreError::Busy { path: "runs.db".into() }
}

fn io() -> StoreError {
    StoreError::Io { path: "runs.db".into(), message: "disk I/O error".to_owned() }
}

#[test]
fn a_run_that_could_not_commit_is_read_back_and_whoever_holds_it_hears_of_its_end() {
    let read_only = StoreError::ReadOnly { path: "runs.db".into(), reason: "it is mounted so".to_owned() };
    for (error, fault) in [full(), locked(), io(), read_only]
        .into_iter()
        .flat_map(|e| [(e.clone(), Fault::Fail), (e, Fault::WriteAndFail)])
    {
        let (store, world) = (FailingStore::new(), Arc::new(World::default()));
        block_on(async {
            let engine = engine(&store, &world).await;
            let run = engine.start(both(1)).key("k").await.unwrap();
            pass(1).await;
            assert_eq!((world.quick.load(Ordering::SeqCst), world.slow.load(Ordering::SeqCst)), (1, 1));
            store.fail_with(error.clone());
            store.always(Some(fault));
            let waiting = tokio::spawn(run.clone().into_future());
            // The end of `slow` cannot be committed, or nobody knows of it.
            world.let_go();
            tokio::time::sleep(Duration::from_millis(10)).await;
            assert_eq!(run.state(), RunState::Blocked);
            assert_eq!(run.snapshot().stopped, Some(error.to_string()));
            let told = run.signal(both::more, 5).await.unwrap_err();
            assert!(matches!(&told, Error::Stopped { error: why, .. } if *why == error), "{told}");
            let by = By { actor: "ann".to_owned(), reason: None };
            assert!(engine.operate(Some(run.id()), Operation::Cancel, by).await.is_err());
            // For a quarter of an hour. It is tried less and less often.
            pass(900).await;
            assert!(!waiting.is_finished(), "{error}: it is waited for");
            assert!(store.asked() < 40, "{error}: {} writes", store.asked());
            store.always(None);
            pass(400).await;
            assert_eq!(run.state(), RunState::Waiting, "{error}");
            assert_eq!(run.snapshot().stopped, None);
            run.signal(both::more, 5).await.unwrap();
            assert_eq!(waiting.await.unwrap().unwrap(), 9);
            assert_eq!(engine.start(both(1)).key("k").await.unwrap().await.unwrap(), 9);
            assert_eq!(run.await.unwrap(), 9);
        });
        assert_eq!(
            (world.quick.load(Ordering::SeqCst), world.last.load(Ordering::SeqCst)),
            (1, 1),
            "{error}"
        );
        assert_eq!(store.stored("k").state, RunState::Succeeded);
    }
}

/// Nobody knows whether it passes, so whoever waits is told at once.
#[test]
fn an_unknown_fault_is_told_and_the_run_goes_on_all_the_same() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    block_on(async {
        let engine = engine(&store, &world).await;
        let run = engine.start(both(1)).key("k").await.unwrap();
        pass(1).await;
        store.after(0, Fault::Fail);
        world.let_go();
        let error = run.await.unwrap_err();
        assert!(matches!(&error, Error::Stopped { error, .. } if *error == broken()), "{error}");
        pass(2).await;
        let run = engine.start(both(1)).key("k").await.unwrap();
        run.signal(both::more, 1).await.unwrap();
        assert_eq!(run.await.unwrap(), 5);
    });
    assert_eq!((world.quick.load(Ordering::SeqCst), world.slow.load(Ordering::SeqCst)), (1, 2));
}

#[test]
fn whoever_waits_for_a_stopped_run_is_told_when_the_engine_ends() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    block_on(async {
        let engine = engine(&store, &world).await;
        let run = engine.start(both(1)).await.unwrap();
        pass(1).await;
        store.fail_with(full());
        store.always(Some(Fault::Fail));
        world.let_go();
        pass(10).await;
        let waiting = tokio::spawn(run.into_future());
        pass(10).await;
        assert!(!waiting.is_finished());
        engine.shutdown().await;
        assert!(matches!(waiting.await.unwrap(), Err(Error::Stopped { .. })));
    });
}

/// Polls for what other threads do.
async fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let late = Instant::now() + Duration::from_secs(30);
    while !reached() {
        assert!(Instant::now() < late, "never {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn on_file(folder: &Path, world: &Arc<World>) -> Engine<App> {
    let builder = Engine::open(folder.join("runs.db")).resources(App { world: world.clone() });
    builder.register::<both>().start().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_another_program_holds_is_waited_out_and_no_attempt_is_lost() {
    let scratch = Scratch::new("passing-lock");
    let world = Arc::new(World::default());
    let engine = on_file(&scratch.path(""), &world).await;
    let mut runs = Vec::new();
    for number in 0..50 {
        runs.push(engine.start(both(number)).await.unwrap());
    }
    until("begun", || world.slow.load(Ordering::SeqCst) == 50).await;
    let shell = rusqlite::Connection::open(scratch.path("runs.db")).unwrap();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    // All of them end, and none of that can be committed.
    world.let_go();
    let (signalled, ask) = (runs[0].clone(), runs[0].clone());
    let signal = tokio::spawn(async move { ask.signal(both::more, 7).await });
    let start = tokio::spawn(engine.start(both(100)).into_future());
    until("stopped", || signalled.snapshot().stopped.is_some()).await;
    let why = runs[1].snapshot().stopped.unwrap();
    assert!(why.contains("is locked by another program") && why.contains("tried again in"), "{why}");
    assert_eq!(runs[1].state(), RunState::Running);
    assert!(!signal.is_finished() && !start.is_finished());
    shell.execute_batch("ROLLBACK").unwrap();
    signal.await.unwrap().unwrap();
    runs.push(start.await.unwrap().unwrap());
    for run in &runs[1..] {
        run.signal(both::more, 7).await.unwrap();
    }
    for (number, run) in runs.into_iter().enumerate() {
        let number = if number == 50 { 100 } else { number as u64 };
        assert_eq!(run.await.unwrap(), 2 * (number + 1) + 7);
    }
    for count in [&world.quick, &world.slow, &world.last] {
        assert_eq!(count.load(Ordering::SeqCst), 51, "each once");
    }
    engine.shutdown().await;
    assert_sound(&scratch.path("runs.db"));
}

mod ticks {
    use workflow_runtime::{Result, workflow};

    use super::quick;

    workflow! {
        #[schedule(every = "1m")]
        pub fn minutely() -> Result<u64> {
            let n = quick(1);
            Ok(n)
        }
    }
}

#[test]
fn a_tick_that_cannot_start_its_run_is_tried_less_and_less_often() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    block_on(async {
        let builder = Engine::with_store(store.clone()).resources(App { world: world.clone() });
        let engine = builder.register::<ticks::minutely>().start().await.unwrap();
        store.fail_with(full());
        store.always(Some(Fault::Fail));
        pass(20 * 60).await;
        let tried = store.asked();
        assert!((5..=40).contains(&tried), "{tried} writes in twenty minutes");
        store.always(None);
        pass(5 * 60).await;
        engine.shutdown().await;
    });
    let runs = store.reopen().memory.list(&RunFilter { at_most: 100, ..RunFilter::default() }).unwrap();
    assert!(runs.len() >= 4, "{} ticks since", runs.len());
    assert!(runs.iter().all(|run| run.state == RunState::Succeeded));
}
