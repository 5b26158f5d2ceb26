//! Attempts whose process ended: they use up nothing and fail nothing, come
//! later each time, and wait for an operator in the end.

use super::graph::*;
use super::harness::*;
use crate::run::{AttemptEnd, Refused, RunState, StepState, Timestamp, Wait};
use crate::task::definition::Graph;

/// Loses the attempt that is under way, and has the next one begin once its
/// time and its turn have come. What the machine wanted meanwhile.
fn lose(run: &mut Run, path: &str) -> Vec<String> {
    run.log();
    run.end(path, AttemptEnd::Lost);
    loop {
        if run.log_ends_with("timer") {
            run.timer(path);
        } else if run.log_ends_with("acquire") {
            run.grant(path);
        } else {
            return run.log();
        }
    }
}

/// A run whose `a` was lost so often that it is suspected.
fn suspected(graph: &'static Graph, losses: u16) -> Run {
    let mut run = Run::begin(graph);
    (0..losses).for_each(|_| _ = lose(&mut run, "a"));
    assert_eq!(run.state("a"), StepState::Suspected);
    run
}

#[test]
fn an_interrupted_attempt_is_no_loss() {
    let mut run = Run::begin(flat(vec![task("a").attempts(2).losses(1)]));
    run.grant("a");
    for _ in 0..20 {
        run.log();
        run.end("a", AttemptEnd::Interrupted);
        run.grant("a");
        assert_eq!(run.log(), ["acquire a after 1", "start a 1 of more"]);
    }
    let mut run = Run::begin(flat(vec![task("a").attempts(2)]));
    run.end("a", AttemptEnd::Interrupted);
    assert_eq!(run.log(), ["start a 1 of more", "start a 1 of more"], "it begins at once");
}

#[test]
fn a_step_that_is_lost_ten_times_in_a_row_is_suspected_and_fails_nothing() {
    let mut run = Run::begin(flat(vec![task("a").attempts(2), task("b").needs(&["a"])]));
    run.log();
    let waits = [0, 0, 1, 2, 4, 8, 16, 32, 64];
    for (losses, wait) in (1..).zip(waits) {
        let mut expected = vec![format!("acquire a after {losses}"), "start a 1 of more".to_owned()];
        if wait > 0 {
            expected.insert(0, format!("timer a +{wait}s"));
        }
        assert_eq!(lose(&mut run, "a"), expected);
        assert_eq!(run.machine.view(run.key("a")).unwrap().losses, losses);
    }
    assert_eq!(lose(&mut run, "a"), [""; 0]);
    assert_eq!(run.states(), "a suspected, b waiting for other steps");
    assert_eq!(run.run_state(), RunState::Waiting);
    let view = run.machine.view(run.key("a")).unwrap();
    assert_eq!((view.losses, view.attempt, view.ended), (10, 0, None));
    assert_eq!(view.failure.unwrap().to_string(), "the process ended while the attempt ran");
}

#[test]
fn the_wait_after_a_loss_has_jitter_that_is_drawn_once() {
    for (roll, wait) in [(0.0, "timer a +750ms"), (1.0, "timer a +1.25s")] {
        let mut run = Run::begin(flat(vec![task("a")]));
        lose(&mut run, "a");
        lose(&mut run, "a");
        run.end_with("a", AttemptEnd::Lost, roll);
        assert_eq!(run.log(), [wait]);
    }
}

#[test]
fn a_step_that_may_be_lost_for_ever_never_waits_longer_than_five_minutes() {
    let mut run = Run::begin(flat(vec![task("a").losses(0)]));
    for _ in 0..100 {
        lose(&mut run, "a");
    }
    assert_eq!(lose(&mut run, "a"), ["timer a +300s", "acquire a after 101", "start a 1"]);
}

#[test]
fn any_end_of_an_attempt_forgets_the_losses_before_it() {
    let mut run = Run::begin(flat(vec![task("a").attempts(9).losses(3)]));
    for _ in 0..3 {
        lose(&mut run, "a");
        lose(&mut run, "a");
        run.fail("a");
        run.timer("a");
    }
    run.log();
    assert_eq!(lose(&mut run, "a"), ["acquire a after 1", "start a 4 of more"]);
    run.ok("a");
    assert_eq!(run.run_state(), RunState::Succeeded);
}

#[test]
fn what_was_decided_and_has_not_begun_is_no_further_loss() {
    // Nothing of what asks for its turn is under way, so nothing of it is lost.
    let mut run = Run::begin(flat(vec![task("a").losses(2)]));
    run.end("a", AttemptEnd::Lost);
    assert!(!run.machine.has_attempts());
    assert_eq!(run.state("a"), StepState::Waiting(Wait::Turn));
    assert_eq!(run.try_end("a", AttemptEnd::Lost), Err(Refused::Unexpected));
    // Where the first loss would be one too many, not even the first attempt.
    let mut run = Run::begin(flat(vec![task("a").losses(1)]));
    assert_eq!(run.log(), ["acquire a after 1"]);
    run.grant("a");
    run.end("a", AttemptEnd::Lost);
    assert_eq!(run.state("a"), StepState::Suspected);
}

#[test]
fn a_limited_step_asks_for_its_room_and_its_turn_at_once() {
    let mut run = Run::begin(flat(vec![task("a").limited()]));
    run.grant("a");
    run.log();
    run.end("a", AttemptEnd::Lost);
    assert_eq!(run.log(), ["acquire a after 1"]);
    assert_eq!(run.state("a"), StepState::Waiting(Wait::Slot));
}

#[test]
fn an_operator_has_a_suspected_step_attempted_again_as_if_for_the_first_time() {
    let mut run = suspected(flat(vec![task("a").losses(2).deadline(60), task("b").needs(&["a"])]), 2);
    run.now = Timestamp(0).after(second() * 3600);
    run.log();
    run.retry("a").unwrap();
    assert_eq!(run.log(), ["acquire a after 1"]);
    run.grant("a");
    let view = run.machine.view(run.key("a")).unwrap();
    assert_eq!((view.losses, run.started("a")), (0, run.now), "its deadline begins anew");
    lose(&mut run, "a");
    assert_eq!(run.state("a"), StepState::Running, "one loss is not two");
    run.ok("a");
    assert_eq!(run.log(), ["start b 1"]);
}

#[test]
fn an_operator_settles_a_suspected_step() {
    let mut run = suspected(flat(vec![task("a").losses(2), task("b").needs(&["a"])]), 2);
    run.log();
    run.set("a").unwrap();
    assert_eq!(run.log(), ["start b 1"]);
}

#[test]
fn a_run_with_a_suspected_step_is_cancelled() {
    let steps = vec![task("a").losses(2), task("b").needs(&["a"]), task("c").undo(1)];
    let mut run = Run::begin(flat(steps));
    run.ok("c");
    lose(&mut run, "a");
    lose(&mut run, "a");
    run.log();
    run.cancel();
    assert_eq!(run.log(), ["undo c 1"]);
    run.ok("c");
    assert_eq!((run.log(), run.run_state()), (vec!["finish cancelled".to_owned()], RunState::Cancelled));
}

#[test]
fn a_suspected_step_is_stopped_where_its_run_fails_and_loses_its_races() {
    let mut run = suspected(flat(vec![task("a").losses(2), task("boom")]), 2);
    run.fail("boom");
    assert_eq!(run.states(), "a cancelled, boom failed");

    let regions = vec![
        region(vec![select("s", 1, &[2, 2])]),
        region(vec![task("x").losses(1), task("y")]),
        region(vec![]),
    ];
    let mut run = Run::begin(graph("w", regions));
    run.grant("s/x");
    run.end("s/x", AttemptEnd::Lost);
    assert_eq!(run.state("s/x"), StepState::Suspected);
    run.ok("s/y");
    assert_eq!(run.run_state(), RunState::Succeeded);
}

#[test]
fn a_suspected_clean_up_is_given_up_by_a_cancel_or_goes_on() {
    let steps = || vec![task("boom"), task("a").always().losses(1)];
    let clean_up = || {
        let mut run = Run::begin(flat(steps()));
        run.fail("boom");
        run.grant("a");
        run.end("a", AttemptEnd::Lost);
        assert_eq!((run.state("a"), run.run_state()), (StepState::Suspected, RunState::Waiting));
        run.log();
        run
    };
    let mut run = clean_up();
    run.cancel();
    assert_eq!(run.log(), ["finish failed: boom 1 no luck"]);
    assert_eq!(run.state("a"), StepState::Failed);

    let mut run = clean_up();
    run.retry("a").unwrap();
    run.grant("a");
    run.ok("a");
    assert_eq!(run.log(), ["acquire a after 1", "start a 1", "finish failed: boom 1 no luck"]);

    // The run was cancelled before.
    let mut run = Run::begin(flat(steps()));
    run.cancel();
    run.end("boom", AttemptEnd::Cancelled);
    run.grant("a");
    run.end("a", AttemptEnd::Lost);
    assert_eq!(run.state("a"), StepState::Suspected);
    run.cancel();
    assert!(run.run_state().is_ended());
}

/// A failed run whose undo of `a` was lost as often as may be.
fn suspected_undo() -> Run {
    let steps = vec![
        task("first").undo(1),
        task("a").undo(1).losses(2).needs(&["first"]),
        task("boom").needs(&["a"]),
    ];
    let mut run = Run::begin(flat(steps));
    run.ok("first");
    run.ok("a");
    run.fail("boom");
    run.log();
    assert_eq!(lose(&mut run, "a"), ["acquire a after 1", "undo a 1"]);
    assert_eq!(lose(&mut run, "a"), [""; 0]);
    assert_eq!((run.state("a"), run.run_state()), (StepState::Suspected, RunState::Undoing));
    run
}

#[test]
fn a_lost_undo_is_repeated_and_suspected_in_the_end() {
    let mut run = suspected_undo();
    run.retry("a").unwrap();
    assert_eq!(run.state("a"), StepState::Undoing);
    run.grant("a");
    run.ok("a");
    assert_eq!(run.log(), ["acquire a after 1", "undo a 1", "undo first 1"]);
    assert_eq!(run.state("a"), StepState::Undone);

    let mut run = suspected_undo();
    run.set("a").unwrap();
    assert_eq!((run.state("a"), run.log()), (StepState::Undone, vec!["undo first 1".to_owned()]));

    let mut run = suspected_undo();
    run.cancel();
    assert_eq!((run.state("a"), run.log()), (StepState::Failed, vec!["undo first 1".to_owned()]));
}

#[test]
fn an_undo_that_must_not_be_repeated_waits_for_an_operator_at_once() {
    for end in [AttemptEnd::Lost, AttemptEnd::Interrupted] {
        let mut once = task("a").undo(1);
        once.undo_once = true;
        let mut run = Run::begin(flat(vec![once, task("boom").needs(&["a"])]));
        run.ok("a");
        run.fail("boom");
        run.log();
        run.end("a", end);
        assert_eq!((run.state("a"), run.log()), (StepState::Suspected, Vec::new()));
    }
}

#[test]
fn a_reconciled_task_that_ends_its_process_is_suspected() {
    let mut run = Run::begin(flat(vec![task("a").reconciled(1).losses(4)]));
    for _ in 0..3 {
        lose(&mut run, "a");
        run.end("a", AttemptEnd::NotDone);
        run.grant("a");
    }
    run.log();
    assert_eq!(lose(&mut run, "a"), ["timer a +2s", "acquire a after 1", "reconcile a 1"]);
    run.end("a", AttemptEnd::NotDone);
    assert_eq!((run.log(), run.state("a")), (Vec::new(), StepState::Suspected));
    run.retry("a").unwrap();
    run.grant("a");
    assert_eq!(run.log(), ["acquire a after 1", "start a 1 of more"]);
}

#[test]
fn a_reconciliation_that_ends_its_process_is_left_to_an_operator() {
    let mut run = Run::begin(flat(vec![task("a").reconciled(9).losses(3)]));
    run.log();
    for losses in ["after 1", "after 1", "after 2"] {
        assert_eq!(lose(&mut run, "a"), [format!("acquire a {losses}"), "reconcile a 1".to_owned()]);
    }
    run.end("a", AttemptEnd::Lost);
    assert_eq!((run.log(), run.state("a")), (Vec::new(), StepState::OutcomeUnknown));
    run.retry("a").unwrap();
    run.grant("a");
    assert_eq!(run.log(), ["acquire a after 1", "start a 1 of more"]);
    run.end("a", AttemptEnd::Lost);
    assert_eq!(run.log(), ["acquire a after 1"], "it counts from the start");
}

#[test]
fn a_wait_after_a_loss_is_over_with_the_deadline() {
    let mut run = Run::begin(flat(vec![task("a").losses(0).deadline(9)]));
    for _ in 0..5 {
        lose(&mut run, "a");
    }
    // 1 s, 2 s and 4 s have gone by.
    run.end("a", AttemptEnd::Lost);
    assert_eq!(run.log(), ["timer a +2s"]);
}

#[test]
fn losses_in_the_journals_of_earlier_versions_count_as_they_did() {
    const LOST: AttemptEnd = AttemptEnd::Legacy { lost: true };
    const INTERRUPTED: AttemptEnd = AttemptEnd::Legacy { lost: false };
    let mut run = Run::begin(flat(vec![task("a").attempts(9)]));
    run.end("a", LOST);
    run.end("a", LOST);
    run.fail("a");
    run.timer("a");
    run.end("a", LOST);
    run.end("a", INTERRUPTED);
    run.end("a", LOST);
    assert_eq!(run.log().last().unwrap(), "start a 2 of more");
    run.end("a", LOST);
    assert_eq!(run.log(), ["finish failed: a 2 the process ended while the attempt ran"]);

    // Those that follow count as they do today.
    let mut run = Run::begin(flat(vec![task("a")]));
    run.end("a", LOST);
    run.end("a", LOST);
    run.log();
    assert_eq!(lose(&mut run, "a"), ["timer a +1s", "acquire a after 3", "start a 1"]);

    let mut run = Run::begin(flat(vec![task("a").undo(1), task("boom").needs(&["a"])]));
    run.ok("a");
    run.fail("boom");
    run.log();
    run.end("a", LOST);
    run.end("a", INTERRUPTED);
    run.end("a", LOST);
    run.end("a", LOST);
    let expected = ["undo a 1", "undo a 1", "undo a 1", "finish failed: boom 1 no luck"];
    assert_eq!((run.log(), run.state("a")), (expected.map(str::to_owned).to_vec(), StepState::Failed));

    let mut run = Run::begin(flat(vec![task("a").reconciled(9)]));
    run.end("a", LOST);
    run.end("a", LOST);
    run.end("a", INTERRUPTED);
    run.end("a", LOST);
    run.log();
    run.end("a", LOST);
    assert_eq!((run.log(), run.state("a")), (Vec::new(), StepState::OutcomeUnknown));
}
