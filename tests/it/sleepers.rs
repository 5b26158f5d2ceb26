//! Runs that wait and that nobody holds: rows, and nothing else.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use workflow_runtime::run::{RunState, Timestamp};
use workflow_runtime::store::{Batch, Done, Layer, Memory, Sleep, Store, StoreError, StoredRun, Unfinished};
use workflow_runtime::testing::block_on;
use workflow_runtime::{By, Context, Engine, Operation, StepError, doctor, task, workflow};

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

#[task]
async fn hold(_n: u64) -> u64 {
    std::future::pending().await
}

workflow! {
    fn holds(n: u64) -> Result<u64> {
        let held = hold(n);
        Ok(held)
    }
}

workflow! {
    fn asks(n: u64) -> Result<u64> {
        let more = signal::<u64>("more").within("3d")?;
        let b = twice(n + more);
        Ok(b)
    }
}

#[task(undo = release)]
async fn reserve(n: u64) -> u64 {
    n
}

/// Succeeds at the second attempt.
#[task(retry(attempts = 2, backoff = fixed("1h")))]
async fn release(_place: &u64, #[context] cx: &Context) -> std::io::Result<()> {
    if cx.attempt() == 1 { Err(std::io::Error::other("it is shut")) } else { Ok(()) }
}

#[task]
async fn refuse(n: u64) -> std::io::Result<u64> {
    Err(std::io::Error::other(format!("not {n}")))
}

#[task]
async fn tell(outcome: &Result<u64, StepError>, more: u64) -> String {
    format!("{} {more}", outcome.is_ok())
}

workflow! {
    fn refused(n: u64) -> Result<u64> {
        let place = reserve(n);
        let end = refuse(place)?;
        Ok(end)
    }
}

workflow! {
    /// Waits for something else while a part of it is undone.
    fn asks_beside(n: u64) -> Result<String> {
        let outcome = refused(n);
        let more = signal::<u64>("more").within("3d")?;
        let told = tell(&outcome, more);
        Ok(told)
    }
}

async fn engine(store: &Memory) -> Engine {
    let builder = Engine::with_store(Arc::new(store.clone())).register::<naps>().register::<asks>();
    builder.register::<asks_beside>().start().await.unwrap()
}

fn row(store: &Memory, id: &str) -> StoredRun {
    store.find(id).unwrap().pop().unwrap()
}

/// Hears what the store is told of who sleeps.
struct Told {
    memory: Memory,
    sleeps: Mutex<Vec<Sleep>>,
}

impl Layer for Told {
    fn below(&self) -> &dyn Store {
        &self.memory
    }

    fn append(&self, batch: Batch, done: Done<Result<(), StoreError>>) {
        self.sleeps.lock().unwrap().push(batch.sleep);
        self.memory.append(batch, done);
    }
}

/// The runs that are not asleep.
fn awake(store: &Memory) -> usize {
    store.unfinished_where(Unfinished::Awake(Timestamp(0)), None, 99).unwrap().len()
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
fn only_what_slept_is_said_to_be_awake() {
    let store = Memory::new();
    block_on(async {
        let engine = engine(&store).await;
        drop(engine.start(naps(1)).await.unwrap());
        drop(engine.start(holds(1)).await.unwrap());
        settle().await;
        assert_eq!(awake(&store), 1, "the other one is at work");
    });
    let told = Arc::new(Told { memory: store.clone(), sleeps: Mutex::default() });
    block_on(async {
        let engine = Engine::with_store(told.clone()).register::<naps>().register::<holds>();
        let _engine = engine.start().await.unwrap();
        settle().await;
        // The loss of the attempt, and the next one's turn.
        assert_eq!(*told.sleeps.lock().unwrap(), [Sleep::Unchanged; 2]);
        tokio::time::sleep(Duration::from_secs(3_601)).await;
        let told = told.sleeps.lock().unwrap();
        assert_eq!(told[2], Sleep::Awake, "its time has come: {told:?}");
        assert!(told[3..].iter().all(|sleep| *sleep == Sleep::Unchanged), "{told:?}");
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

/// What is undone is no step that waits, and has a time to go on at too.
#[test]
fn an_undo_is_tried_again_in_time() {
    let store = Memory::new();
    block_on(async {
        let engine = engine(&store).await;
        let id = engine.start(asks_beside(1)).await.unwrap().id().to_owned();
        settle().await;
        let report = doctor::examine(&store, &[]).unwrap();
        assert!(report.is_healthy(), "{report}");
        tokio::time::sleep(Duration::from_secs(3_700)).await;
        let journal = store.journal(row(&store, &id).run).unwrap();
        let fired = journal.iter().filter(|entry| entry.event.contains("timer_fired")).count();
        assert_eq!(fired, 1, "{journal:#?}");
        // Then it sleeps.
        assert_eq!((awake(&store), row(&store, &id).state), (0, RunState::Waiting));
    });
}
