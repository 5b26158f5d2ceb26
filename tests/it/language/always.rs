//! Rule 11: `#[always]` runs after everything it uses has ended, however the
//! run ends.

use support::tasks::*;
use support::{STEP_SUCCEEDED, drive, run, seconds};
use workflow_runtime::run::StepState;
use workflow_runtime::{Cause, Run, workflow};

workflow! {
    fn cleaned(good: bool) -> Result<u64> {
        let cluster = give(7);
        let work = try_it(good)?;
        let more = slow(work, 10);
        #[always]
        let cleanup = slow(cluster, 2);
        #[always]
        #[after(cleanup)]
        nothing();
        Ok(more)
    }
}

#[test]
fn always_after_a_success() {
    let ran = run(cleaned(true));
    assert_eq!(*ran.value(), 1);
    assert_eq!(ran.started("cleaned/cleanup"), seconds(10));
    ran.trace.assert_order(["cleaned/more", "cleaned/cleanup", "cleaned/nothing"]);
    assert_eq!(ran.took(), seconds(12));
}

#[test]
fn always_after_a_failure() {
    let ran = run(cleaned(false));
    ran.assert_failed("cleaned/work", Cause::Error);
    ran.assert_states([
        ("cleaned/more", StepState::UpstreamFailed),
        ("cleaned/cleanup", STEP_SUCCEEDED),
        ("cleaned/nothing", STEP_SUCCEEDED),
    ]);
}

workflow! {
    fn cleaned_after_cancel() -> Result<u64> {
        let cluster = give(7);
        let work = hang();
        #[always]
        let cleanup = slow(cluster, 2);
        #[always]
        #[after(cleanup)]
        nothing();
        Ok(work)
    }
}

#[test]
fn always_after_a_cancel() {
    let ran = drive(cleaned_after_cancel(), async |run: Run<u64>| {
        tokio::time::sleep(seconds(3)).await;
        run.cancel().await.unwrap();
    });
    ran.assert_cancelled();
    ran.assert_states([
        ("cleaned_after_cancel/work", StepState::Cancelled),
        ("cleaned_after_cancel/cleanup", STEP_SUCCEEDED),
        ("cleaned_after_cancel/nothing", STEP_SUCCEEDED),
    ]);
    // When the grace time is over, nobody waits for the work any more.
    assert_eq!(ran.started("cleaned_after_cancel/cleanup"), seconds(33));
    assert_eq!(ran.took(), seconds(35));
}

workflow! {
    fn of_what_failed(good: bool) -> Result<u64> {
        let cluster = try_it(good)?;
        #[always]
        slow(cluster, 1);
        Ok(cluster)
    }
}

#[test]
fn always_does_not_start_without_what_it_uses() {
    run(of_what_failed(true)).assert_state("of_what_failed/slow", STEP_SUCCEEDED);
    let ran = run(of_what_failed(false));
    ran.assert_failed("of_what_failed/cluster", Cause::Error);
    ran.assert_state("of_what_failed/slow", StepState::UpstreamFailed);
}

workflow! {
    fn failing_cleanup(good: bool) -> Result<u64> {
        let work = try_it(good)?;
        #[always]
        fail_after(1)?;
        Ok(work)
    }
}

#[test]
fn a_cleanup_that_fails_fails_the_run() {
    run(failing_cleanup(true)).assert_failed("failing_cleanup/fail_after", Cause::Error);
    // The first failure is the one that is told.
    run(failing_cleanup(false)).assert_failed("failing_cleanup/work", Cause::Error);
}

workflow! {
    fn in_regions(items: Vec<bool>) -> Result<u64> {
        let done = for good in items {
            let work = try_it(good)?;
            #[always]
            let _tidy = give(3);
            work
        };
        let total = sum(&done);
        Ok(total)
    }
}

#[test]
fn a_region_cleans_up_after_itself() {
    let ran = run(in_regions(vec![true, true]));
    assert_eq!(*ran.value(), 2);
    ran.assert_state("in_regions/done[1]/_tidy", STEP_SUCCEEDED);
    let ran = run(in_regions(vec![true, false]));
    ran.assert_failed("in_regions/done[1]/work", Cause::Error);
    ran.assert_state("in_regions/done[0]/_tidy", STEP_SUCCEEDED);
    ran.assert_state("in_regions/done[1]/_tidy", STEP_SUCCEEDED);
}
