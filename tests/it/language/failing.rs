//! What fails by itself: `?` on an expression, `let … else`, `fail!`.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use support::{STEP_SUCCEEDED, run};
use workflow_runtime::run::StepState;
use workflow_runtime::testing::{block_on, crash_everywhere};
use workflow_runtime::{Cause, Engine, Result, task, workflow};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    pub id: u64,
    pub items: Vec<u64>,
}

#[derive(Debug, thiserror::Error)]
#[error("{0} is refused")]
struct Refused(u64);

#[task]
async fn orders(n: u64) -> Vec<Order> {
    (0..n).map(|id| Order { id, items: vec![id, id + 1] }).collect()
}

#[task]
async fn double(n: u64) -> u64 {
    n * 2
}

#[task]
async fn picky(n: u64) -> std::result::Result<u64, Refused> {
    if n > 5 { Err(Refused(n)) } else { Ok(n) }
}

#[task]
async fn find(n: u64) -> std::result::Result<Option<u64>, Refused> {
    Ok((n > 2).then_some(n))
}

fn checked(n: u64) -> std::result::Result<u64, Refused> {
    if n == 9 { Err(Refused(n)) } else { Ok(n) }
}

workflow! {
    fn questions(n: u64, text: String) -> Result<u64> {
        let orders = orders(n);
        let first = orders.first().ok_or("no such order")?;
        let id = double(first.id + 1);
        let number: u64 = text.trim().parse()?;
        let turbo = text.trim().parse::<u64>()? + 1;
        (checked)(number)?;
        let tried = picky(number);
        let kept = tried?;
        let found = find(number)?.ok_or_else(|| format!("nothing at {number}"))?;
        let sum = double(kept + found + turbo + id);
        Ok(sum + text.len().checked_sub(1).map(|n| n as u64).ok_or("empty")?)
    }
}

#[test]
fn a_question_mark_on_an_expression_gives_its_value() {
    assert_eq!(*run(questions(2, " 3 ".to_owned())).value(), 2 * (3 + 3 + 4 + 2) + 2);
}

#[test]
fn a_question_mark_on_an_expression_fails_at_once() {
    for (n, text, step, words) in [
        (0, "3", "first", "no such order"),
        (1, "three", "number", "invalid digit found in string"),
        (1, "9", "check", "9 is refused"),
        (1, "7", "kept", "step `questions/tried` failed: 7 is refused"),
        (1, "2", "found", "nothing at 2"),
    ] {
        let ran = run(questions(n, text.to_owned()));
        let step = format!("questions/{step}");
        let failure = ran.failure();
        assert_eq!(failure.failure().cause, Cause::Fatal, "{failure}");
        assert_eq!(failure.to_string(), format!("step `{step}` failed: {words}"));
        assert_eq!(failure.attempts(), 1);
    }
}

workflow! {
    fn failing(n: u64) -> Result<u64> {
        let orders = orders(n);
        let Some(first) = orders.first() else { fail!("empty list") };
        let even = match first.items.len() as u64 + n {
            3 => fail!("three, of {n}"),
            4 => { fail!(Refused(n)); }
            5 => Err(Refused(n + 1))?,
            even if even % 2 == 0 => double(even),
            odd => double(odd + 1),
        };
        if even > 20 {
            fail!("{even} is too many");
        }
        let Ok(kept) = picky(n) else { fail!("{n} is not kept") };
        let Some(Order { id, .. }) = orders.get(even as usize / 4 - 1) else { fail!("no third") };
        Ok(even + kept + id)
    }
}

#[test]
fn a_workflow_fails_in_words() {
    assert_eq!(*run(failing(4)).value(), 12 + 4 + 2);
    for (n, step, words) in [
        (0, "first", "empty list"),
        (1, "even[0]/fail", "three, of 1"),
        (2, "even[1]/fail", "2 is refused"),
        (3, "even[2]/fail", "4 is refused"),
        (30, "if[then]/fail", "64 is too many"),
        (8, "kept", "8 is not kept"),
    ] {
        let ran = run(failing(n));
        let words_now = ran.failure().to_string();
        assert!(words_now.ends_with(words), "{words_now} for {n}, not {words} at {step}");
        assert_eq!(ran.failure().failure().cause, Cause::Fatal);
    }
}

static CHARGED: AtomicU64 = AtomicU64::new(0);

#[task]
async fn charge(n: u64) -> u64 {
    CHARGED.fetch_add(1, Ordering::SeqCst);
    n
}

#[task]
async fn clean(n: u64) -> u64 {
    n
}

workflow! {
    fn guarded(n: u64) -> Result<u64> {
        let slow = double(n);
        (checked)(slow + 1)?;
        if slow > 100 {
            fail!("{slow} is too much");
        }
        let charged = charge(n);
        #[always]
        clean(n);
        Ok(charged)
    }
}

#[test]
fn what_is_written_after_a_check_without_a_name_waits_for_it() {
    assert_eq!(*run(guarded(1)).value(), 1);
    assert_eq!(CHARGED.load(Ordering::SeqCst), 1);
    for n in [4, 60] {
        let ran = run(guarded(n));
        ran.assert_state("guarded/charged", StepState::UpstreamFailed);
        ran.assert_state("guarded/clean", STEP_SUCCEEDED);
    }
    assert_eq!(CHARGED.load(Ordering::SeqCst), 1);
}

#[test]
fn what_fails_by_itself_survives_every_crash() {
    for (n, text) in [(2, "3"), (0, "3"), (1, "three"), (1, "2")] {
        crash_everywhere(Engine::in_memory, move || questions(n, text.to_owned())).run();
    }
    for n in [4, 0, 2, 3, 8] {
        crash_everywhere(Engine::in_memory, move || failing(n)).run();
    }
}

#[test]
fn a_check_is_a_step_of_its_own_kind_and_never_retried() {
    block_on(async {
        let engine = Engine::in_memory().start().await.unwrap();
        let run = engine.start(failing(0)).await.unwrap();
        run.wait().await;
        let shown = run.snapshot();
        let step = shown.step("failing/first").unwrap();
        assert_eq!(step.kind, workflow_runtime::StepKind::Check);
        assert_eq!(step.attempt, 1);
        assert_eq!(step.failure.as_ref().unwrap().to_string(), "empty list");
    });
}
