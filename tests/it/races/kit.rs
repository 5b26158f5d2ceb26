//! A world outside of all processes, and workflows that leave traces in it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value as Json, json};
use support::tasks::{Oops, oops};
use workflow_runtime::definition::Graph;
use workflow_runtime::doctor::examine;
use workflow_runtime::run::{RunState, Timestamp};
use workflow_runtime::store::{Request, RunFilter, Store, StoredRequest, StoredRun};
use workflow_runtime::{By, Context, Engine, EngineBuilder, Operation, Resources, task, workflow};

use crate::failing_store::FailingStore;

/// What lies outside of all processes.
#[derive(Default)]
pub struct World {
    /// The step and the idempotency key of every attempt.
    starts: Mutex<Vec<(String, String)>>,
    broken: AtomicBool,
}

impl World {
    pub fn break_it(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }

    fn note(&self, cx: &Context) {
        self.starts.lock().unwrap().push((cx.step(), cx.idempotency_key()));
    }

    pub fn starts(&self, step: &str) -> usize {
        self.starts.lock().unwrap().iter().filter(|(path, _)| path == step).count()
    }
}

#[derive(Resources)]
pub struct App {
    world: Arc<World>,
}

#[task]
async fn add(a: u64, b: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> u64 {
    world.note(cx);
    a + b
}

#[task(at_most_once)]
async fn once(n: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> u64 {
    world.note(cx);
    n
}

/// Fails while the world is broken.
#[task(retry(attempts = 2, backoff = fixed("1h")))]
async fn fragile(n: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> Result<u64, Oops> {
    world.note(cx);
    if world.broken.load(Ordering::SeqCst) { Err(oops("broken")) } else { Ok(n) }
}

#[task(undo = unbook)]
async fn book(n: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> u64 {
    world.note(cx);
    n
}

#[task]
async fn unbook(_booked: &u64, #[context] cx: &Context, #[resource] world: &Arc<World>) {
    world.note(cx);
}

/// Goes on until it is told to stop.
#[task]
async fn endless(n: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> u64 {
    world.note(cx);
    cx.cancelled().await;
    n
}

workflow! {
    /// Does something that is not repeated, and waits.
    pub fn waits(n: u64) -> Result<u64> {
        let m = once(n);
        let more = signal::<u64>("number").within("3d")?;
        let sum = add(m, more);
        Ok(sum)
    }
}

workflow! {
    /// Books, and waits for a fragile step.
    pub fn pays(n: u64) -> Result<u64> {
        let booked = book(n);
        let paid = fragile(booked)?;
        let sum = add(paid, 1);
        Ok(sum)
    }
}

workflow! {
    /// Fails at once while the world is broken.
    pub fn fails(n: u64) -> Result<u64> {
        #[retry(attempts = 1)]
        let m = fragile(n)?;
        let sum = add(m, 1);
        Ok(sum)
    }
}

workflow! {
    /// Adds so many numbers, one after the other.
    pub fn counts(turns: u64) -> Result<u64> {
        let mut left = turns;
        let mut sum: u64 = 0;
        #[limit(1000)]
        while left > 0 {
            let more = signal::<u64>("number").within("3d")?;
            sum = add(sum, more);
            left = left - 1;
        }
        Ok(sum)
    }
}

workflow! {
    /// Never ends by itself.
    pub fn runs(n: u64) -> Result<u64> {
        let booked = book(n);
        let m = endless(booked);
        Ok(m)
    }
}

pub const GRAPHS: [&Graph; 5] = [waits::GRAPH, pays::GRAPH, fails::GRAPH, counts::GRAPH, runs::GRAPH];

pub fn builder(store: &Arc<FailingStore>, world: &Arc<World>) -> EngineBuilder<App> {
    let builder = Engine::with_store(store.clone()).resources(App { world: world.clone() });
    let builder = builder.register::<waits>().register::<pays>().register::<fails>();
    builder.register::<counts>().register::<runs>()
}

pub async fn engine(store: &Arc<FailingStore>, world: &Arc<World>) -> Engine<App> {
    builder(store, world).start().await.unwrap()
}

pub async fn in_memory(world: &Arc<World>) -> Engine<App> {
    Engine::in_memory().resources(App { world: world.clone() }).register::<waits>().start().await.unwrap()
}

pub fn by(actor: &str) -> By {
    By { actor: actor.to_owned(), reason: None }
}

pub const RETRY: Operation = Operation::Retry { step: None };

pub fn number(n: u64) -> Operation {
    Operation::Signal { name: "number".to_owned(), value: json!(n) }
}

pub fn set(step: &str, value: Json) -> Operation {
    Operation::Set { step: step.to_owned(), value }
}

/// Lets everything happen that does not wait for long.
pub async fn settle() {
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Lets a moment pass in which nothing is due, so that what can go on does.
pub async fn turns(count: u64) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

/// Leaves a request, as another process does.
pub fn ask(store: &FailingStore, run: &str, operation: &Operation) -> i64 {
    let operation = serde_json::to_string(operation).unwrap();
    let (run, actor) = (Some(run.to_owned()), "visitor".to_owned());
    store.memory.request(Request { run, operation, actor, reason: None, at: Timestamp(1) }).unwrap()
}

/// Waits in real time, as threads do, until a request is answered.
pub async fn answered(store: &FailingStore, number: i64) -> Result<String, String> {
    let begun = std::time::Instant::now();
    loop {
        let asked = requests(store).into_iter().find(|asked| asked.number == number).unwrap();
        if let Some(answer) = asked.answer {
            return answer.result;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "request {number} is not answered");
        // Not on tokio's clock, which may be steered and must not run away.
        tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(5))).await.unwrap();
    }
}

pub fn requests(store: &FailingStore) -> Vec<StoredRequest> {
    store.memory.requests(None, 999).unwrap()
}

pub fn rows(store: &FailingStore) -> Vec<StoredRun> {
    store.memory.list(&RunFilter { at_most: 9_999, ..RunFilter::default() }).unwrap()
}

pub fn row(store: &FailingStore, id: &str) -> StoredRun {
    store.memory.find(id).unwrap().pop().unwrap()
}

pub fn state(store: &FailingStore, id: &str) -> RunState {
    row(store, id).state
}

pub fn heard(store: &FailingStore, id: &str, what: &str) -> usize {
    let journal = store.memory.journal(row(store, id).run).unwrap();
    journal.iter().filter(|entry| entry.event.contains(what)).count()
}

/// The doctor finds nothing, and everybody who asked was answered.
#[track_caller]
pub fn healthy(store: &FailingStore) {
    let report = examine(&store.memory, &GRAPHS).unwrap();
    assert!(report.is_healthy(), "{report}");
    let open = store.memory.open_requests().unwrap();
    assert!(open.is_empty(), "{open:?}");
}
