//! What the engine promises, a test for each, named after it.
//!
//! Every `block_on` is a process: what is left in it when it ends is gone.
//! Promise 8 is in `crash`, with real processes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use workflow_runtime::run::{RunState, StepState, Wait};
use workflow_runtime::testing::block_on;
use workflow_runtime::{Context, Engine, Error, Operation, Resources, Run, StepError, task, workflow};

use crate::failing_store::{FailingStore, Fault};

/// What lies outside of all processes.
#[derive(Default)]
struct World {
    /// The step, the attempt and the idempotency key of every start.
    starts: Mutex<Vec<(String, u32, String)>>,
    /// Whether `gate` goes through.
    open: AtomicUsize,
    /// Whoever waits there.
    waiting: tokio::sync::Notify,
}

impl World {
    fn note(&self, cx: &Context) {
        self.starts.lock().unwrap().push((cx.step(), cx.attempt(), cx.idempotency_key()));
    }

    fn starts(&self, step: &str) -> usize {
        self.starts.lock().unwrap().iter().filter(|(path, ..)| path == step).count()
    }

    fn keys(&self, step: &str) -> Vec<String> {
        let starts = self.starts.lock().unwrap();
        starts.iter().filter(|(path, ..)| path == step).map(|(.., key)| key.clone()).collect()
    }

    fn attempts(&self, step: &str) -> Vec<u32> {
        let starts = self.starts.lock().unwrap();
        starts.iter().filter(|(path, ..)| path == step).map(|(_, attempt, _)| *attempt).collect()
    }
}

#[derive(Resources)]
struct App {
    world: Arc<World>,
}

#[task]
async fn step(n: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> u64 {
    world.note(cx);
    n + 1
}

/// Waits until the world is open.
async fn pass(world: &World) {
    if world.open.load(Ordering::SeqCst) == 0 {
        world.waiting.notified().await;
    }
}

#[task]
async fn gate(n: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> u64 {
    world.note(cx);
    pass(world).await;
    n + 1
}

#[task(at_most_once)]
async fn pay(n: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> u64 {
    world.note(cx);
    pass(world).await;
    n + 1
}

#[task(concurrency = 1)]
async fn narrow(n: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> u64 {
    world.note(cx);
    pass(world).await;
    n + 1
}

workflow! {
    fn chain(n: u64) -> Result<u64> {
        let a = step(n);
        let b = gate(a);
        let c = step(b);
        Ok(c)
    }
}

async fn engine(store: &Arc<FailingStore>, world: &Arc<World>) -> Engine<App> {
    let builder = Engine::with_store(store.clone()).resources(App { world: world.clone() });
    let builder = builder.register::<chain>().register::<paid>().register::<waits>().register::<narrows>();
    let builder = builder.register::<raced>().register::<tries>().register::<naps>().register::<left>();
    let builder = builder.register::<overtaken>();
    builder.grace(Duration::from_secs(5)).start().await.unwrap()
}

/// Lets everything happen that does not wait.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

async fn until_waiting<T>(run: &Run<T>, path: &str) {
    while !matches!(
        run.snapshot().step(path).map(|step| step.state),
        Some(StepState::Waiting(Wait::Signal { .. } | Wait::Timer { .. }))
    ) {
        settle().await;
    }
}

#[test]
fn promise_01_a_run_starts_at_most_once_per_key() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    world.open.store(1, Ordering::SeqCst);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let engine = engine(&store, &world).await;
        let starts = (0..50).map(|_| {
            let engine = engine.clone();
            tokio::spawn(async move {
                let run = engine.start(chain(1)).key("once").await.unwrap();
                (run.id().to_owned(), run.await.unwrap())
            })
        });
        let mut ended = Vec::new();
        for start in starts.collect::<Vec<_>>() {
            ended.push(start.await.unwrap());
        }
        ended.dedup();
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].1, 4);
        assert!(matches!(engine.start(chain(2)).key("once").await, Err(Error::KeyInUse { .. })));
    });
    drop(runtime);
    block_on(async {
        let run = engine(&store.reopen(), &world).await.start(chain(1)).key("once").await.unwrap();
        assert_eq!(run.await.unwrap(), 4);
    });
    assert_eq!(["chain/a", "chain/b", "chain/c"].map(|path| world.starts(path)), [1, 1, 1]);
}

#[test]
fn promise_01_a_start_that_nobody_waits_for_any_more_is_a_start() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    world.open.store(1, Ordering::SeqCst);
    block_on(async {
        let engine = engine(&store, &world).await;
        store.after(0, Fault::Hold);
        let start =
            tokio::time::timeout(Duration::from_secs(1), engine.start(chain(1)).key("dropped").into_future());
        assert!(start.await.is_err());
        store.release();
        settle().await;
        assert_eq!(world.starts("chain/c"), 1);
        assert_eq!(engine.start(chain(1)).key("dropped").await.unwrap().await.unwrap(), 4);
    });
}

#[test]
fn promise_02_an_attempt_starts_only_after_the_commit_that_says_so() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    world.open.store(1, Ordering::SeqCst);
    store.always(Some(Fault::Hold));
    block_on(async {
        let engine = engine(&store, &world).await;
        let start = tokio::spawn(engine.start(chain(1)).key("held").into_future());
        for step in ["chain/a", "chain/b", "chain/c"] {
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert_eq!(world.starts(step), 0, "{step} started before its commit");
            assert_eq!(store.release(), 1);
            settle().await;
            assert_eq!(world.starts(step), 1);
        }
        let run = start.await.unwrap().unwrap();
        // Nor is an end told before it is committed.
        assert_eq!(store.stored("held").state, RunState::Succeeded);
        assert_eq!(run.state(), RunState::Running);
        assert!(tokio::time::timeout(Duration::from_secs(60), run.wait()).await.is_err());
        run.trace().assert_state("chain/c", StepState::Running);
        store.release();
        assert_eq!(run.state(), RunState::Succeeded);
        assert_eq!(run.await.unwrap(), 4);
    });
}

#[test]
fn promise_03_a_step_whose_success_is_committed_never_starts_again() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    block_on(async {
        let engine = engine(&store, &world).await;
        let _run = engine.start(chain(1)).key("k").await.unwrap();
        settle().await;
    });
    block_on(async {
        let engine = engine(&store, &world).await;
        let run = engine.start(chain(1)).key("k").await.unwrap();
        settle().await;
        // Written, and whoever wrote it does not know.
        store.after(0, Fault::WriteAndFail);
        world.open.store(1, Ordering::SeqCst);
        world.waiting.notify_waiters();
        assert!(matches!(run.await, Err(Error::Stopped { .. })));
    });
    assert_eq!(["chain/a", "chain/b", "chain/c"].map(|path| world.starts(path)), [1, 2, 0]);
    block_on(async {
        let run = engine(&store.reopen(), &world).await.start(chain(1)).key("k").await.unwrap();
        assert_eq!(run.await.unwrap(), 4);
    });
    assert_eq!(["chain/a", "chain/b", "chain/c"].map(|path| world.starts(path)), [1, 2, 1]);
}

#[test]
fn promise_03_a_run_that_is_asked_for_by_many_goes_on_once() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    block_on(async {
        let _run = engine(&store, &world).await.start(chain(1)).key("k").await.unwrap();
        settle().await;
    });
    block_on(async {
        // Nothing is registered, so whoever asks first has the run go on.
        let builder = Engine::with_store(store.reopen()).resources(App { world: world.clone() });
        let engine = builder.start().await.unwrap();
        let ask = || tokio::spawn(engine.start(chain(1)).key("k").into_future());
        let asked: Vec<_> = (0..16).map(|_| ask()).collect();
        let mut runs = Vec::new();
        for run in asked {
            runs.push(run.await.unwrap().unwrap());
        }
        settle().await;
        assert_eq!(world.starts("chain/b"), 2);
        world.open.store(1, Ordering::SeqCst);
        world.waiting.notify_waiters();
        for run in runs {
            assert_eq!(run.await.unwrap(), 4);
        }
    });
    assert_eq!(["chain/a", "chain/b", "chain/c"].map(|path| world.starts(path)), [1, 2, 1]);
}

#[test]
fn promise_04_every_attempt_of_a_step_has_the_same_idempotency_key() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    for _ in 0..2 {
        block_on(async {
            let _run = engine(&store.reopen(), &world).await.start(chain(1)).key("k").await.unwrap();
            settle().await;
        });
    }
    world.open.store(1, Ordering::SeqCst);
    block_on(async {
        let run = engine(&store.reopen(), &world).await.start(chain(1)).key("k").await.unwrap();
        run.await.unwrap();
    });
    let mut keys = world.keys("chain/b");
    assert_eq!(keys.len(), 3);
    keys.dedup();
    assert_eq!(keys.len(), 1);
    assert_ne!(keys, world.keys("chain/a"));
}

workflow! {
    fn paid(n: u64) -> Result<u64> {
        let receipt = pay(n);
        let booked = step(receipt);
        Ok(booked)
    }
}

#[test]
fn promise_05_an_at_most_once_attempt_that_was_lost_is_not_repeated() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    block_on(async {
        let _run = engine(&store, &world).await.start(paid(1)).key("k").await.unwrap();
        settle().await;
        assert_eq!(world.starts("paid/receipt"), 1);
    });
    world.open.store(1, Ordering::SeqCst);
    for _ in 0..2 {
        block_on(async {
            let engine = engine(&store.reopen(), &world).await;
            let run = engine.start(paid(1)).key("k").await.unwrap();
            assert!(tokio::time::timeout(Duration::from_secs(1_000_000), run.wait()).await.is_err());
            let snapshot = run.snapshot();
            assert_eq!(snapshot.state, RunState::Waiting);
            assert_eq!(snapshot.step("paid/receipt").unwrap().state, StepState::OutcomeUnknown);
            assert_eq!(world.starts("paid/receipt"), 1);
            assert_eq!(world.starts("paid/booked"), 0);
        });
    }
    assert_eq!(store.stored("k").state, RunState::Waiting);
    block_on(async {
        let engine = engine(&store.reopen(), &world).await;
        let run = engine.start(paid(1)).key("k").await.unwrap();
        run.cancel().await.unwrap();
        assert!(matches!(run.await, Err(Error::Cancelled { .. })));
    });
}

#[test]
fn promise_07_no_dependant_starts_before_what_it_needs_is_committed() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    world.open.store(1, Ordering::SeqCst);
    block_on(async {
        let engine = engine(&store, &world).await;
        store.after(1, Fault::Hold);
        let run = engine.start(chain(1)).key("k").await.unwrap();
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!((world.starts("chain/a"), world.starts("chain/b")), (1, 0));
        assert!(store.events("k").last().unwrap().contains("attempt_succeeded"));
        store.release();
        assert_eq!(run.await.unwrap(), 4);
    });
}

#[task]
async fn stubborn(n: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> u64 {
    world.note(cx);
    cx.cancelled().await;
    // It uses the grace time to end well, which is too late.
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.note(cx);
    n
}

workflow! {
    fn raced(n: u64) -> Result<u64> {
        let first = select! {
            x = stubborn(n) => step(x),
            _ = sleep("1m") => step(100),
        };
        let nap = sleep("1h");
        #[after(nap)]
        let sum = step(first);
        Ok(sum)
    }
}

#[test]
fn promise_09_a_late_result_of_an_attempt_that_was_given_up_is_refused() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    block_on(async {
        let run = engine(&store, &world).await.start(raced(1)).key("k").await.unwrap();
        assert_eq!(run.clone().await.unwrap(), 102);
        let loser = run.snapshot();
        let loser = loser.steps.iter().find(|step| step.task == "stubborn").unwrap();
        assert_eq!(loser.state, StepState::Cancelled);
        assert_eq!(world.starts(&loser.path), 2, "it went on to its end");
        let mut keys = world.keys(&loser.path);
        keys.dedup();
        assert_eq!(keys.len(), 1);
    });
    let succeeded = store.events("k").iter().filter(|event| event.contains("attempt_succeeded")).count();
    assert_eq!(succeeded, 2);
}

#[task(retry(attempts = 2, backoff = fixed("1m")))]
async fn risky(
    n: u64,
    #[context] cx: &Context,
    #[resource] world: &Arc<World>,
) -> Result<u64, std::io::Error> {
    world.note(cx);
    pass(world).await;
    if cx.attempt() == 1 { Err(std::io::Error::other("no")) } else { Ok(n) }
}

workflow! {
    fn tries(n: u64) -> Result<u64> {
        let risk = risky(n)?;
        let sum = step(risk);
        Ok(sum)
    }
}

#[test]
fn promise_10_a_lost_attempt_does_not_use_up_a_retry() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    for _ in 0..2 {
        block_on(async {
            let _run = engine(&store.reopen(), &world).await.start(tries(1)).key("k").await.unwrap();
            settle().await;
        });
    }
    world.open.store(1, Ordering::SeqCst);
    block_on(async {
        let run = engine(&store.reopen(), &world).await.start(tries(1)).key("k").await.unwrap();
        assert_eq!(run.await.unwrap(), 2);
    });
    assert_eq!(world.attempts("tries/risk"), [1, 1, 1, 2]);
}

/// A process that dies as soon as the attempt of the step has begun once more,
/// and how long that took; a state that has no next attempt, instead.
fn die_in(store: &Arc<FailingStore>, world: &Arc<World>, path: &str) -> Result<Duration, StepState> {
    block_on(async {
        let began = tokio::time::Instant::now();
        let starts = world.starts(path);
        let run = engine(&store.reopen(), world).await.start(tries(1)).key("k").await.unwrap();
        for _ in 0..1000 {
            if world.starts(path) > starts {
                return Ok(began.elapsed());
            }
            match run.snapshot().step(path).map(|step| step.state) {
                Some(StepState::Suspected) => return Err(StepState::Suspected),
                Some(StepState::Waiting(Wait::Backoff { .. })) => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                _ => settle().await,
            }
        }
        panic!("neither another attempt nor an end: {:?}", run.snapshot());
    })
}

#[test]
fn promise_10_a_step_lost_ten_times_in_a_row_is_suspected_and_fails_nothing() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    let waits: Vec<Duration> = (0..10).map(|_| die_in(&store, &world, "tries/risk").unwrap()).collect();
    // The first attempt, and then 0, 0, 1, 2, 4 ... seconds.
    let at_least = [0.0, 0.0, 0.0, 0.75, 1.5, 3.0, 6.0, 12.0, 24.0, 48.0];
    for (number, (wait, least)) in waits.iter().zip(at_least).enumerate() {
        let wait = wait.as_secs_f64();
        assert!((least..=least / 0.75 * 1.25 + 1.5).contains(&wait), "attempt {number} after {waits:?}");
    }
    assert_eq!(die_in(&store, &world, "tries/risk"), Err(StepState::Suspected));
    assert_eq!(store.stored("k").state, RunState::Waiting);
    // However often the process starts, and however long it lives.
    for _ in 0..3 {
        block_on(async {
            let run = engine(&store.reopen(), &world).await.start(tries(1)).key("k").await.unwrap();
            tokio::time::sleep(Duration::from_secs(86_400)).await;
            assert_eq!(run.state(), RunState::Waiting);
        });
    }
    assert_eq!(world.attempts("tries/risk"), [1; 10], "none of them counts");
    assert!(workflow_runtime::doctor::examine(&*store, &[tries::GRAPH]).unwrap().is_healthy());
}

#[test]
fn promise_10_an_operator_has_a_suspected_step_attempted_again_or_settles_or_cancels_it() {
    let by = || workflow_runtime::By { actor: "ann".to_owned(), reason: None };
    let suspected = || {
        let (store, world) = (FailingStore::new(), Arc::new(World::default()));
        for _ in 0..10 {
            die_in(&store, &world, "tries/risk").unwrap();
        }
        (store, world)
    };
    let operate = |store: &Arc<FailingStore>, world: &Arc<World>, operation| {
        world.open.store(1, Ordering::SeqCst);
        block_on(async {
            let engine = engine(&store.reopen(), world).await;
            let run = engine.start(tries(1)).key("k").await.unwrap();
            settle().await;
            assert_eq!(run.snapshot().step("tries/risk").unwrap().state, StepState::Suspected);
            engine.operate(Some(run.id()), operation, by()).await.unwrap();
            run.await
        })
    };
    let step = || "tries/risk".to_owned();
    for operation in [Operation::Retry { step: Some(step()) }, Operation::Retry { step: None }] {
        let (store, world) = suspected();
        assert_eq!(operate(&store, &world, operation).unwrap(), 2);
        assert_eq!(world.attempts("tries/risk").last(), Some(&2), "two attempts are left to it, as ever");
    }
    let (store, world) = suspected();
    let operation = Operation::Set { step: step(), value: 7.into() };
    assert_eq!(operate(&store, &world, operation).unwrap(), 8);
    let (store, world) = suspected();
    let cancelled = operate(&store, &world, Operation::Cancel);
    assert!(matches!(cancelled, Err(Error::Cancelled { .. })), "{cancelled:?}");
}

#[test]
fn promise_10_what_was_decided_and_has_not_begun_is_not_lost_once_more() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    die_in(&store, &world, "tries/risk").unwrap();
    // A program that ends as it starts, again and again: nothing begins, and
    // nothing more is written.
    let mut entries = Vec::new();
    for number in 0..30 {
        let again = store.reopen();
        // The loss is written, and the turn of the next attempt never.
        if number == 0 {
            again.after(1, Fault::Fail);
        }
        again.always(Some(Fault::Fail));
        block_on(async {
            drop(engine(&again, &world).await);
        });
        entries.push(store.events("k").len());
    }
    assert_eq!(world.starts("tries/risk"), 1);
    assert!(entries[2..].iter().all(|length| *length == entries[2]), "{entries:?}");
    world.open.store(1, Ordering::SeqCst);
    block_on(async {
        let run = engine(&store.reopen(), &world).await.start(tries(1)).key("k").await.unwrap();
        assert_eq!(run.await.unwrap(), 2);
    });
}

#[test]
fn promise_10_an_interrupted_attempt_is_neither_a_retry_nor_a_loss() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    for _ in 0..5 {
        block_on(async {
            let engine = engine(&store.reopen(), &world).await;
            let run = engine.start(tries(1)).key("k").await.unwrap();
            settle().await;
            engine.shutdown().await;
            assert!(matches!(run.await, Err(Error::ShutDown)));
        });
        assert_eq!(store.stored("k").state, RunState::Running, "it is not queued again");
    }
    world.open.store(1, Ordering::SeqCst);
    block_on(async {
        let run = engine(&store.reopen(), &world).await.start(tries(1)).key("k").await.unwrap();
        assert_eq!(run.await.unwrap(), 2);
    });
    assert_eq!(world.attempts("tries/risk"), [1, 1, 1, 1, 1, 1, 2]);
}

workflow! {
    fn naps(n: u64) -> Result<u64> {
        let nap = sleep("1h");
        #[after(nap)]
        let sum = step(n);
        let other = signal::<u64>("never").within("2h");
        let words = worded(other);
        let all = step(sum + words);
        Ok(all)
    }
}

#[task]
async fn worded(result: Result<u64, StepError>) -> u64 {
    if result.is_err() { 10 } else { 0 }
}

#[test]
fn promise_11_timers_are_armed_again() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    block_on(async {
        let run = engine(&store, &world).await.start(naps(1)).key("k").await.unwrap();
        until_waiting(&run, "naps/nap").await;
    });
    block_on(async {
        let begun = tokio::time::Instant::now();
        let run = engine(&store.reopen(), &world).await.start(naps(1)).key("k").await.unwrap();
        assert_eq!(run.await.unwrap(), 13);
        let hours = begun.elapsed().as_secs_f64() / 3600.0;
        assert!((1.9..2.1).contains(&hours), "{hours}");
    });
}

#[test]
fn promise_11_timers_that_came_due_meanwhile_fire_at_once() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    block_on(async {
        let run = engine(&store, &world).await.start(naps(1)).key("k").await.unwrap();
        until_waiting(&run, "naps/nap").await;
    });
    block_on(async {
        // As if all that were three hours ago.
        let late = store.reopen();
        late.rewrite(|entries| {
            for entry in entries {
                entry.at.0 -= 3 * 3_600_000_000_000;
                if let Some((before, until)) = entry.event.split_once("\"until\":") {
                    let until: u64 = until.trim_end_matches('}').parse().unwrap();
                    entry.event = format!("{before}\"until\":{}}}", until - 3 * 3_600_000_000_000);
                }
            }
        });
        let begun = tokio::time::Instant::now();
        let run = engine(&late, &world).await.start(naps(1)).key("k").await.unwrap();
        assert_eq!(run.await.unwrap(), 13);
        assert!(begun.elapsed() < Duration::from_secs(1));
    });
}

workflow! {
    fn narrows(n: u64) -> Result<u64> {
        let list = listed(n);
        let all = for one in list { narrow(one) };
        let sum = summed(&all);
        Ok(sum)
    }
}

#[task]
async fn listed(n: u64) -> Vec<u64> {
    (0..n).collect()
}

#[task]
async fn summed(list: &[u64]) -> u64 {
    list.iter().sum()
}

#[test]
fn promise_11_slots_are_asked_for_again() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    block_on(async {
        let _run = engine(&store, &world).await.start(narrows(3)).key("k").await.unwrap();
        settle().await;
        assert_eq!(world.starts.lock().unwrap().len(), 1);
    });
    world.open.store(1, Ordering::SeqCst);
    block_on(async {
        let run = engine(&store.reopen(), &world).await.start(narrows(3)).key("k").await.unwrap();
        assert_eq!(run.await.unwrap(), 6);
    });
}

#[task]
async fn fail(n: u64) -> Result<u64, std::io::Error> {
    Err(std::io::Error::other(format!("no {n}")))
}

workflow! {
    fn left(n: u64) -> Result<u64> {
        let holder = narrow(n);
        let _soon = sleep("1s");
        #[after(_soon)]
        let queued = narrow(n);
        let later = sleep("1m");
        #[after(later)]
        let failed = fail(n)?;
        let sum = step(holder + queued + failed);
        #[always]
        narrow(7);
        Ok(sum)
    }
}

#[test]
fn promise_11_a_slot_that_was_not_wanted_any_more_is_not_asked_for_again() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    block_on(async {
        let run = engine(&store, &world).await.start(left(1)).key("k").await.unwrap();
        tokio::time::sleep(Duration::from_secs(120)).await;
        run.trace().assert_state("left/queued", StepState::Cancelled);
    });
    world.open.store(1, Ordering::SeqCst);
    block_on(async {
        let run = engine(&store.reopen(), &world).await.start(left(1)).key("k").await.unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(3600), run.clone()).await;
        let ended = ended.unwrap_or_else(|_| panic!("{}", run.trace()));
        assert!(matches!(ended, Err(Error::Failed { .. })));
    });
    assert_eq!(world.starts("left/narrow"), 1);
}

workflow! {
    fn overtaken(n: u64) -> Result<u64> {
        let first = select! {
            x = narrow(n) => step(x),
            _ = sleep("1m") => step(100),
        };
        let last = narrow(first);
        Ok(last)
    }
}

#[test]
fn promise_11_a_slot_is_given_back_by_an_attempt_that_came_too_late_to_begin() {
    for backwards in [false, true] {
        let (store, world) = (FailingStore::new(), Arc::new(World::default()));
        world.open.store(1, Ordering::SeqCst);
        block_on(async {
            let engine = engine(&store, &world).await;
            store.always(Some(Fault::Hold));
            let start = tokio::spawn(engine.start(overtaken(1)).key("k").into_future());
            settle().await;
            store.release();
            let run = start.await.unwrap().unwrap();
            // The commit that starts the attempt is not heard of for long, and
            // meanwhile the attempt has lost.
            tokio::time::sleep(Duration::from_secs(120)).await;
            store.always(None);
            if backwards {
                store.release_backwards();
            } else {
                store.release_first();
                settle().await;
                store.release();
            }
            let ended = tokio::time::timeout(Duration::from_secs(3600), run.clone()).await;
            assert_eq!(ended.unwrap_or_else(|_| panic!("{}", run.trace())).unwrap(), 102);
        });
    }
}

workflow! {
    fn waits(n: u64) -> Result<u64> {
        let before = gate(n);
        #[after(before)]
        let first = signal::<u64>("number");
        #[after(first)]
        let second = signal::<u64>("number");
        let sum = step(first * 10 + second);
        Ok(sum)
    }
}

#[test]
fn promise_11_a_signal_that_was_accepted_is_delivered_once() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    block_on(async {
        let run = engine(&store, &world).await.start(waits(1)).key("k").await.unwrap();
        settle().await;
        run.signal(waits::number, 4).await.unwrap();
    });
    world.open.store(1, Ordering::SeqCst);
    for _ in 0..2 {
        block_on(async {
            let run = engine(&store.reopen(), &world).await.start(waits(1)).key("k").await.unwrap();
            until_waiting(&run, "waits/second").await;
            assert!(tokio::time::timeout(Duration::from_secs(3600), run.wait()).await.is_err());
            run.trace().assert_state("waits/first", StepState::Succeeded { cached: false });
        });
    }
    block_on(async {
        let run = engine(&store.reopen(), &world).await.start(waits(1)).key("k").await.unwrap();
        run.signal(waits::number, 2).await.unwrap();
        assert_eq!(run.await.unwrap(), 43);
    });
}

#[test]
fn promise_11_a_run_that_was_created_and_nothing_more_begins() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    world.open.store(1, Ordering::SeqCst);
    block_on(async {
        let engine = engine(&store, &world).await;
        store.after(0, Fault::Hold);
        let start = tokio::spawn(engine.start(chain(1)).key("k").into_future());
        settle().await;
        start.abort();
    });
    block_on(async {
        let _engine = engine(&store.reopen(), &world).await;
        settle().await;
        assert_eq!(store.stored("k").state, RunState::Succeeded);
    });
}
