//! What becomes of an `at_most_once` attempt that was lost.

use super::graph::*;
use super::harness::*;
use crate::run::{AttemptEnd, Refused, RunState, StepState};

/// A run whose `a` was lost.
fn lost(attempts: u32) -> Run {
    let mut run = Run::begin(flat(vec![task("a").reconciled(attempts), task("b").needs(&["a"])]));
    run.end("a", AttemptEnd::Lost);
    run.grant("a");
    assert_eq!(run.log(), ["start a 1 of more", "acquire a after 1", "reconcile a 1"]);
    assert_eq!(run.states(), "a outcome unknown, b waiting for other steps");
    assert_eq!(run.run_state(), RunState::Running);
    run
}

#[test]
fn an_attempt_that_turns_out_well_has_succeeded() {
    let mut run = lost(1);
    run.ok("a");
    assert_eq!(run.log(), ["start b 1"]);
    assert_eq!(run.state("a"), StepState::Succeeded { cached: false });
}

#[test]
fn an_attempt_that_has_done_nothing_is_made_again() {
    let mut run = lost(1);
    run.end("a", AttemptEnd::NotDone);
    run.grant("a");
    assert_eq!(run.log(), ["acquire a after 1", "start a 1 of more"]);
    assert_eq!(run.try_end("a", AttemptEnd::NotDone), Err(Refused::Unexpected), "it is an attempt");
    run.ok("a");
    assert_eq!(run.log(), ["start b 1"]);
}

#[test]
fn a_reconciliation_is_retried_by_its_own_policy_and_left_to_an_operator_at_last() {
    let mut run = lost(2);
    run.fail("a");
    assert_eq!(run.log(), ["timer a +1s"]);
    assert_eq!(run.run_state(), RunState::Waiting);
    run.timer("a");
    run.grant("a");
    assert_eq!(run.log(), ["acquire a after 1", "reconcile a 2"]);
    run.fail("a");
    assert_eq!((run.log(), run.run_state()), (Vec::new(), RunState::Waiting));
    let view = run.machine.view(run.key("a")).unwrap();
    assert!(view.unresolved);
    assert_eq!(view.failure.unwrap().to_string(), "no luck");
    run.set("a").unwrap();
    assert_eq!(run.log(), ["start b 1"]);
}

#[test]
fn an_operator_forestalls_a_reconciliation() {
    let mut run = lost(1);
    run.set("a").unwrap();
    assert_eq!(run.log(), ["give up a", "start b 1"]);
    assert_eq!(run.try_end("a", AttemptEnd::NotDone), Err(Refused::Stale));

    let mut run = lost(2);
    run.fail("a");
    run.log();
    run.retry("a").unwrap();
    assert_eq!(run.log(), ["acquire a after 1"]);

    let mut run = lost(2);
    run.fail("a");
    run.timer("a");
    run.log();
    run.set("a").unwrap();
    assert_eq!(run.log(), ["release a", "start b 1"], "it had asked for its turn");
}

#[test]
fn a_failing_run_waits_for_what_a_reconciliation_says() {
    let steps = || vec![task("a").reconciled(3).undo(1), task("boom")];
    for (end, log) in [
        (AttemptEnd::Ok, &["undo a 1"][..]),
        (AttemptEnd::NotDone, &["finish failed: boom 1 no luck"]),
        (AttemptEnd::Lost, &["finish failed: boom 1 no luck"]),
        (
            AttemptEnd::Failed(failure("who knows"), crate::task::Retryability::Retry),
            &["finish failed: boom 1 no luck"],
        ),
    ] {
        let mut run = Run::begin(flat(steps()));
        run.end("a", AttemptEnd::Lost);
        run.grant("a");
        run.fail("boom");
        run.log();
        assert_eq!(run.retry("a"), Err(Refused::Unexpected), "nothing more starts");
        run.end("a", end);
        assert_eq!(run.log(), log);
    }
}

#[test]
fn a_cancelled_run_stops_a_reconciliation() {
    let mut run = lost(3);
    run.cancel();
    assert_eq!(run.log(), ["stop a", "await grace"]);
    run.end("a", AttemptEnd::Cancelled);
    assert_eq!(run.log(), ["finish cancelled"]);
    assert_eq!(run.states(), "a outcome unknown, b cancelled");

    let mut run = lost(3);
    run.fail("a");
    run.log();
    run.cancel();
    assert_eq!(run.log(), ["finish cancelled"], "it waits for its time only");
}

#[test]
fn a_race_that_is_decided_gives_up_a_reconciliation() {
    let graph = graph(
        "w",
        vec![
            region(vec![select("s", 1, &[2, 2])]),
            region(vec![task("x").reconciled(1), task("y")]),
            region(vec![]),
        ],
    );
    let mut run = Run::begin(graph);
    run.end("s/x", AttemptEnd::Lost);
    run.grant("s/x");
    run.log();
    run.ok("s/y");
    assert_eq!(run.log(), ["give up s/x", "finish succeeded"]);
}
