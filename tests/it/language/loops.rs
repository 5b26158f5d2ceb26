//! Rule 6: `while` is a loop of durable turns, with a limit.

use support::tasks::*;
use support::{STEP_SUCCEEDED, drive, run, seconds};
use workflow_runtime::run::StepState;
use workflow_runtime::{Cause, Run, task, workflow};

workflow! {
    fn grow(start: u64) -> Result<u64> {
        let mut size = give(start);
        #[limit(5)]
        while size < 100 {
            size = double(size);
        }
        let after = add(&size, &1);
        Ok(after)
    }
}

#[test]
fn a_while_carries_its_variable_from_turn_to_turn() {
    for (start, end, turns) in [(4, 129, 5), (50, 101, 1), (100, 101, 0)] {
        let ran = run(grow(start));
        assert_eq!(*ran.value(), end);
        assert_eq!(ran.started_in_order().iter().filter(|path| path.ends_with("]/size")).count(), turns);
        for pair in (0..turns).collect::<Vec<_>>().windows(2) {
            let path = |turn: usize| format!("grow/while[{turn}]/size");
            ran.trace.assert_order([path(pair[0]).as_str(), path(pair[1]).as_str()]);
        }
    }
}

#[test]
fn a_while_that_is_not_done_after_its_limit_fails() {
    let ran = run(grow(3));
    ran.assert_failed("grow/while", Cause::Limit);
    assert_eq!(
        ran.failure().to_string(),
        "step `grow/while` failed: `while` was not done after its limit of 5 turns"
    );
    ran.assert_state("grow/while[4]/size", STEP_SUCCEEDED);
    ran.assert_state("grow/after", StepState::UpstreamFailed);
    assert_eq!(ran.step_state("grow/while[5]/size"), None);
}

workflow! {
    fn fibonacci(count: u64) -> Result<(u64, u64)> {
        let mut left: u64 = 0;
        let mut right: u64 = 1;
        let mut turn: u64 = 0;
        #[limit(100)]
        while turn < count {
            let next = add(&left, &right);
            left = right;
            right = next;
            turn = turn + 1;
        }
        Ok((left, right))
    }
}

#[test]
fn several_variables_change_together() {
    assert_eq!(*run(fibonacci(0)).value(), (0, 1));
    assert_eq!(*run(fibonacci(10)).value(), (55, 89));
    assert_eq!(*run(fibonacci(50)).value(), (12_586_269_025, 20_365_011_074));
}

workflow! {
    fn poll(ready_after: u64) -> Result<u64> {
        let mut answer: Option<u64> = None;
        let mut tries: u64 = 0;
        #[limit(50)]
        while answer.is_none() {
            sleep("10s");
            answer = ask(tries, ready_after);
            tries = tries + 1;
        }
        Ok(tries)
    }
}

#[task]
async fn ask(tries: u64, ready_after: u64) -> Option<u64> {
    (tries >= ready_after).then_some(tries)
}

#[test]
fn a_turn_may_wait() {
    let ran = run(poll(4));
    assert_eq!(*ran.value(), 5);
    // Nothing ties the sleep to the question, and both end the turn.
    assert_eq!(ran.took(), seconds(50));
}

workflow! {
    fn failing_turn() -> Result<u32> {
        let mut count: u32 = 0;
        #[limit(9)]
        while count < 5 {
            count = up_to_two(count)?;
        }
        Ok(count)
    }
}

#[task]
async fn up_to_two(count: u32) -> Result<u32, Oops> {
    if count < 2 { Ok(count + 1) } else { Err(oops("no more")) }
}

#[test]
fn a_failure_in_a_turn_fails_the_run() {
    let ran = run(failing_turn());
    ran.assert_failed("failing_turn/while[2]/count", Cause::Error);
    assert_eq!(ran.step_state("failing_turn/while[3]/count"), None);
}

#[test]
fn a_cancelled_while_has_no_further_turn() {
    let ran = drive(poll(99), async |run: Run<u64>| {
        tokio::time::sleep(seconds(25)).await;
        run.cancel().await.unwrap();
    });
    ran.assert_cancelled();
    ran.assert_state("poll/while[2]/sleep", StepState::Cancelled);
    assert_eq!(ran.step_state("poll/while[3]/sleep"), None);
}

workflow! {
    fn nested(rows: u64) -> Result<Vec<u64>> {
        let mut all: Vec<u64> = Vec::new();
        #[limit(10)]
        while (all.len() as u64) < rows {
            let cells = count_to(all.len() as u64 + 1);
            let doubled = for cell in cells { double(cell) };
            let total = sum(&doubled);
            all = push(all, total);
        }
        Ok(all)
    }
}

#[task]
async fn push(mut values: Vec<u64>, value: u64) -> Vec<u64> {
    values.push(value);
    values
}

#[test]
fn regions_nest_in_turns() {
    let ran = run(nested(4));
    assert_eq!(*ran.value(), [0, 2, 6, 12]);
    ran.assert_state("nested/while[3]/doubled[3]/double", STEP_SUCCEEDED);
}
