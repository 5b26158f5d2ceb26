//! `concurrency` and `rate` of a task, over all runs of an engine.

use std::time::Duration;

use support::tasks::*;
use support::{drive, run, seconds};
use workflow_runtime::run::{StepState, Wait};
use workflow_runtime::testing::block_on;
use workflow_runtime::{Context, Engine, Run, task, workflow};

#[task(concurrency = 2)]
async fn narrow(value: u64, seconds: u64) -> u64 {
    tokio::time::sleep(support::seconds(seconds)).await;
    value
}

workflow! {
    fn squeezes(items: Vec<u64>) -> Result<Vec<u64>> {
        let done = for item in items {
            let out = narrow(item, 10);
            slow(out, 1)
        };
        Ok(done)
    }
}

#[test]
fn concurrency_bounds_the_attempts_of_a_task() {
    let ran = run(squeezes((0..5).collect()));
    assert_eq!(*ran.value(), [0, 1, 2, 3, 4]);
    assert_eq!(ran.most_at_once(|path| path.ends_with("/out")), 2);
    assert_eq!(ran.took(), seconds(31), "a place is free as soon as an attempt ends");
}

#[test]
fn who_waits_for_a_place_says_so() {
    let ran = drive(squeezes(vec![1, 2, 3]), async |run: Run<Vec<u64>>| {
        let state = run.snapshot().step("squeezes/done[2]/out").unwrap().state;
        assert_eq!(state, StepState::Waiting(Wait::Slot));
    });
    assert_eq!(ran.started("squeezes/done[2]/out"), seconds(10));
}

#[test]
fn concurrency_holds_over_all_runs() {
    block_on(async {
        let engine = Engine::in_memory().start().await.unwrap();
        let begun = tokio::time::Instant::now();
        let mut runs = Vec::new();
        for item in 0..6 {
            runs.push(engine.start(squeezes(vec![item])).await.unwrap());
        }
        for (item, run) in (0..).zip(runs) {
            assert_eq!(run.await.unwrap(), [item]);
        }
        assert_eq!(begun.elapsed(), seconds(31));
        // Another engine has limits of its own.
        let (one, two) =
            (Engine::in_memory().start().await.unwrap(), Engine::in_memory().start().await.unwrap());
        let begun = tokio::time::Instant::now();
        let runs =
            [one.start(squeezes(vec![1, 2])).await.unwrap(), two.start(squeezes(vec![3, 4])).await.unwrap()];
        for run in runs {
            run.await.unwrap();
        }
        assert_eq!(begun.elapsed(), seconds(11));
    });
}

#[task(concurrency = 1, retry(attempts = 2, backoff = fixed("10s")))]
async fn fragile(wait: u64, #[context] cx: &Context) -> Result<u64, Oops> {
    tokio::time::sleep(seconds(wait)).await;
    if cx.attempt() == 1 { Err(oops("first")) } else { Ok(wait) }
}

workflow! {
    fn fragile_pair() -> Result<u64> {
        let one = fragile(2)?;
        let two = fragile(3)?;
        Ok(one + two)
    }
}

#[test]
fn a_place_is_free_while_its_task_waits_for_the_next_attempt() {
    let ran = run(fragile_pair());
    assert_eq!(*ran.value(), 5);
    assert_eq!(ran.starts("fragile_pair/one"), [seconds(0), seconds(12)]);
    assert_eq!(ran.starts("fragile_pair/two"), [seconds(2), seconds(15)]);
}

#[test]
fn what_is_cancelled_gives_its_place_back() {
    block_on(async {
        let engine = Engine::in_memory().grace(Duration::ZERO).start().await.unwrap();
        let hold = engine.start(squeezes(vec![1, 2])).await.unwrap();
        let queued = engine.start(squeezes(vec![3])).await.unwrap();
        let last = engine.start(squeezes(vec![4])).await.unwrap();
        support::settle().await;
        let begun = tokio::time::Instant::now();
        // One waits for a place and gives up its turn, the other has two.
        queued.cancel().await.unwrap();
        hold.cancel().await.unwrap();
        last.await.unwrap();
        assert_eq!(begun.elapsed(), seconds(11));
    });
}

#[task(rate = "3/10s")]
async fn steady(value: u64) -> u64 {
    value
}

workflow! {
    fn flows(items: Vec<u64>) -> Result<u64> {
        let done = for item in items { steady(item) };
        let total = sum(&done);
        Ok(total)
    }
}

#[test]
fn a_rate_bounds_how_often_a_task_starts() {
    let ran = run(flows((0..10).collect()));
    assert_eq!(*ran.value(), 45);
    let mut starts: Vec<Duration> =
        (0..10).map(|item| ran.started(&format!("flows/done[{item}]/steady"))).collect();
    starts.sort();
    for four in starts.windows(4) {
        assert!(four[3] - four[0] >= seconds(10), "{starts:?}");
    }
    assert!(ran.took() <= seconds(40), "and it is not slower than it has to be: {starts:?}");
}
