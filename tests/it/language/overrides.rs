//! Rule 10: attributes of a statement override the task's options.

use std::time::Duration;

use support::tasks::*;
use support::{run, seconds};
use workflow_runtime::{Cause, Context, task, workflow};

#[task(
    retry(attempts = 2, backoff = fixed("10s")),
    timeout = "1m",
    deadline = "1h"
)]
async fn contract(fails: u32, wait: u64, #[context] cx: &Context) -> Result<u32, Oops> {
    tokio::time::sleep(Duration::from_secs(wait)).await;
    if cx.attempt() <= fails { Err(oops("not yet")) } else { Ok(cx.attempt()) }
}

workflow! {
    fn as_the_task_says(fails: u32, wait: u64) -> Result<u32> {
        let done = contract(fails, wait)?;
        Ok(done)
    }
}

workflow! {
    fn more_attempts(fails: u32) -> Result<u32> {
        #[retry(attempts = 5)]
        let done = contract(fails, 0)?;
        Ok(done)
    }
}

workflow! {
    fn other_backoff(fails: u32) -> Result<u32> {
        #[retry(attempts = 4, backoff = list("1s", "2s", "4s"))]
        let done = contract(fails, 0)?;
        Ok(done)
    }
}

workflow! {
    fn shorter_timeout(wait: u64) -> Result<u32> {
        #[timeout("5s")]
        let done = contract(0, wait)?;
        Ok(done)
    }
}

workflow! {
    fn shorter_deadline(fails: u32) -> Result<u32> {
        #[retry(attempts = 99)]
        #[timeout("20s")]
        #[deadline("25s")]
        let done = contract(fails, 0)?;
        Ok(done)
    }
}

#[test]
fn without_attributes_the_task_decides() {
    let ran = run(as_the_task_says(1, 0));
    assert_eq!((*ran.value(), ran.took()), (2, seconds(10)));
    let ran = run(as_the_task_says(2, 0));
    assert_eq!((ran.failure().attempts(), ran.took()), (2, seconds(10)));
    let ran = run(as_the_task_says(0, 61));
    ran.assert_failed("as_the_task_says/done", Cause::Timeout);
    assert_eq!(ran.took(), seconds(60 + 10 + 60));
}

#[test]
fn what_is_not_overridden_stays() {
    // More attempts, the same waits.
    let ran = run(more_attempts(4));
    assert_eq!((*ran.value(), ran.took()), (5, seconds(40)));
    let ran = run(more_attempts(5));
    assert_eq!((ran.failure().attempts(), ran.took()), (5, seconds(40)));
    // Another time limit, the same attempts.
    let ran = run(shorter_timeout(6));
    assert_eq!((ran.failure().attempts(), ran.took()), (2, seconds(5 + 10 + 5)));
    assert_eq!(*run(shorter_timeout(4)).value(), 1);
}

#[test]
fn what_is_overridden_counts() {
    let ran = run(other_backoff(3));
    assert_eq!((*ran.value(), ran.took()), (4, seconds(7)));
    let ran = run(shorter_deadline(9));
    assert_eq!(ran.failure().attempts(), 3, "at 0, 10 and 20 seconds");
    assert!(ran.took() < seconds(25));
}

workflow! {
    fn each_its_own() -> Result<(u32, u32)> {
        #[retry(attempts = 3)]
        let patient = contract(2, 0)?;
        let usual = contract(1, 0)?;
        Ok((patient, usual))
    }
}

#[test]
fn a_step_s_attributes_are_its_own() {
    let ran = run(each_its_own());
    assert_eq!(*ran.value(), (3, 2));
    assert_eq!(ran.ended("each_its_own/patient"), seconds(20));
    assert_eq!(ran.ended("each_its_own/usual"), seconds(10));
}
