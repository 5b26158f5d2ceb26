//! Rule 5: of `if` and `match` only the chosen arm runs.

use support::tasks::*;
use support::{Ran, STEP_SUCCEEDED, run, seconds};
use workflow_runtime::run::StepState;
use workflow_runtime::{Cause, task, workflow};

/// Asserts the value of a run, and which of some steps were skipped.
#[track_caller]
fn check<T: std::fmt::Debug + PartialEq>(ran: Ran<T>, value: T, steps: &[&str], taken: usize) {
    assert_eq!(*ran.value(), value);
    for (index, path) in steps.iter().enumerate() {
        let expected = if index == taken { STEP_SUCCEEDED } else { StepState::Skipped };
        ran.assert_state(path, expected);
        if index != taken {
            ran.assert_never_started(path);
        }
    }
}

workflow! {
    fn by_let(word: Option<String>, number: Option<u64>) -> Result<String> {
        let found = if let Some(word) = word {
            say(&word)
        } else if let Some(number) = number && number > 10 {
            say(&format!("more than {number}"))
        } else {
            say("nothing")
        };
        Ok(found)
    }
}

#[test]
fn if_binds_as_in_rust() {
    let steps = ["by_let/found[then]/say", "by_let/found[else if 1]/say", "by_let/found[else]/say"];
    let word = |word: &str| Some(word.to_owned());
    check(run(by_let(word("hi"), Some(99))), "hi".to_owned(), &steps, 0);
    check(run(by_let(None, Some(11))), "more than 11".to_owned(), &steps, 1);
    check(run(by_let(None, Some(10))), "nothing".to_owned(), &steps, 2);
    check(run(by_let(None, None)), "nothing".to_owned(), &steps, 2);
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
enum Shape {
    Point,
    Circle(u64),
    Rect { width: u64, height: u64 },
    Named(String, Box<Shape>),
}

#[task]
async fn see(shape: Shape) -> Shape {
    shape
}

workflow! {
    fn by_shape(shape: Shape) -> Result<String> {
        let seen = see(shape);
        let told = match seen {
            Shape::Point => say("a point"),
            Shape::Circle(radius) if radius > 100 => say("a large circle"),
            Shape::Circle(radius @ (1 | 2)) => say(&format!("a small circle of {radius}")),
            Shape::Circle(_) => say("a circle"),
            Shape::Rect { width, height } if width == height => say(&format!("a square of {width}")),
            Shape::Rect { width, .. } => {
                let doubled = double(width);
                say(&format!("twice {doubled}"))
            }
            Shape::Named(name, _) => say(&name),
        };
        Ok(told)
    }
}

#[test]
fn match_binds_and_guards_as_in_rust() {
    let arms = ["[0]/say", "[1]/say", "[2]/say", "[3]/say", "[4]/say", "[5]/doubled", "[6]/say"];
    let steps: Vec<String> = arms.iter().map(|arm| format!("by_shape/told{arm}")).collect();
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let named = Shape::Named("Ada".into(), Box::new(Shape::Point));
    for (shape, words, arm) in [
        (Shape::Point, "a point", 0),
        (Shape::Circle(101), "a large circle", 1),
        (Shape::Circle(2), "a small circle of 2", 2),
        (Shape::Circle(50), "a circle", 3),
        (Shape::Rect { width: 3, height: 3 }, "a square of 3", 4),
        (Shape::Rect { width: 3, height: 4 }, "twice 6", 5),
        (named, "Ada", 6),
    ] {
        check(run(by_shape(shape)), words.to_owned(), &steps, arm);
    }
}

workflow! {
    fn over_result(good: bool) -> Result<String> {
        let tried = try_it(good);
        let told = match tried {
            Ok(value) => say(&format!("got {value}")),
            Err(error) => say(&error.failure().to_string()),
        };
        Ok(told)
    }
}

#[test]
fn a_failure_can_be_matched() {
    let steps = ["over_result/told[0]/say", "over_result/told[1]/say"];
    check(run(over_result(true)), "got 1".to_owned(), &steps, 0);
    check(run(over_result(false)), "broken".to_owned(), &steps, 1);
}

workflow! {
    fn expressions_in_arms(value: u64) -> Result<u64> {
        let chosen: u64 = if value > 5 { value * 10 } else { 1 };
        let matched: u64 = match value { 0 => 0, other => other + chosen };
        let after = add(&chosen, &matched);
        Ok(after)
    }
}

#[test]
fn an_arm_may_be_an_expression() {
    assert_eq!(*run(expressions_in_arms(6)).value(), 126);
    assert_eq!(*run(expressions_in_arms(0)).value(), 1);
}

workflow! {
    fn only_then(value: bool) -> Result<()> {
        if value {
            slow(1, 7);
        }
        Ok(())
    }
}

#[test]
fn an_if_without_else_is_worth_nothing() {
    let ran = run(only_then(true));
    assert_eq!(ran.took(), seconds(7));
    ran.assert_state("only_then/if[then]/slow", STEP_SUCCEEDED);
    run(only_then(false)).assert_state("only_then/if[then]/slow", StepState::Skipped);
}

workflow! {
    fn failing_arm(value: u64) -> Result<u64> {
        let chosen = if value > 5 { fail_after(1)? } else { give(value) };
        let after = double(chosen);
        Ok(after)
    }
}

#[test]
fn a_failure_in_an_arm_fails_the_run() {
    assert_eq!(*run(failing_arm(5)).value(), 10);
    let ran = run(failing_arm(6));
    ran.assert_failed("failing_arm/chosen[then]/fail_after", Cause::Error);
    ran.assert_states([
        ("failing_arm/chosen", StepState::Failed),
        ("failing_arm/chosen[else]/give", StepState::Skipped),
        ("failing_arm/after", StepState::UpstreamFailed),
    ]);
}

workflow! {
    fn tail(value: bool) -> Result<u64> {
        if value { try_it(value) } else { fail_after(1) }
    }
}

#[test]
fn the_arms_of_the_last_if_end_like_the_workflow() {
    assert_eq!(*run(tail(true)).value(), 1);
    run(tail(false)).assert_failed("tail/if[else]/fail_after", Cause::Error);
}

workflow! {
    fn arms_wait_for_what_they_use(value: bool) -> Result<u64> {
        let late = slow(4, 30);
        let chosen = if value { double(late) } else { give(1) };
        let after = slow(chosen, 1);
        Ok(after)
    }
}

#[test]
fn a_branch_starts_when_everything_its_arms_use_is_there() {
    // The region is one step of the graph, whichever arm is chosen.
    assert_eq!(*run(arms_wait_for_what_they_use(true)).value(), 8);
    let ran = run(arms_wait_for_what_they_use(false));
    assert_eq!(ran.started("arms_wait_for_what_they_use/chosen"), seconds(30));
}
