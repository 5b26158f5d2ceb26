//! Undo: in reverse, one at a time, before the body's `#[always]` steps.

use super::graph::*;
use super::harness::*;
use crate::run::{Answer, AttemptEnd, RunState, StepState};

#[test]
fn finished_steps_are_undone_in_reverse_order_of_completion() {
    let mut run = Run::begin(flat(vec![
        task("a").undo(1),
        task("b").undo(1),
        task("plain"),
        task("clean").always().needs(&["a"]),
        task("boom").needs(&["a", "b", "plain"]),
    ]));
    run.ok("b");
    run.ok("a");
    run.ok("plain");
    run.log();
    run.fail("boom");
    assert_eq!(run.log(), ["undo a 1"]);
    assert_eq!(run.run_state(), RunState::Undoing);
    assert_eq!(run.state("a"), StepState::Undoing);
    run.ok("a");
    assert_eq!(run.log(), ["undo b 1"]);
    run.ok("b");
    assert_eq!(run.log(), ["start clean 1"], "its value is still there");
    run.ok("clean");
    assert_eq!(run.log(), ["finish failed: boom 1 no luck"]);
    assert_eq!(run.states(), "a undone, b undone, plain succeeded, clean succeeded, boom failed");
}

#[test]
fn an_undo_is_retried_by_its_own_policy_and_given_up_at_last() {
    let mut run = Run::begin(flat(vec![
        task("a").undo(1),
        task("b").undo(2).needs(&["a"]),
        task("boom").needs(&["b"]),
    ]));
    run.ok("a");
    run.ok("b");
    run.fail("boom");
    run.log();
    run.fail("b");
    assert_eq!(run.log(), ["timer b +1s"]);
    assert_eq!((run.state("b"), run.run_state()), (StepState::Undoing, RunState::Undoing));
    run.timer("b");
    run.end("b", AttemptEnd::Interrupted);
    assert_eq!(run.log(), ["undo b 2", "undo b 2"]);
    run.fail("b");
    assert_eq!(run.log(), ["undo a 1"]);
    assert_eq!(run.state("b"), StepState::Failed);
    run.ok("a");
    assert_eq!(run.log(), ["finish failed: boom 1 no luck"]);
}

#[test]
fn a_cancel_does_not_abort_an_undo() {
    let mut run = Run::begin(flat(vec![task("a").undo(1), task("boom").needs(&["a"])]));
    run.ok("a");
    run.fail("boom");
    run.log();
    run.cancel();
    assert_eq!(run.log(), [""; 0]);
    run.ok("a");
    assert_eq!(run.log(), ["finish failed: boom 1 no luck"]);
}

#[test]
fn the_steps_of_a_finished_child_are_undone_with_its_parent() {
    let inner = graph("inner", vec![region(vec![task("x").undo(1), task("y").undo(1)])]);
    let mut run = Run::begin(flat(vec![
        child("c", inner),
        task("between").undo(1),
        task("boom").needs(&["c", "between"]),
    ]));
    run.ok("c/x");
    run.ok("between");
    run.full_log();
    run.ok("c/y");
    assert_eq!(run.full_log(), ["yield c:0", "start boom 1"], "the child's values stay");
    assert_eq!(run.state("c/x"), StepState::Succeeded { cached: false });
    run.fail("boom");
    run.ok("c/y");
    run.ok("between");
    assert_eq!(run.log(), ["undo c/y 1", "undo between 1", "undo c/x 1"]);
    run.ok("c/x");
    assert_eq!(run.full_log()[1..], ["close body", "finish failed: boom 1 no luck"][..]);
}

#[test]
fn a_failed_child_undoes_its_own_steps_only() {
    let inner = graph("inner", vec![region(vec![task("x").undo(1), task("boom").needs(&["x"])])]);
    let mut run = Run::begin(flat(vec![
        task("a").undo(1),
        child("c", inner).value().needs(&["a"]),
        task("z").needs(&["c"]),
    ]));
    run.ok("a");
    run.ok("c/x");
    run.log();
    run.fail("c/boom");
    assert_eq!(run.log(), ["undo c/x 1"]);
    assert_eq!(run.run_state(), RunState::Running);
    run.ok("c/x");
    assert_eq!(run.log(), ["fail c 1 no luck", "start z 1"]);
    run.ok("z");
    assert_eq!(run.run_state(), RunState::Succeeded);
    assert_eq!(run.state("a"), StepState::Succeeded { cached: false });
}

#[test]
fn frames_stay_for_the_undo_of_their_steps() {
    let graph = graph(
        "w",
        vec![region(vec![each("m", 1, Some(1)), task("z").needs(&["m"])]), region(vec![task("x").undo(1)])],
    );
    let mut run = Run::begin(graph);
    run.full_log();
    run.ok("m[0]/x");
    run.ok("m[1]/x");
    assert_eq!(run.full_log()[..3], ["yield m[0]", "open m[1]", "start m[1]/x 1 of more"][..]);
    assert_eq!(run.state("m[0]/x"), StepState::Succeeded { cached: false });
    run.full_log();
    run.ok("z");
    assert_eq!(run.full_log(), ["yield body", "close body", "close m[0]", "close m[1]", "finish succeeded"]);
}

#[test]
fn what_always_steps_did_stays_done() {
    let inner = graph("inner", vec![region(vec![task("x").undo(1)])]);
    let graph = graph(
        "w",
        vec![
            region(vec![
                task("a"),
                child("c", inner).always(),
                task("d").always().undo(1),
                each("m", 1, None).always(),
                task("boom").always().needs(&["c", "d", "m"]),
            ]),
            region(vec![task("y").undo(1), child("z", inner)]),
        ],
    );
    let mut run = Run::scripted(graph, &[("m", Answer::Items(1))]);
    for step in ["a", "c/x", "d", "m[0]/y", "m[0]/z/x"] {
        run.ok(step);
    }
    run.log();
    run.fail("boom");
    assert_eq!(run.log(), ["finish failed: boom 1 no luck"]);
}
