//! Rule 9: a workflow is a step of another one.

use support::tasks::*;
use support::{STEP_SUCCEEDED, drive, run, seconds};
use workflow_runtime::run::StepState;
use workflow_runtime::{Cause, Run, StepError, task, workflow};

workflow! {
    fn child(good: bool, wait: u64) -> Result<u64> {
        let waited = slow(3, wait);
        #[after(waited)]
        let tried = try_it(good)?;
        Ok(waited + tried)
    }
}

workflow! {
    fn parent(good: bool) -> Result<u64> {
        let left = child(good, 5)?;
        let right = child(true, 8)?;
        let both = add(&left, &right);
        Ok(both)
    }
}

#[test]
fn a_child_run_is_written_like_a_task() {
    let ran = run(parent(true));
    assert_eq!(*ran.value(), 8);
    assert_eq!(ran.took(), seconds(8), "children run in parallel");
    ran.trace.assert_order(["parent/left/waited", "parent/left/tried", "parent/both"]);
    ran.assert_state("parent/right/tried", STEP_SUCCEEDED);
}

#[test]
fn a_failure_of_a_child_fails_the_run_and_names_the_step_in_it() {
    let ran = run(parent(false));
    ran.assert_failed("parent/left/tried", Cause::Error);
    assert_eq!(ran.failure().failure().to_string(), "broken");
    ran.assert_states([
        ("parent/left", StepState::Failed),
        ("parent/both", StepState::UpstreamFailed),
        ("parent/right/waited", STEP_SUCCEEDED),
    ]);
    ran.assert_never_started("parent/right/tried");
}

#[task]
async fn tell(outcome: &Result<u64, StepError>) -> String {
    match outcome {
        Ok(value) => format!("got {value}"),
        Err(error) => format!("{} {:?}", error, error.failure().cause),
    }
}

workflow! {
    fn handling(good: bool) -> Result<String> {
        let outcome = child(good, 1);
        let told = tell(&outcome);
        Ok(told)
    }
}

#[test]
fn a_failure_of_a_child_can_be_a_value() {
    assert_eq!(run(handling(true)).value(), "got 4");
    let ran = run(handling(false));
    assert_eq!(ran.value(), "step `handling/outcome` failed: broken Error");
    ran.assert_state("handling/outcome", StepState::Failed);
}

workflow! {
    fn grandchild(value: u64) -> Result<u64> {
        let word = signal::<u64>("word");
        let answer = add(&value, &word);
        Ok(answer)
    }
}

workflow! {
    fn middle(values: Vec<u64>) -> Result<Vec<u64>> {
        let all = for value in values { grandchild(value)? };
        Ok(all)
    }
}

workflow! {
    fn outer() -> Result<u64> {
        let values = count_to(3);
        let all = middle(values)?;
        let total = sum(&all);
        Ok(total)
    }
}

#[test]
fn children_have_children_and_hear_signals() {
    let ran = drive(outer(), async |run: Run<u64>| {
        for (item, word) in [100, 200, 300].into_iter().enumerate() {
            let step = format!("outer/all/all[{item}]/grandchild/word");
            run.signal(grandchild::word.at(step), word).await.unwrap();
        }
    });
    assert_eq!(*ran.value(), 603);
    ran.assert_state("outer/all/all[2]/grandchild/answer", STEP_SUCCEEDED);
}

#[test]
fn children_end_with_their_parent() {
    let ran = drive(outer(), async |run: Run<u64>| {
        tokio::time::sleep(seconds(4)).await;
        run.cancel().await.unwrap();
    });
    ran.assert_cancelled();
    for path in ["outer/all", "outer/all/all", "outer/all/all[1]/grandchild", "outer/total"] {
        ran.assert_state(path, StepState::Cancelled);
    }
    ran.assert_state("outer/all/all[1]/grandchild/word", StepState::Cancelled);
    ran.assert_never_started("outer/total");
}

workflow! {
    fn moves(words: Vec<String>, pair: (u64, String)) -> Result<String> {
        let joined = join(&words);
        Ok(format!("{joined} {} {}", pair.0, pair.1))
    }
}

workflow! {
    fn calls_with_expressions() -> Result<String> {
        let first = say("a");
        let words = moves(vec![first.clone(), "b".to_owned()], (7, first.to_uppercase()))?;
        Ok(words)
    }
}

#[test]
fn a_child_takes_what_a_task_takes() {
    assert_eq!(run(calls_with_expressions()).value(), "a b 7 A");
}

workflow! {
    fn as_last() -> Result<u64> {
        child(true, 1)
    }
}

#[test]
fn a_child_may_be_the_result() {
    assert_eq!(*run(as_last()).value(), 4);
}
