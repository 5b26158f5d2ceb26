//! Retries and time limits of tasks, on a steered clock.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::tasks::*;
use support::{Ran, run, run_on, seconds};
use workflow_runtime::{
    Cause, Context, Engine, Invocation, NoResources, Resources, Retryability, Retryable, RunsOn, Workflow,
    task, workflow,
};

/// Runs a workflow of one step, `step`, and asserts when its attempts started.
#[track_caller]
fn check<W: Workflow + RunsOn<NoResources>>(invocation: Invocation<W>, starts: &[u64]) -> Ran<W::Ok>
where
    W::Ok: std::fmt::Debug,
{
    let ran = run(invocation);
    let expected: Vec<Duration> = starts.iter().map(|start| Duration::from_millis(*start)).collect();
    assert_eq!(ran.starts(&format!("{}/step", ran.graph.name)), expected, "{}", ran.trace);
    ran
}

/// A workflow with one step, of one task with these options, that fails as
/// often as it is told.
macro_rules! retrying {
    ($workflow:ident, $task:ident, $($options:tt)*) => {
        #[task($($options)*)]
        async fn $task(fails: u32, #[context] cx: &Context) -> Result<u32, Oops> {
            let attempt = cx.attempt();
            if attempt <= fails { Err(oops(format!("attempt {attempt}"))) } else { Ok(attempt) }
        }

        workflow! {
            fn $workflow(fails: u32) -> Result<u32> {
                let step = $task(fails)?;
                Ok(step)
            }
        }
    };
}

retrying!(plainly, plain_task, name = "plain");
retrying!(fixedly, fixed_task, retry(attempts = 4, backoff = fixed("10s")));
retrying!(linearly, linear_task, retry(attempts = 6, backoff = linear("1s", step = "2s", max = "6s")));
retrying!(
    exponentially,
    exponential_task,
    retry(attempts = 6, backoff = exponential("200ms", factor = 2, max = "1s"))
);
retrying!(by_list, list_task, retry(attempts = 5, backoff = list("1s", "5s", "250ms")));
retrying!(by_default, default_task, retry(attempts = 3));

#[test]
fn a_task_without_retries_has_one_attempt() {
    assert_eq!(*check(plainly(0), &[0]).value(), 1);
    let ran = check(plainly(1), &[0]);
    ran.assert_failed("plainly/step", Cause::Error);
    assert_eq!(ran.failure().attempts(), 1);
}

#[test]
fn waits_are_fixed() {
    assert_eq!(*check(fixedly(0), &[0]).value(), 1);
    assert_eq!(*check(fixedly(2), &[0, 10_000, 20_000]).value(), 3);
    let ran = check(fixedly(9), &[0, 10_000, 20_000, 30_000]);
    assert_eq!(ran.failure().failure().to_string(), "attempt 4", "the last error is the one that is told");
    assert_eq!(ran.took(), seconds(30), "and nobody waits after the last attempt");
}

#[test]
fn waits_grow_linearly_up_to_their_max() {
    check(linearly(9), &[0, 1_000, 4_000, 9_000, 15_000, 21_000]);
}

#[test]
fn waits_grow_exponentially_up_to_their_max() {
    check(exponentially(9), &[0, 200, 600, 1_400, 2_400, 3_400]);
}

#[test]
fn waits_follow_a_list_whose_last_repeats() {
    check(by_list(9), &[0, 1_000, 6_000, 6_250, 6_500]);
}

#[test]
fn without_a_backoff_a_second_passes() {
    check(by_default(9), &[0, 1_000, 2_000]);
}

retrying!(jittery, jitter_task, retry(attempts = 20, backoff = fixed("10s"), jitter = 0.2));

#[test]
fn jitter_stays_within_its_bounds_and_varies() {
    let ran = run(jittery(19));
    let starts = ran.starts("jittery/step");
    let waits: Vec<Duration> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits.len(), 19);
    let slack = Duration::from_millis(2);
    for wait in &waits {
        assert!(*wait >= seconds(8) - slack && *wait <= seconds(12) + slack, "{waits:?}");
    }
    // That 19 draws lie within a tenth of the range is not to be seen in this
    // universe.
    let (min, max) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
    assert!(*max - *min > Duration::from_millis(400), "{waits:?}");
}

#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
struct Choosy {
    kind: String,
}

impl Choosy {
    fn is_transient(&self) -> bool {
        self.kind == "transient"
    }
}

#[task(retry(attempts = 5, backoff = fixed("1s"), when = Choosy::is_transient))]
async fn choosy(kinds: &[String], #[context] cx: &Context) -> Result<u32, Choosy> {
    match kinds.get(cx.attempt() as usize - 1) {
        Some(kind) => Err(Choosy { kind: kind.clone() }),
        None => Ok(cx.attempt()),
    }
}

workflow! {
    fn chooses(kinds: Vec<String>) -> Result<u32> {
        let step = choosy(&kinds)?;
        Ok(step)
    }
}

#[test]
fn when_decides_whether_to_try_again() {
    let kinds = |kinds: &[&str]| kinds.iter().map(|kind| (*kind).to_owned()).collect::<Vec<_>>();
    assert_eq!(*check(chooses(kinds(&["transient", "transient"])), &[0, 1_000, 2_000]).value(), 3);
    let ran = check(chooses(kinds(&["transient", "permanent", "transient"])), &[0, 1_000]);
    ran.assert_failed("chooses/step", Cause::Fatal);
    assert_eq!(ran.failure().failure().to_string(), "permanent");
}

#[derive(Debug, thiserror::Error)]
#[error("{0:?}")]
struct Fated(Retryability);

impl Retryable for Fated {
    fn retryability(&self) -> Retryability {
        self.0
    }
}

#[task(retry(attempts = 4, backoff = fixed("1s")))]
async fn fated(#[context] cx: &Context) -> Result<u32, Fated> {
    Err(Fated(match cx.attempt() {
        1 => Retryability::RetryAfter(seconds(70)),
        2 => Retryability::Retry,
        _ => Retryability::Fatal,
    }))
}

workflow! {
    fn meets_its_fate() -> Result<u32> {
        let step = fated()?;
        Ok(step)
    }
}

#[test]
fn an_error_decides_its_own_fate() {
    let ran = check(meets_its_fate(), &[0, 70_000, 71_000]);
    ran.assert_failed("meets_its_fate/step", Cause::Fatal);
    assert_eq!(ran.failure().attempts(), 3, "though there were four");
}

retrying!(budgeted, budget_task, retry(attempts = 99, backoff = fixed("10s"), budget = "35s"));

#[test]
fn a_budget_ends_the_retries() {
    // No further attempt starts once 35 seconds have passed; no wait begins
    // that would lead there.
    let ran = check(budgeted(99), &[0, 10_000, 20_000, 30_000]);
    ran.assert_failed("budgeted/step", Cause::Error);
    assert_eq!(ran.took(), seconds(30));
}

#[task(retry(attempts = 3, backoff = fixed("5s")), timeout = "10s")]
async fn timed(wait: u64, from: u32, #[context] cx: &Context) -> u32 {
    let wait = if cx.attempt() >= from { 1 } else { wait };
    tokio::time::sleep(seconds(wait)).await;
    cx.attempt()
}

workflow! {
    fn times_out(wait: u64, from: u32) -> Result<u32> {
        let step = timed(wait, from);
        Ok(step)
    }
}

#[test]
fn an_attempt_that_takes_too_long_is_dropped_and_repeated() {
    assert_eq!(*check(times_out(9, 99), &[0]).value(), 1);
    assert_eq!(*check(times_out(11, 3), &[0, 15_000, 30_000]).value(), 3);
    let ran = check(times_out(11, 99), &[0, 15_000, 30_000]);
    ran.assert_failed("times_out/step", Cause::Timeout);
    assert_eq!(ran.failure().failure().to_string(), "took longer than its timeout of 10s");
    assert_eq!(ran.took(), seconds(40));
}

#[task(retry(attempts = 9, backoff = fixed("5s")), timeout = "10s", deadline = "32s")]
async fn limited(wait: u64) -> Result<u32, Oops> {
    tokio::time::sleep(seconds(wait)).await;
    Err(oops("broken"))
}

workflow! {
    fn meets_its_deadline(wait: u64) -> Result<u32> {
        let step = limited(wait)?;
        Ok(step)
    }
}

#[test]
fn a_deadline_ends_all_attempts() {
    // In the middle of an attempt.
    let ran = check(meets_its_deadline(20), &[0, 15_000, 30_000]);
    ran.assert_failed("meets_its_deadline/step", Cause::Timeout);
    assert_eq!(ran.failure().failure().to_string(), "the step's deadline is over");
    assert_eq!(ran.took(), seconds(32));
    // And between two: the next one would start after it.
    let ran = check(meets_its_deadline(9), &[0, 14_000, 28_000]);
    assert_eq!(ran.failure().failure().cause, Cause::Timeout);
    assert_eq!(ran.took(), seconds(32));
}

#[task(retry(attempts = 3, backoff = fixed("10s")))]
async fn bursts(until: u32, #[context] cx: &Context) -> u32 {
    assert!(cx.attempt() >= until, "attempt {}", cx.attempt());
    cx.attempt()
}

workflow! {
    fn panics(until: u32) -> Result<u32> {
        let step = bursts(until);
        let _beside = slow(1, 100);
        Ok(step)
    }
}

#[test]
fn a_panic_is_a_failed_attempt() {
    assert_eq!(*check(panics(3), &[0, 10_000, 20_000]).value(), 3);
    let ran = check(panics(4), &[0, 10_000, 20_000]);
    ran.assert_failed("panics/step", Cause::Panic);
    assert_eq!(ran.failure().failure().to_string(), "panicked: attempt 3");
    assert_eq!(ran.ended("panics/_beside"), seconds(100), "and nothing beside it is the worse");
}

/// What the attempts of a task were told.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<[String; 4]>>>);

#[derive(Resources)]
struct Watch {
    seen: Seen,
}

#[task(retry(attempts = 3))]
async fn remember(item: u64, #[resource] seen: &Seen, #[context] cx: &Context) -> Result<u64, Oops> {
    let words = [cx.run_id().to_owned(), cx.step(), cx.attempt().to_string(), cx.idempotency_key()];
    seen.0.lock().unwrap().push(words);
    if cx.attempt() < 3 { Err(oops("again")) } else { Ok(item) }
}

workflow! {
    fn remembers(items: Vec<u64>) -> Result<Vec<u64>> {
        let done = for item in items { remember(item)? };
        Ok(done)
    }
}

#[test]
fn an_idempotency_key_is_that_of_all_attempts_and_of_no_other_step() {
    let seen = Seen::default();
    let engine = || Engine::in_memory().resources(Watch { seen: seen.clone() });
    let first = run_on(engine(), remembers(vec![1, 2]));
    let second = run_on(engine(), remembers(vec![1]));
    let seen = seen.0.lock().unwrap();
    assert_eq!(seen.len(), 9);
    let keys: std::collections::HashSet<&str> = seen.iter().map(|words| words[3].as_str()).collect();
    assert_eq!(keys.len(), 3, "two items of one run, and one of another: {keys:?}");
    for [run, step, attempt, key] in seen.iter() {
        assert!(*run == first.snapshot.id || *run == second.snapshot.id);
        let same: Vec<_> = seen.iter().filter(|words| words[3] == *key).collect();
        assert_eq!(same.len(), 3, "one for each attempt");
        assert!(same.iter().all(|words| words[1] == *step && words[0] == *run));
        assert!((1..=3).contains(&attempt.parse::<u32>().unwrap()));
    }
    assert_eq!(seen[0][1], "remembers/done[0]/remember");
}
