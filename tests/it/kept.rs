//! What was computed once is that for ever: the items of a `for`, and what a
//! step is given.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use support::says;
use workflow_runtime::store::Memory;
use workflow_runtime::testing::block_on;
use workflow_runtime::{By, Cause, Context, Engine, Error, Operation, Resources, Run, task, workflow};

/// What is done, outside of any run.
#[derive(Default)]
struct World {
    /// Each item, and how often it was done.
    done: Mutex<BTreeMap<String, u32>>,
    /// What each attempt of a step was given, by its idempotency key.
    given: Mutex<BTreeMap<String, Vec<String>>>,
    /// How many attempts still fail.
    failing: AtomicU64,
}

#[derive(Resources)]
struct App {
    world: Arc<World>,
}

impl World {
    fn failing(times: u64) -> Arc<Self> {
        Arc::new(Self { failing: AtomicU64::new(times), ..Self::default() })
    }

    fn fails(&self) -> bool {
        self.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |times| times.checked_sub(1)).is_ok()
    }
}

fn ann() -> By {
    By { actor: "ann".to_owned(), reason: None }
}

fn prices() -> HashMap<String, u64> {
    (0..12).map(|n| (format!("item {n}"), n)).collect()
}

#[derive(Debug, thiserror::Error)]
#[error("not now")]
struct NotNow;

/// The last item fails as often as the world says.
#[task]
async fn book(item: (String, u64), #[resource] world: &Arc<World>) -> Result<u64, NotNow> {
    if world.done.lock().unwrap().len() == 11 && world.fails() {
        return Err(NotNow);
    }
    *world.done.lock().unwrap().entry(item.0).or_default() += 1;
    Ok(item.1 * 10)
}

#[task]
async fn list() -> HashMap<String, u64> {
    prices()
}

#[task]
async fn paired(keys: Vec<String>, results: Vec<u64>) -> BTreeMap<String, u64> {
    keys.into_iter().zip(results).collect()
}

workflow! {
    fn booked() -> Result<BTreeMap<String, u64>> {
        let prices = list();
        let results = for item in prices.clone() {
            book(item)?
        };
        let pairs = paired(prices.keys().cloned().collect(), results);
        Ok(pairs)
    }
}

fn all_booked() -> BTreeMap<String, u64> {
    prices().into_iter().map(|(name, price)| (name, price * 10)).collect()
}

async fn engine(store: &Memory, world: &Arc<World>) -> Engine<App> {
    let engine = Engine::with_store(Arc::new(store.clone())).resources(App { world: world.clone() });
    engine.register::<booked>().register::<told>().register::<sets>().start().await.unwrap()
}

/// One item fails; an operator retries, in this process or in the next.
#[test]
fn each_item_of_a_map_is_done_once_whoever_goes_on() {
    for restarts in [false, true] {
        for _ in 0..5 {
            block_on(async move {
                let (store, world) = (Memory::new(), World::failing(2));
                let mut first = engine(&store, &world).await;
                let run = first.start(booked()).await.unwrap();
                let id = run.id().to_owned();
                assert!(run.await.is_err());
                for _ in 0..2 {
                    if restarts {
                        first.shutdown().await;
                        first = engine(&store, &world).await;
                    }
                    first.operate(Some(&id), Operation::Retry { step: None }, ann()).await.unwrap();
                    first.run(&id).await.unwrap().wait().await;
                }
                let run: Run<BTreeMap<String, u64>> = first.run(&id).await.unwrap().typed().unwrap();
                assert_eq!(run.await.unwrap(), all_booked());
                let done = world.done.lock().unwrap().clone();
                assert!(done.len() == 12 && done.values().all(|times| *times == 1), "{done:?}");
                // And another run that keeps the results.
                let from = Operation::Fork { from: "booked/pairs".to_owned() };
                let fork = first.operate(Some(&id), from, ann()).await.unwrap();
                let fork: Run<BTreeMap<String, u64>> = first.run(&fork).await.unwrap().typed().unwrap();
                assert_eq!(fork.await.unwrap(), all_booked());
                assert_eq!(world.done.lock().unwrap().len(), 12);
                first.shutdown().await;
            });
        }
    }
}

#[task]
async fn shout(word: String, #[resource] world: &Arc<World>) -> String {
    *world.done.lock().unwrap().entry(word.clone()).or_default() += 1;
    word.to_uppercase()
}

workflow! {
    fn sets(words: HashSet<String>) -> Result<Vec<String>> {
        let first = for word in words.clone() {
            shout(word)
        };
        signal::<()>("go");
        let loud: Vec<String> = words.iter().map(|word| word.to_uppercase()).collect();
        let second = for word in loud {
            shout(word)
        };
        let pairs = compared(first, second, words.iter().cloned().collect());
        Ok(pairs)
    }
}

#[task]
async fn compared(first: Vec<String>, second: Vec<String>, words: Vec<String>) -> Vec<String> {
    let upper: Vec<String> = words.iter().map(|word| word.to_uppercase()).collect();
    assert_eq!((&first, &second), (&upper, &upper), "results stand in the order of their items");
    let mut words = words;
    words.sort();
    words
}

#[test]
fn a_set_is_gone_over_once_in_every_process() {
    block_on(async {
        let (store, world) = (Memory::new(), World::failing(0));
        let words: HashSet<String> = ["a", "b", "c", "d", "e", "f", "g"].map(str::to_owned).into();
        let mut engine_now = engine(&store, &world).await;
        let id = engine_now.start(sets(words.clone())).await.unwrap().id().to_owned();
        for _ in 0..3 {
            engine_now.run(&id).await.unwrap();
            support::settle().await;
            engine_now.shutdown().await;
            engine_now = engine(&store, &world).await;
        }
        let run: Run<Vec<String>> = engine_now.run(&id).await.unwrap().typed().unwrap();
        run.signal(sets::go, ()).await.unwrap();
        assert_eq!(run.await.unwrap(), ["a", "b", "c", "d", "e", "f", "g"]);
        let done = world.done.lock().unwrap();
        assert!(done.len() == 14 && done.values().all(|times| *times == 1), "{done:?}");
    });
}

static TICKS: AtomicU64 = AtomicU64::new(0);

/// Another value each time, like a clock.
fn tick() -> u64 {
    TICKS.fetch_add(1, Ordering::SeqCst)
}

#[task(retry(attempts = 3, backoff = fixed("1s")), undo = untell)]
async fn tell(
    at: u64,
    words: &[String],
    note: &str,
    #[resource] world: &Arc<World>,
    #[context] cx: &Context,
) -> Result<u64, NotNow> {
    let given = format!("{at} {words:?} {note}");
    world.given.lock().unwrap().entry(cx.idempotency_key()).or_default().push(given);
    if world.fails() { Err(NotNow) } else { Ok(at) }
}

#[task]
async fn untell(
    _told: &u64,
    at: &u64,
    words: &[String],
    note: &str,
    #[resource] world: &Arc<World>,
    #[context] cx: &Context,
) {
    let given = format!("{at} {words:?} {note}");
    let key = cx.idempotency_key().replace("/undo", "");
    world.given.lock().unwrap().entry(key).or_default().push(given);
}

#[task]
async fn end_badly(_told: u64) -> Result<(), NotNow> {
    Err(NotNow)
}

workflow! {
    fn told(names: HashMap<String, u64>, ends_well: bool) -> Result<u64> {
        let told = tell((tick)(), &names.keys().cloned().collect::<Vec<_>>(), &format!("{names:?}"))?;
        if !ends_well {
            end_badly(told)?;
        }
        Ok(told)
    }
}

/// Attempts of one life, of two processes, of two lives, and the undo.
#[test]
fn a_step_is_given_the_same_at_every_attempt() {
    block_on(async {
        let (store, world) = (Memory::new(), World::failing(4));
        let first = engine(&store, &world).await;
        let run = first.start(told(prices(), false)).await.unwrap();
        let id = run.id().to_owned();
        support::settle().await;
        drop(run);
        first.shutdown().await;
        let second = engine(&store, &world).await;
        second.run(&id).await.unwrap().wait().await;
        second.operate(Some(&id), Operation::Retry { step: None }, ann()).await.unwrap();
        second.run(&id).await.unwrap().wait().await;
        second.shutdown().await;
        let given = world.given.lock().unwrap();
        let given: Vec<&String> = given.values().flatten().collect();
        assert!(given.len() >= 6, "{given:#?}");
        assert!(given.iter().all(|words| *words == given[0]), "{given:#?}");
    });
}

/// Written, and not read.
#[derive(Clone, serde::Serialize)]
struct OneWay(u64);

#[task(retry(attempts = 3, backoff = fixed("1s")))]
async fn take_one_way(_value: OneWay) -> Result<u64, NotNow> {
    Err(NotNow)
}

workflow! {
    fn one_way() -> Result<u64> {
        let taken = take_one_way(OneWay((tick)()))?;
        Ok(taken)
    }
}

#[test]
fn arguments_that_change_and_cannot_be_kept_fail_their_step() {
    block_on(async {
        let engine = Engine::with_store(Arc::new(Memory::new())).start().await.unwrap();
        let Err(Error::Failed { error, .. }) = engine.start(one_way()).await.unwrap().await else {
            panic!("other arguments were taken");
        };
        assert_eq!((error.failure().cause, error.attempts()), (Cause::Fatal, 1));
        says(&error.to_string(), &["arguments of `take_one_way`", "have a task find out"]);
    });
}
