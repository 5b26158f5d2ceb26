//! Rules 1 and 3: what is a step, what `?` means, and what is only an
//! expression.

use support::tasks::*;
use support::{STEP_SUCCEEDED, run, seconds};
use workflow_runtime::run::StepState;
use workflow_runtime::{Cause, StepError, task, workflow};

workflow! {
    fn with_question_mark(good: bool) -> Result<u64> {
        let tried = try_it(good)?;
        let after = double(tried);
        let _beside = slow(1, 5);
        let _late = slow(after, 1);
        Ok(after)
    }
}

#[test]
fn with_a_question_mark_a_failure_fails_the_run() {
    assert_eq!(*run(with_question_mark(true)).value(), 2);

    let ran = run(with_question_mark(false));
    ran.assert_failed("with_question_mark/tried", Cause::Error);
    assert_eq!(ran.failure().to_string(), "step `with_question_mark/tried` failed: broken");
    assert_eq!(ran.failure().attempts(), 1);
    ran.assert_states([
        ("with_question_mark/tried", StepState::Failed),
        ("with_question_mark/after", StepState::UpstreamFailed),
        ("with_question_mark/_late", StepState::UpstreamFailed),
    ]);
    // What runs may finish and keeps its result.
    ran.assert_state("with_question_mark/_beside", STEP_SUCCEEDED);
    assert_eq!(ran.took(), seconds(5));
}

#[task]
async fn tell(outcome: Result<u64, StepError>, other: &Result<u64, StepError>) -> String {
    let words = |outcome: &Result<u64, StepError>| match outcome {
        Ok(value) => format!("got {value}"),
        Err(error) => format!("{} after {}: {:?}", error, error.attempts(), error.failure().cause),
    };
    format!("{}; {}", words(&outcome), words(other))
}

workflow! {
    fn without_question_mark(first: bool, second: bool) -> Result<String> {
        let one = try_it(first);
        let two = try_it(second);
        let told = tell(one, &two);
        Ok(told)
    }
}

#[test]
fn without_a_question_mark_the_users_get_a_result() {
    let failed = |name: &str| format!("step `without_question_mark/{name}` failed: broken after 1: Error");
    for (first, second) in [(true, true), (true, false), (false, true), (false, false)] {
        let ran = run(without_question_mark(first, second));
        let words = |good, name| if good { "got 1".to_owned() } else { failed(name) };
        assert_eq!(*ran.value(), format!("{}; {}", words(first, "one"), words(second, "two")));
        let state = |good| if good { STEP_SUCCEEDED } else { StepState::Failed };
        ran.assert_states([
            ("without_question_mark/one", state(first)),
            ("without_question_mark/two", state(second)),
            ("without_question_mark/told", STEP_SUCCEEDED),
        ]);
    }
}

workflow! {
    fn last_without_question_mark() -> Result<u64> {
        fail_after(1)
    }
}

#[test]
fn the_last_step_of_a_workflow_is_its_result() {
    run(last_without_question_mark()).assert_failed("last_without_question_mark/fail_after", Cause::Error);
}

workflow! {
    fn untied() -> Result<u64> {
        let one = slow(1, 10);
        let two = slow(2, 10);
        let three = slow(3, 10);
        let four = slow(one, 10);
        Ok(one + two + three + four)
    }
}

#[test]
fn steps_that_nothing_ties_run_in_parallel() {
    let ran = run(untied());
    assert_eq!(*ran.value(), 7);
    assert_eq!(ran.took(), seconds(20));
    for name in ["one", "two", "three"] {
        assert_eq!(ran.started(&format!("untied/{name}")), seconds(0));
    }
    assert_eq!(ran.started("untied/four"), seconds(10));
}

mod inner {
    pub mod deeper {
        #[workflow_runtime::task]
        pub async fn triple(value: u64) -> u64 {
            value * 3
        }
    }
}

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Verdict {
    good: bool,
    score: u64,
}

impl Verdict {
    fn auto() -> Self {
        Self { good: true, score: 0 }
    }

    fn better(&self, by: u64) -> Self {
        Self { score: self.score + by, ..self.clone() }
    }
}

#[task]
async fn decide(verdict: Verdict, note: &Option<String>) -> Verdict {
    let more = note.as_ref().map_or(0, |note| note.len() as u64);
    verdict.better(more)
}

const BONUS: u64 = 5;

workflow! {
    fn expressions(values: Vec<u64>) -> Result<(Verdict, String)> {
        // None of these is a step.
        let count = values.len();
        let start = Verdict::auto();
        let note: Option<String> = Some(format!("{count} values"));
        let better = start.better(values.iter().sum::<u64>() + BONUS);
        let most = { let mut most = 0; for value in values.iter() { most = most.max(*value); } most };
        // These are, the second one by its path.
        let decided = decide(better, &note);
        let tripled = inner::deeper::triple(most);
        Ok((decided.clone(), format!("{} {:?} {tripled}", count, note)))
    }
}

#[test]
fn only_lower_case_calls_are_steps() {
    let ran = run(expressions(vec![1, 4, 2]));
    let (verdict, words) = ran.value();
    assert_eq!(*verdict, Verdict { good: true, score: 1 + 4 + 2 + BONUS + 8 });
    assert_eq!(words, "3 Some(\"3 values\") 12");
    let names: Vec<&str> = ran.snapshot.steps.iter().map(|step| step.path.as_str()).collect();
    assert_eq!(names, ["expressions/decided", "expressions/tripled"]);
}

thread_local! {
    static EVALUATED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

fn counted(value: u64) -> u64 {
    EVALUATED.set(EVALUATED.get() + 1);
    value
}

struct Counted;

impl Counted {
    fn of(value: u64) -> u64 {
        counted(value)
    }
}

workflow! {
    fn pure_bindings(value: u64) -> Result<u64> {
        let twice_used = Counted::of(value) + 1;
        let _never_used = Counted::of(value);
        let first = give(twice_used);
        let second = slow(twice_used, first);
        Ok(second)
    }
}

#[test]
fn a_pure_binding_is_evaluated_once_and_where_it_is_used() {
    EVALUATED.set(0);
    assert_eq!(*run(pure_bindings(4)).value(), 5);
    assert_eq!(EVALUATED.get(), 1, "once for all steps that use it, and not for one that nobody uses");
}

workflow! {
    fn nested_calls(value: u64) -> Result<u64> {
        let total = add(&double(value), &double_again(flaky(0)?));
        Ok(total)
    }
}

#[task]
async fn double_again(value: u32) -> u64 {
    u64::from(value) * 2
}

#[test]
fn a_step_may_stand_where_its_value_is_used() {
    let ran = run(nested_calls(5));
    assert_eq!(*ran.value(), 12);
    let names: Vec<&str> = ran.snapshot.steps.iter().map(|step| step.path.as_str()).collect();
    assert_eq!(
        names,
        ["nested_calls/double", "nested_calls/flaky", "nested_calls/double_again", "nested_calls/total"]
    );
    ran.trace.assert_order(["nested_calls/flaky", "nested_calls/double_again", "nested_calls/total"]);
}

workflow! {
    fn panics_in_expression(values: Vec<u64>) -> Result<u64> {
        let first = give(values[3]);
        Ok(first)
    }
}

workflow! {
    fn panics_in_result(values: Vec<u64>) -> Result<u64> {
        let one = give(1);
        Ok(one + values[3])
    }
}

#[test]
fn a_panic_of_an_expression_fails_the_step_or_the_run() {
    let ran = run(panics_in_expression(vec![]));
    ran.assert_failed("panics_in_expression/first", Cause::Panic);
    assert!(ran.failure().to_string().contains("index out of bounds"), "{}", ran.failure());
    let ran = run(panics_in_result(vec![]));
    assert_eq!(ran.failure().failure().cause, Cause::Panic);
    ran.assert_state("panics_in_result/one", STEP_SUCCEEDED);
}

workflow! {
    fn only_expressions(value: u64) -> Result<u64> {
        Ok(value + 1)
    }
}

#[test]
fn a_workflow_without_steps_is_its_expression() {
    let ran = run(only_expressions(1));
    assert_eq!(*ran.value(), 2);
    assert!(ran.snapshot.steps.is_empty());
}
