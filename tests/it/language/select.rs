//! Rule 7: of the triggers of a `select!` the first one wins, and the others
//! are cancelled.

use support::tasks::*;
use support::{STEP_SUCCEEDED, drive, run, seconds};
use workflow_runtime::run::StepState;
use workflow_runtime::{Cause, Context, Run, task, workflow};

workflow! {
    fn review(limit: u64) -> Result<String> {
        let verdict = select! {
            word = signal::<String>("word") => {
                let said = say(&word);
                said
            },
            _ = sleep(std::time::Duration::from_secs(limit)) => say("too late"),
        };
        Ok(verdict)
    }
}

#[test]
fn the_first_trigger_wins_and_the_others_are_cancelled() {
    for (limit, words, winner) in [(100, "fine", 0), (20, "too late", 1)] {
        let ran = drive(review(limit), async |run: Run<String>| {
            tokio::time::sleep(seconds(50)).await;
            let sent = run.signal(review::word, "fine".to_owned()).await;
            assert_eq!(sent.is_ok(), winner == 0);
        });
        assert_eq!(ran.value(), words);
        let state = |index, lost| if index == winner { STEP_SUCCEEDED } else { lost };
        ran.assert_states([
            ("review/verdict/word", state(0, StepState::Cancelled)),
            ("review/verdict/sleep", state(1, StepState::Cancelled)),
            ("review/verdict[0]/said", state(0, StepState::Skipped)),
            ("review/verdict[1]/say", state(1, StepState::Skipped)),
        ]);
        assert_eq!(ran.ended("review/verdict"), seconds(limit.min(50)));
    }
}

/// Ends when it is cancelled, and takes its time.
#[task]
async fn tidy(seconds: u64, #[context] cx: &Context) -> u64 {
    cx.cancelled().await;
    tokio::time::sleep(support::seconds(seconds)).await;
    0
}

workflow! {
    fn racing(first: u64, second: u64) -> Result<u64> {
        let best = select! {
            one = slow(1, first) => give(one),
            two = slow(2, second) => give(two * 10),
            never = hang() => give(never),
            tidied = tidy(5) => give(tidied),
        };
        let after = double(best);
        Ok(after)
    }
}

#[test]
fn tasks_race() {
    for (first, second, value, at) in [(3, 7, 2, 3), (7, 3, 40, 3), (0, 9, 2, 0)] {
        let ran = run(racing(first, second));
        assert_eq!(*ran.value(), value);
        assert_eq!(ran.started("racing/after"), seconds(at), "nobody waits for the losers");
        for loser in ["never", "tidied"] {
            let path = format!("racing/best/{loser}");
            ran.assert_state(&path, StepState::Cancelled);
            assert_eq!(ran.ended(&path), seconds(at));
        }
    }
}

workflow! {
    fn failing_trigger() -> Result<u64> {
        let best = select! {
            one = fail_after(2)? => give(one),
            two = slow(2, 5) => give(two),
        };
        Ok(best)
    }
}

#[test]
fn a_trigger_with_a_question_mark_fails_the_run() {
    let ran = run(failing_trigger());
    ran.assert_failed("failing_trigger/best/one", Cause::Error);
    ran.assert_state("failing_trigger/best/two", STEP_SUCCEEDED);
    assert_eq!(ran.step_state("failing_trigger/best[1]/give"), None, "it came second");
}

workflow! {
    fn failure_as_trigger() -> Result<String> {
        let best = select! {
            outcome = fail_after(2) => match outcome {
                Ok(value) => say(&value.to_string()),
                Err(error) => say(&error.to_string()),
            },
            _ = sleep("5s") => say("late"),
        };
        Ok(best)
    }
}

#[test]
fn a_failure_without_a_question_mark_wins_like_any_value() {
    let ran = run(failure_as_trigger());
    assert_eq!(ran.value(), "step `failure_as_trigger/best/outcome` failed: broken");
}

workflow! {
    fn inner() -> Result<u64> {
        let waited = slow(1, 100);
        let after = slow(waited, 100);
        Ok(after)
    }
}

workflow! {
    fn children_race() -> Result<u64> {
        let best = select! {
            child = inner()? => give(child),
            _ = sleep("10s") => give(9),
        };
        Ok(best)
    }
}

#[test]
fn a_child_workflow_that_loses_starts_nothing_more() {
    let ran = run(children_race());
    assert_eq!(*ran.value(), 9);
    ran.assert_states([
        ("children_race/best/child", StepState::Cancelled),
        ("children_race/best/child/waited", StepState::Cancelled),
        ("children_race/best/child/after", StepState::Cancelled),
    ]);
    ran.assert_never_started("children_race/best/child/after");
}

workflow! {
    fn losers_in_a_for(items: Vec<u64>) -> Result<Vec<u64>> {
        let done = for item in items {
            select! {
                value = slow(item, item) => give(value),
                _ = sleep("10s") => give(0),
            }
        };
        Ok(done)
    }
}

#[test]
fn each_item_has_its_own_race() {
    assert_eq!(*run(losers_in_a_for(vec![3, 30, 9, 11])).value(), [3, 0, 9, 0]);
}
