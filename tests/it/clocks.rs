//! A wall clock that is set: by a time server's step, because the machine
//! slept, or because it was restored. The time that passes goes on as before.

use std::io;
use std::ops::Deref as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::Instant;
use workflow_runtime::run::{RunState, StepState, Timestamp, Wait};
use workflow_runtime::store::{Memory, Store};
use workflow_runtime::testing::{block_on, set_wall_clock};
use workflow_runtime::{AnyRun, Context, Engine, task, workflow};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const SECOND: Duration = Duration::from_secs(1);

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

workflow! {
    fn sleeps() -> Result<()> {
        sleep("1h");
        Ok(())
    }
}

workflow! {
    fn sleeps_until(at: jiff::Timestamp) -> Result<()> {
        sleep_until(at);
        Ok(())
    }
}

workflow! {
    fn asks() -> Result<bool> {
        let answer = signal::<bool>("answer").within("1h");
        Ok(answer.is_ok())
    }
}

workflow! {
    fn chooses() -> Result<String> {
        let first = select! {
            answer = signal::<String>("answer") => answer,
            _ = sleep("1h") => "nobody".to_owned(),
        };
        Ok(first)
    }
}

/// Succeeds at the second attempt.
#[task(retry(attempts = 2, backoff = fixed("3h")))]
async fn flaky(#[context] cx: &Context) -> io::Result<u32> {
    if cx.attempt() == 1 { Err(io::Error::other("not yet")) } else { Ok(cx.attempt()) }
}

workflow! {
    fn retries() -> Result<u32> {
        let n = flaky()?;
        Ok(n)
    }
}

async fn engine(store: &Memory) -> Engine {
    let engine = Engine::with_store(Arc::new(store.clone()));
    let engine = engine.register::<sleeps>().register::<sleeps_until>().register::<asks>();
    engine.register::<chooses>().register::<retries>().start().await.unwrap()
}

/// Lets everything happen that does not wait.
async fn settle() {
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// How much time passes until a run of a store has ended: nobody holds it.
async fn until_ended(store: &Memory, id: &str) -> Duration {
    let begun = Instant::now();
    while store.find(id).unwrap()[0].end.is_none() {
        assert!(begun.elapsed() < 3 * DAY, "{id} still waits");
        tokio::time::sleep(SECOND / 2).await;
    }
    begun.elapsed()
}

fn is_about(passed: Duration, wanted: Duration) {
    assert!(passed >= wanted && passed < wanted + 5 * SECOND, "{passed:?} and not {wanted:?}");
}

/// Starts one of each that waits for an hour, and lets go of them if `left`.
async fn wait_an_hour(engine: &Engine, at: Timestamp, left: bool) -> (Vec<String>, Vec<AnyRun>) {
    let until = jiff::Timestamp::from_nanosecond(i128::from(at.0)).unwrap();
    let runs: Vec<AnyRun> = vec![
        engine.start(sleeps()).await.unwrap().deref().clone(),
        engine.start(sleeps_until(until)).await.unwrap().deref().clone(),
        engine.start(asks()).await.unwrap().deref().clone(),
        engine.start(chooses()).await.unwrap().deref().clone(),
    ];
    settle().await;
    let ids = runs.iter().map(|run| run.id().to_owned()).collect();
    (ids, if left { Vec::new() } else { runs })
}

fn now(store: &Memory, of: &str) -> Timestamp {
    store.find(of).unwrap()[0].created_at
}

#[test]
fn what_waits_for_a_time_of_day_follows_a_clock_that_is_set_forward() {
    for left in [true, false] {
        let store = Memory::new();
        block_on(async {
            let engine = engine(&store).await;
            let probe = engine.start(sleeps()).await.unwrap();
            let at = now(&store, probe.id()).after(HOUR);
            let (ids, _held) = wait_an_hour(&engine, at, left).await;
            set_wall_clock(hours(2));
            for id in &ids {
                assert!(until_ended(&store, id).await < 2 * SECOND, "{id}, left: {left}");
            }
            // Times that are stored from now on are the new ones.
            let later = engine.start(sleeps()).await.unwrap();
            assert!(now(&store, later.id()) >= now(&store, probe.id()).after(2 * HOUR));
        });
    }
}

#[test]
fn what_waits_for_a_time_of_day_follows_a_clock_that_is_set_back() {
    for left in [true, false] {
        let store = Memory::new();
        block_on(async {
            let engine = engine(&store).await;
            let probe = engine.start(sleeps()).await.unwrap();
            let at = now(&store, probe.id()).after(HOUR);
            let (ids, _held) = wait_an_hour(&engine, at, left).await;
            set_wall_clock(-hours(1));
            let begun = Instant::now();
            for id in &ids {
                until_ended(&store, id).await;
                is_about(begun.elapsed() + SECOND, 2 * HOUR);
            }
        });
    }
}

#[test]
fn a_backoff_never_exceeds_itself_where_the_clock_is_set_back() {
    for back in [1, 2, 24] {
        for left in [true, false] {
            let store = Memory::new();
            block_on(async {
                let engine = engine(&store).await;
                let begun = Instant::now();
                let run = engine.start(retries()).await.unwrap();
                let id = run.id().to_owned();
                let held = (!left).then_some(run);
                tokio::time::sleep(HOUR).await;
                set_wall_clock(-hours(back));
                until_ended(&store, &id).await;
                is_about(begun.elapsed(), 3 * HOUR);
                drop(held);
            });
        }
    }
}

#[test]
fn a_backoff_never_exceeds_itself_over_a_restart_with_the_clock_set_back() {
    let store = Memory::new();
    block_on(async {
        let first = engine(&store).await;
        let id = first.start(retries()).await.unwrap().id().to_owned();
        tokio::time::sleep(HOUR).await;
        assert!(store.find(&id).unwrap()[0].asleep);
        first.shutdown().await;
        set_wall_clock(-hours(24));
        let begun = Instant::now();
        let _second = engine(&store).await;
        until_ended(&store, &id).await;
        is_about(begun.elapsed(), 3 * HOUR);
    });
}

#[test]
fn a_backoff_ends_when_the_clock_shows_its_end() {
    let store = Memory::new();
    block_on(async {
        let engine = engine(&store).await;
        let run = engine.start(retries()).await.unwrap();
        settle().await;
        set_wall_clock(hours(4));
        let begun = Instant::now();
        assert_eq!(run.await.unwrap(), 2);
        assert!(begun.elapsed() < SECOND);
    });
}

/// Takes half an hour, and may take one.
#[task(timeout = "1h")]
async fn slow() -> io::Result<u32> {
    tokio::time::sleep(HOUR / 2).await;
    Ok(1)
}

static STUCK: AtomicU32 = AtomicU32::new(0);

#[task(deadline = "1h", retry(attempts = 5))]
async fn stuck() -> io::Result<u32> {
    STUCK.fetch_add(1, Ordering::Relaxed);
    std::future::pending().await
}

workflow! {
    fn takes_time() -> Result<u32> {
        let n = slow()?;
        Ok(n)
    }
}

workflow! {
    fn never() -> Result<u32> {
        let n = stuck()?;
        Ok(n)
    }
}

#[test]
fn time_limits_of_an_attempt_go_by_the_time_that_passes() {
    for by in [-24, 24] {
        block_on(async {
            let engine = Engine::in_memory().start().await.unwrap();
            let begun = Instant::now();
            let (run, stuck) =
                (engine.start(takes_time()).await.unwrap(), engine.start(never()).await.unwrap());
            settle().await;
            set_wall_clock(hours(by));
            assert_eq!(run.await.unwrap(), 1);
            is_about(begun.elapsed(), HOUR / 2);
            stuck.await.unwrap_err();
            is_about(begun.elapsed(), HOUR);
        });
    }
    assert_eq!(STUCK.load(Ordering::Relaxed), 2);
}

#[task(rate = "1/s")]
async fn rare(n: u32) -> u32 {
    n
}

workflow! {
    fn limited(n: u32) -> Result<Vec<u32>> {
        let numbers: Vec<u32> = (0..n).collect();
        let all = for i in numbers {
            rare(i)
        };
        Ok(all)
    }
}

#[test]
fn a_rate_goes_by_the_time_that_passes() {
    for by in [-24, 24] {
        block_on(async {
            let engine = Engine::in_memory().start().await.unwrap();
            let begun = Instant::now();
            let run = engine.start(limited(5)).await.unwrap();
            settle().await;
            set_wall_clock(hours(by));
            assert_eq!(run.await.unwrap().len(), 5);
            is_about(begun.elapsed() + SECOND, 5 * SECOND);
        });
    }
}

static COUNTED: AtomicU32 = AtomicU32::new(0);

#[task(cache = "2h")]
async fn count(_n: u32) -> u32 {
    COUNTED.fetch_add(1, Ordering::Relaxed)
}

workflow! {
    fn counted(n: u32) -> Result<u32> {
        let counted = count(n);
        Ok(counted)
    }
}

#[test]
fn a_remembered_result_is_over_when_the_clock_says_so() {
    block_on(async {
        let engine = Engine::with_store(Arc::new(Memory::new())).start().await.unwrap();
        let get = async || engine.start(counted(1)).await.unwrap().await.unwrap();
        assert_eq!((get().await, get().await), (0, 0));
        set_wall_clock(hours(1));
        assert_eq!(get().await, 0);
        set_wall_clock(hours(2));
        assert_eq!(get().await, 1);
    });
}

#[test]
fn a_wait_is_shown_as_long_as_it_is() {
    let store = Memory::new();
    block_on(async {
        let engine = engine(&store).await;
        let run = engine.start(sleeps()).await.unwrap();
        settle().await;
        set_wall_clock(-hours(1));
        let step = &run.snapshot().steps[0];
        let StepState::Waiting(Wait::Timer { until }) = step.state else { panic!("{step:?}") };
        assert_eq!(run.state(), RunState::Waiting);
        let begun = Instant::now();
        run.clone().await.unwrap();
        assert!(run.snapshot().ended_at.unwrap() >= until, "not before the clock shows it");
        is_about(begun.elapsed() + SECOND, 2 * HOUR);
    });
}

static TRIED: AtomicU32 = AtomicU32::new(0);

#[task(retry(attempts = 9, backoff = fixed("2s"), budget = "3s"))]
async fn hopeless() -> io::Result<u32> {
    TRIED.fetch_add(1, Ordering::Relaxed);
    Err(io::Error::other("not yet"))
}

workflow! {
    fn gives_up() -> Result<u32> {
        let n = hopeless()?;
        Ok(n)
    }
}

#[test]
fn no_attempt_is_made_after_a_crash_when_the_budget_is_over() {
    for (down, attempts) in [(0, 2), (60, 1)] {
        let store = Memory::new();
        TRIED.store(0, Ordering::Relaxed);
        block_on(async {
            let start = async || {
                let engine = Engine::with_store(Arc::new(store.clone()));
                engine.register::<gives_up>().start().await.unwrap()
            };
            let first = start().await;
            let id = first.start(gives_up()).await.unwrap().id().to_owned();
            tokio::time::sleep(SECOND / 2).await;
            first.shutdown().await;
            tokio::time::sleep(SECOND * down).await;
            let _second = start().await;
            until_ended(&store, &id).await;
            assert_eq!(TRIED.load(Ordering::Relaxed), attempts, "down for {down} s");
            let end = store.find(&id).unwrap()[0].end.clone().unwrap();
            assert_eq!((end.state, end.error.unwrap().attempts()), (RunState::Failed, attempts));
        });
    }
}
