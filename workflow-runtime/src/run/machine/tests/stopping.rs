//! Failed and cancelled runs: what starts no more, what may finish, what
//! runs nevertheless.

use super::graph::*;
use super::harness::*;
use crate::run::{Answer, AttemptEnd, RunState, StepState};

#[test]
fn a_failed_run_starts_nothing_more_and_keeps_what_finishes() {
    let mut run = Run::begin(flat(vec![
        task("a"),
        task("b").needs(&["a"]),
        task("c").needs(&["b"]),
        task("d"),
        task("e").needs(&["d"]),
        task("f").limited(),
        sleep("g"),
        signal("h", "go"),
    ]));
    run.log();
    run.fail("a");
    assert_eq!(run.log(), ["release f"]);
    assert_eq!(
        run.states(),
        "a failed, b upstream failed, c upstream failed, d running, e cancelled, f cancelled, \
         g cancelled, h cancelled"
    );
    run.ok("d");
    assert_eq!(run.log(), ["finish failed: a 1 no luck"]);
    assert_eq!(run.state("d"), StepState::Succeeded { cached: false });
}

#[test]
fn a_failing_run_does_not_retry() {
    let mut run = Run::begin(flat(vec![task("a"), task("b").attempts(5), task("c").attempts(5)]));
    run.fail("b");
    run.log();
    run.fail("a");
    assert_eq!(run.state("b"), StepState::Cancelled);
    run.fail("c");
    assert_eq!(run.log(), ["finish failed: a 1 no luck"], "the first failure is told");
    assert_eq!(run.state("c"), StepState::Failed);
}

#[test]
fn the_path_of_a_failure_shows() {
    let graph = graph(
        "w",
        vec![
            region(vec![each("m", 1, Some(2)), task("z").needs(&["m"]), each("n", 1, None)]),
            region(vec![branch("b", &[2])]),
            labelled("then", vec![task("a")]),
        ],
    );
    let mut run = Run::scripted(graph, &[("m", Answer::Items(5)), ("n", Answer::Items(1))]);
    run.log();
    run.fail("m[1]/b[then]/a");
    run.ok("m[0]/b[then]/a");
    assert_eq!(run.log(), [""; 0]);
    run.ok("n[0]/b[then]/a");
    assert_eq!(run.log(), ["finish failed: m[1]/b[then]/a 1 no luck"]);
    for (path, state) in [
        ("m", StepState::Failed),
        ("z", StepState::UpstreamFailed),
        ("n", StepState::Cancelled),
        ("m[0]/b", StepState::Cancelled),
        ("m[0]/b[then]/a", StepState::Succeeded { cached: false }),
        ("m[1]/b", StepState::Failed),
    ] {
        assert_eq!(run.state(path), state, "{path}");
    }
}

#[test]
fn always_steps_run_last_in_the_order_of_their_needs() {
    let mut run = Run::begin(flat(vec![
        task("clean").always().needs(&["a"]),
        task("report").always().needs(&["clean"]),
        task("a"),
        task("b"),
    ]));
    assert_eq!(run.log(), ["start a 1", "start b 1"]);
    run.ok("a");
    assert_eq!(run.log(), [""; 0]);
    run.ok("b");
    assert_eq!(run.log(), ["start clean 1"]);
    run.ok("clean");
    assert_eq!(run.log(), ["start report 1"]);
    run.ok("report");
    assert_eq!(run.log(), ["finish succeeded"]);
}

#[test]
fn always_steps_run_in_a_failed_run_where_their_needs_have_values() {
    let mut run = Run::begin(flat(vec![
        task("a"),
        task("b").value(),
        task("c"),
        task("with_a").always().needs(&["a"]),
        task("with_b").always().needs(&["b"]).attempts(2),
        task("with_c").always().needs(&["c"]),
        task("after_c").always().needs(&["with_c"]),
    ]));
    run.fail("b");
    run.ok("a");
    run.log();
    run.fail("c");
    assert_eq!(run.log(), ["start with_a 1", "start with_b 1 of more"]);
    assert_eq!(run.state("with_c"), StepState::UpstreamFailed);
    assert_eq!(run.state("after_c"), StepState::UpstreamFailed);
    run.ok("with_a");
    run.fail("with_b");
    run.timer("with_b");
    run.ok("with_b");
    assert_eq!(run.log(), ["timer with_b +1s", "start with_b 2", "finish failed: c 1 no luck"]);
}

#[test]
fn an_always_step_that_fails_fails_the_run() {
    let mut run =
        Run::begin(flat(vec![task("a").undo(1), task("c").always().needs(&["a"]), task("d").always()]));
    run.ok("a");
    run.log();
    run.fail("c");
    run.ok("d");
    assert_eq!(run.log(), ["undo a 1"]);
    run.ok("a");
    assert_eq!(run.log(), ["finish failed: c 1 no luck"]);
}

#[test]
fn the_regions_of_always_steps_run_in_a_failed_run() {
    let graph = graph(
        "w",
        vec![
            region(vec![task("a"), each("m", 1, Some(1)).always(), task("z").always().needs(&["m"])]),
            region(vec![task("x"), task("y").needs(&["x"])]),
        ],
    );
    let mut run = Run::begin(graph);
    run.log();
    run.fail("a");
    run.ok("m[0]/x");
    run.ok("m[0]/y");
    run.ok("m[1]/x");
    assert_eq!(run.log(), ["start m[0]/x 1", "start m[0]/y 1", "start m[1]/x 1", "start m[1]/y 1"]);
    run.fail("m[1]/y");
    assert_eq!(run.log(), ["finish failed: a 1 no luck"]);
    assert_eq!(run.state("m"), StepState::Failed);
    assert_eq!(run.state("z"), StepState::UpstreamFailed);
}

#[test]
fn frames_inside_a_failed_run_end_with_their_always_steps_and_no_value() {
    let graph = graph(
        "w",
        vec![
            region(vec![task("a"), branch("b", &[1])]),
            region(vec![task("x"), task("clean").always().needs(&["x"])]),
        ],
    );
    let mut run = Run::begin(graph);
    run.full_log();
    run.fail("a");
    run.ok("b/x");
    assert_eq!(run.full_log(), ["start b/clean 1"]);
    run.ok("b/clean");
    assert_eq!(run.full_log(), ["close body", "close b:1", "finish failed: a 1 no luck"]);
    assert_eq!(run.state("b"), StepState::Cancelled);
}

#[test]
fn a_cancelled_run_stops_what_runs_and_aborts_it_after_the_grace() {
    let mut run = Run::begin(flat(vec![
        task("a").attempts(3),
        task("b").attempts(3),
        task("c"),
        task("d").needs(&["a"]),
        task("clean").always(),
    ]));
    run.log();
    run.cancel();
    assert_eq!(run.log(), ["stop a", "stop b", "stop c", "await grace"]);
    assert_eq!(run.run_state(), RunState::Cancelling);
    run.cancel();
    run.ok("a");
    run.fail("b");
    assert_eq!(run.log(), [""; 0]);
    run.event(crate::run::Event::GraceOver).unwrap();
    assert_eq!(run.log(), ["abort c"]);
    run.end("c", AttemptEnd::Cancelled);
    assert_eq!(run.log(), ["start clean 1"]);
    assert_eq!(run.event(crate::run::Event::GraceOver), Err(crate::run::Refused::Unexpected));
    run.ok("clean");
    assert_eq!(run.log(), ["finish cancelled"]);
    assert_eq!(run.states(), "a succeeded, b failed, c cancelled, d cancelled, clean succeeded");
}

#[test]
fn a_waiting_run_is_cancelled_at_once() {
    let mut run = Run::begin(flat(vec![signal("a", "go"), sleep("b"), task("c").limited()]));
    run.log();
    run.cancel();
    assert_eq!(run.log(), ["release c", "finish cancelled"]);
}

#[test]
fn child_workflows_end_with_their_parent() {
    let inner = graph("inner", vec![region(vec![task("x").undo(1), signal("y", "go"), task("z").always()])]);
    let mut run = Run::begin(flat(vec![child("c", inner)]));
    run.ok("c/x");
    run.log();
    run.cancel();
    run.ok("c/x");
    run.ok("c/z");
    assert_eq!(run.log(), ["undo c/x 1", "start c/z 1", "finish cancelled"]);
    assert_eq!(run.states(), "c cancelled, c/x undone, c/y cancelled, c/z succeeded");
}

#[test]
fn a_cancel_does_not_stop_always_steps() {
    let mut run = Run::begin(flat(vec![task("a"), task("clean").always().attempts(2)]));
    run.ok("a");
    run.log();
    run.cancel();
    assert_eq!(run.log(), [""; 0]);
    run.fail("clean");
    run.timer("clean");
    run.ok("clean");
    assert_eq!(run.log(), ["timer clean +1s", "start clean 2", "finish cancelled"]);
}

#[test]
fn a_run_that_failed_first_stays_failed_when_cancelled() {
    let mut run = Run::begin(flat(vec![task("a"), task("b")]));
    run.fail("a");
    run.log();
    run.cancel();
    assert_eq!(run.log(), ["stop b", "await grace"]);
    run.end("b", AttemptEnd::Cancelled);
    assert_eq!(run.log(), ["finish failed: a 1 no luck"]);
}

#[test]
fn an_attempt_lost_in_a_failing_run_is_not_repeated() {
    let mut run = Run::begin(flat(vec![task("a"), task("b"), task("c").at_most_once()]));
    run.fail("a");
    run.log();
    run.end("b", AttemptEnd::Lost);
    run.end("c", AttemptEnd::Lost);
    assert_eq!(run.log(), ["finish failed: a 1 no luck"]);
    assert_eq!(run.states(), "a failed, b cancelled, c outcome unknown");
}

#[test]
fn an_unknown_outcome_inside_an_always_step_is_settled_by_a_cancel() {
    let graph = graph(
        "w",
        vec![
            region(vec![each("m", 1, Some(1)).always(), task("z").always().needs(&["m"])]),
            region(vec![task("x").at_most_once(), task("y").needs(&["x"])]),
        ],
    );
    let mut run = Run::begin(graph);
    run.end("m[0]/x", AttemptEnd::Lost);
    assert_eq!(run.run_state(), RunState::Waiting);
    run.log();
    run.cancel();
    assert_eq!(run.log(), ["finish cancelled"]);
    assert_eq!(run.states(), "m failed, z upstream failed, m[0]/x outcome unknown, m[0]/y upstream failed");
}

#[test]
fn a_long_chain_of_failures_needs_no_stack() {
    let names: Vec<&'static str> = (0..5000).map(|n| &*format!("t{n}").leak()).collect();
    let chain = (0..names.len()).map(|n| task(names[n]).needs(&names[n.saturating_sub(1)..n])).collect();
    let mut run = Run::begin(flat(chain));
    run.log();
    run.fail("t0");
    assert_eq!(run.log(), ["finish failed: t0 1 no luck"]);
}
