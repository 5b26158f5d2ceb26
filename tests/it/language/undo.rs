//! Rule 12: what a failed or cancelled run has finished is undone, the last
//! first.

use std::sync::{Arc, Mutex};

use support::tasks::*;
use support::{Ran, STEP_SUCCEEDED, drive_on, run_on, seconds};
use workflow_runtime::run::{RunState, StepState};
use workflow_runtime::{
    Cause, Context, Engine, EngineBuilder, Resources, Run, RunEventKind, StepError, task, workflow,
};

/// What was done and undone, in its order.
#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<Vec<String>>>);

impl Ledger {
    fn note(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[derive(Resources)]
struct Shop {
    ledger: Ledger,
}

fn shop() -> (EngineBuilder<Shop>, Ledger) {
    let ledger = Ledger::default();
    (Engine::in_memory().resources(Shop { ledger: ledger.clone() }), ledger)
}

/// A receipt, which is not `Clone`.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Receipt {
    number: u64,
}

#[task(undo = refund)]
async fn charge(number: u64, seconds: u64, #[resource] ledger: &Ledger) -> Receipt {
    tokio::time::sleep(support::seconds(seconds)).await;
    ledger.note(format!("charge {number}"));
    Receipt { number }
}

#[task]
async fn refund(receipt: &Receipt, #[resource] ledger: &Ledger) {
    ledger.note(format!("refund {}", receipt.number));
}

#[task(undo = release)]
async fn reserve(item: &str, count: u64, #[resource] ledger: &Ledger) -> Result<u64, Oops> {
    ledger.note(format!("reserve {count} {item}"));
    Ok(count * 100)
}

/// Takes the output and the arguments.
#[task]
async fn release(
    place: &u64,
    item: &str,
    count: &u64,
    #[resource] ledger: &Ledger,
    #[context] cx: &Context,
) -> Result<(), Oops> {
    ledger.note(format!("release {count} {item} from {place} for {}", cx.step()));
    Ok(())
}

workflow! {
    fn order(good: bool) -> Result<u64> {
        let late = charge(1, 9);
        let early = charge(2, 3);
        let place = reserve("tea", 4)?;
        #[after(late, early, place)]
        let tried = try_it(good)?;
        Ok(tried + late.number + early.number)
    }
}

#[test]
fn a_run_that_succeeds_undoes_nothing() {
    let (engine, ledger) = shop();
    assert_eq!(*run_on(engine, order(true)).value(), 4);
    assert_eq!(ledger.lines(), ["reserve 4 tea", "charge 2", "charge 1"]);
}

#[test]
fn a_failed_run_undoes_in_the_reverse_order_of_success() {
    let (engine, ledger) = shop();
    let ran = run_on(engine, order(false));
    ran.assert_failed("order/tried", Cause::Error);
    assert_eq!(
        ledger.lines(),
        [
            "reserve 4 tea",
            "charge 2",
            "charge 1",
            "refund 1",
            "refund 2",
            "release 4 tea from 400 for order/place",
        ]
    );
    for step in ["late", "early", "place"] {
        ran.assert_state(&format!("order/{step}"), StepState::Undone);
    }
    assert_states(&ran, &[RunState::Running, RunState::Undoing, RunState::Failed]);
}

/// Asserts the run's states, without the waits between.
#[track_caller]
fn assert_states<T>(ran: &Ran<T>, expected: &[RunState]) {
    let states = ran.trace.events().iter().filter_map(|event| match event.kind {
        RunEventKind::Run(state) if state != RunState::Waiting => Some(state),
        _ => None,
    });
    let mut states: Vec<RunState> = states.collect();
    states.dedup();
    assert_eq!(states, expected, "{}", ran.trace);
}

workflow! {
    fn waits() -> Result<u64> {
        let charged = charge(1, 2);
        #[after(charged)]
        let word = signal::<u64>("word");
        Ok(word)
    }
}

#[test]
fn a_cancelled_run_undoes_too() {
    let (engine, ledger) = shop();
    let ran = drive_on(engine, waits(), async |run: Run<u64>| {
        tokio::time::sleep(seconds(5)).await;
        run.cancel().await.unwrap();
    });
    ran.assert_cancelled();
    assert_eq!(ledger.lines(), ["charge 1", "refund 1"]);
    ran.assert_state("waits/charged", StepState::Undone);
}

workflow! {
    fn child(number: u64, good: bool) -> Result<u64> {
        let first = charge(number, 1);
        let second = charge(number + first.number / 100, 2);
        #[after(first, second)]
        let tried = try_it(good)?;
        Ok(tried)
    }
}

workflow! {
    fn with_children(good: bool) -> Result<u64> {
        let before = charge(1, 0);
        #[after(before)]
        let inner = child(20, true)?;
        #[after(inner)]
        let after = charge(3, 0);
        #[after(after)]
        let tried = try_it(good)?;
        Ok(inner + tried)
    }
}

#[test]
fn the_steps_of_finished_children_are_undone_with_their_parent() {
    let (engine, ledger) = shop();
    run_on(engine, with_children(false)).assert_failed("with_children/tried", Cause::Error);
    let lines = ledger.lines();
    assert_eq!(lines[..4], ["charge 1", "charge 20", "charge 20", "charge 3"]);
    assert_eq!(lines[4..], ["refund 3", "refund 20", "refund 20", "refund 1"]);
}

workflow! {
    fn with_failing_child() -> Result<bool> {
        let before = charge(1, 0);
        #[after(before)]
        let inner = child(20, false);
        let bad = is_bad(&inner);
        Ok(bad)
    }
}

#[task]
async fn is_bad(outcome: &Result<u64, StepError>) -> bool {
    outcome.is_err()
}

#[test]
fn a_child_that_fails_undoes_its_own_steps_and_no_others() {
    let (engine, ledger) = shop();
    let ran = run_on(engine, with_failing_child());
    assert!(*ran.value());
    assert_eq!(ledger.lines(), ["charge 1", "charge 20", "charge 20", "refund 20", "refund 20"]);
    ran.assert_state("with_failing_child/before", STEP_SUCCEEDED);
    ran.assert_state("with_failing_child/inner/first", StepState::Undone);
}

workflow! {
    fn in_regions(items: Vec<u64>) -> Result<u64> {
        #[limit(1)]
        let receipts = for item in items {
            let _receipt = charge(item, 1);
            if item > 1 { charge(item * 10, 0) } else { charge(0, 0) }
        };
        #[after(receipts)]
        let tried = try_it(false)?;
        Ok(tried)
    }
}

#[test]
fn the_steps_of_regions_are_undone() {
    let (engine, ledger) = shop();
    let ran = run_on(engine, in_regions(vec![1, 2]));
    ran.assert_failed("in_regions/tried", Cause::Error);
    let lines = ledger.lines();
    let (done, undone) = lines.split_at(4);
    let mut expected: Vec<String> = done.iter().map(|line| line.replace("charge", "refund")).collect();
    expected.reverse();
    assert_eq!(undone, expected);
    ran.assert_state("in_regions/receipts[1]/_receipt", StepState::Undone);
}

workflow! {
    fn running_meanwhile() -> Result<u64> {
        let slow_one = charge(1, 10);
        let tried = fail_after(1)?;
        Ok(tried + slow_one.number)
    }
}

#[test]
fn what_runs_when_the_run_fails_may_finish_and_is_then_undone() {
    let (engine, ledger) = shop();
    let ran = run_on(engine, running_meanwhile());
    ran.assert_failed("running_meanwhile/tried", Cause::Error);
    assert_eq!(ledger.lines(), ["charge 1", "refund 1"]);
    assert_eq!(ran.took(), seconds(10));
}

#[task(undo = stubborn_refund)]
async fn stubborn(number: u64) -> u64 {
    number
}

#[task(retry(attempts = 3, backoff = fixed("10s")))]
async fn stubborn_refund(
    number: &u64,
    #[resource] ledger: &Ledger,
    #[context] cx: &Context,
) -> Result<(), Oops> {
    ledger.note(format!("try {} of {number}", cx.attempt()));
    if *number >= u64::from(cx.attempt()) { Err(oops("no")) } else { Ok(()) }
}

workflow! {
    fn retried(number: u64) -> Result<u64> {
        let before = charge(7, 0);
        #[after(before)]
        let done = stubborn(number);
        #[after(done)]
        let tried = try_it(false)?;
        Ok(tried + done)
    }
}

#[test]
fn an_undo_has_the_retries_of_its_own_task() {
    let (engine, ledger) = shop();
    let ran = run_on(engine, retried(2));
    assert_eq!(ledger.lines(), ["charge 7", "try 1 of 2", "try 2 of 2", "try 3 of 2", "refund 7"]);
    assert_eq!(ran.took(), seconds(20));
    ran.assert_state("retried/done", StepState::Undone);
}

#[test]
fn an_undo_that_fails_does_not_keep_the_others_from_theirs() {
    let (engine, ledger) = shop();
    let ran = run_on(engine, retried(9));
    ran.assert_failed("retried/tried", Cause::Error);
    ran.assert_state("retried/done", StepState::Failed);
    ran.assert_state("retried/before", StepState::Undone);
    assert_eq!(ledger.lines().last().unwrap(), "refund 7");
}

workflow! {
    fn always_and_undo() -> Result<u64> {
        let done = charge(1, 0);
        #[after(done)]
        let tried = try_it(false)?;
        #[always]
        let _cleanup = charge(2, 0);
        Ok(tried)
    }
}

#[test]
fn undo_comes_before_always_which_stays_done() {
    let (engine, ledger) = shop();
    run_on(engine, always_and_undo()).assert_failed("always_and_undo/tried", Cause::Error);
    assert_eq!(ledger.lines(), ["charge 1", "refund 1", "charge 2"]);
}

#[task]
async fn file(receipt: &Receipt, #[resource] ledger: &Ledger) -> u64 {
    ledger.note(format!("file {}", receipt.number));
    receipt.number
}

workflow! {
    fn uses_what_was_undone() -> Result<u64> {
        let done = charge(4, 0);
        #[after(done)]
        let tried = try_it(false)?;
        #[always]
        let _filed = file(&done);
        Ok(tried)
    }
}

#[test]
fn always_still_has_the_value_of_a_step_that_was_undone() {
    let (engine, ledger) = shop();
    run_on(engine, uses_what_was_undone()).assert_failed("uses_what_was_undone/tried", Cause::Error);
    assert_eq!(ledger.lines(), ["charge 4", "refund 4", "file 4"]);
}

/// The argument is not `Clone` and handed over: the undo has it nevertheless.
#[task(undo = unsend)]
async fn send(receipt: Receipt) -> u64 {
    receipt.number
}

#[task]
async fn unsend(number: &u64, receipt: &Receipt, #[resource] ledger: &Ledger) {
    ledger.note(format!("unsend {number} {}", receipt.number));
}

#[task]
async fn receipt(number: u64) -> Receipt {
    Receipt { number }
}

workflow! {
    fn moved_argument() -> Result<u64> {
        let made = receipt(5);
        let sent = send(made);
        #[after(sent)]
        let tried = try_it(false)?;
        Ok(tried)
    }
}

#[test]
fn an_undo_gets_arguments_that_were_moved() {
    let (engine, ledger) = shop();
    run_on(engine, moved_argument()).assert_failed("moved_argument/tried", Cause::Error);
    assert_eq!(ledger.lines(), ["unsend 5 5"]);
}
