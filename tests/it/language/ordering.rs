//! Rule 8: `#[after]` orders without data.

use support::tasks::*;
use support::{run, seconds};
use workflow_runtime::run::StepState;
use workflow_runtime::{Cause, workflow};

workflow! {
    fn ordered() -> Result<u64> {
        // A later step may be named, and several.
        #[after(late, one)]
        let first = slow(1, 1);
        let one = slow(1, 3);
        let late = slow(2, 5);
        #[after(first)]
        nothing();
        Ok(first + one + late)
    }
}

#[test]
fn after_orders_steps_without_data() {
    let ran = run(ordered());
    assert_eq!(ran.started("ordered/first"), seconds(5));
    assert_eq!(ran.started("ordered/one"), seconds(0));
    assert_eq!(ran.started("ordered/nothing"), seconds(6));
}

workflow! {
    fn after_failure(handled: bool) -> Result<u64> {
        let good = try_it(handled)?;
        #[after(good)]
        let next = give(1);
        Ok(next)
    }
}

#[test]
fn after_a_failure_nothing_starts() {
    assert_eq!(*run(after_failure(true)).value(), 1);
    let ran = run(after_failure(false));
    ran.assert_failed("after_failure/good", Cause::Error);
    ran.assert_state("after_failure/next", StepState::UpstreamFailed);
    ran.assert_never_started("after_failure/next");
}

workflow! {
    fn after_regions(items: Vec<u64>) -> Result<u64> {
        let done = for item in items { slow(item, item) };
        #[after(done)]
        let chosen = if items.is_empty() { give(0) } else { slow(1, 1) };
        #[after(chosen)]
        sleep("10s");
        #[after(sleep)]
        let last = give(chosen);
        Ok(last)
    }
}

#[test]
fn after_orders_regions_and_waits_too() {
    let ran = run(after_regions(vec![3, 6]));
    assert_eq!(ran.started("after_regions/chosen"), seconds(6));
    assert_eq!(ran.started("after_regions/last"), seconds(17));
}

workflow! {
    fn after_handled_failure() -> Result<u64> {
        let bad = fail_after(2);
        #[after(bad)]
        let next = give(1);
        let _told = told(&bad);
        Ok(next)
    }
}

#[workflow_runtime::task]
async fn told(outcome: &Result<u64, workflow_runtime::StepError>) -> bool {
    outcome.is_err()
}

#[test]
fn after_a_failure_that_is_a_value_it_goes_on() {
    let ran = run(after_handled_failure());
    assert_eq!(*ran.value(), 1);
    assert_eq!(ran.started("after_handled_failure/next"), seconds(2));
}
