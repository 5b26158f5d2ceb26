//! Paused runs: what is held, and what is not.

use super::graph::*;
use super::harness::*;
use crate::run::{Answer, AttemptEnd, Event, Recalled, Refused, RunState, StepState, Wait};

const HELD: StepState = StepState::Waiting(Wait::Paused);

#[test]
fn what_runs_ends_and_nothing_more_begins() {
    let mut run = Run::begin(flat(vec![task("a"), task("b").needs(&["a"]), sleep("c").needs(&["a"])]));
    run.log();
    run.pause();
    assert_eq!(run.run_state(), RunState::Paused);
    assert!(run.machine.is_paused());
    run.ok("a");
    assert_eq!(run.log(), [""; 0]);
    assert_eq!(run.states(), "a succeeded, b paused, c paused");
    run.resume();
    assert_eq!(run.log(), ["start b 1", "timer c +1s"]);
    assert_eq!(run.run_state(), RunState::Running);
    assert!(!run.machine.is_paused());
}

#[test]
fn a_pause_is_asked_for_once() {
    let mut run = Run::begin(flat(vec![task("a")]));
    assert_eq!(run.event(Event::Resumed { over_budget: Vec::new() }), Err(Refused::Unexpected));
    run.pause();
    assert_eq!(run.event(Event::Paused), Err(Refused::Unexpected));
    run.resume();
    assert_eq!(run.event(Event::Resumed { over_budget: Vec::new() }), Err(Refused::Unexpected));
    assert_eq!(run.run_state(), RunState::Running);
}

#[test]
fn waits_end_and_the_next_attempt_is_held() {
    let steps = vec![
        task("a").attempts(2),
        sleep("b"),
        signal("c", "go"),
        task("d"),
        task("after").needs(&["b", "c"]),
    ];
    let mut run = Run::begin(flat(steps));
    run.fail("a");
    run.log();
    run.pause();
    run.timer("a");
    run.timer("b");
    run.signal("go");
    run.end("d", AttemptEnd::Lost);
    assert_eq!(run.log(), ["deliver c go"]);
    assert_eq!(run.states(), "a paused, b succeeded, c succeeded, d paused, after paused");
    run.resume();
    assert_eq!(run.log(), ["start a 2", "start after 1", "acquire d after 1"], "in the order they were held");
}

#[test]
fn no_place_is_held() {
    let mut run = Run::begin(flat(vec![task("a").limited(), task("b").limited().attempts(2)]));
    run.grant("b");
    run.log();
    let key = run.key("a");
    run.pause();
    assert_eq!(run.log(), ["release a"]);
    assert_eq!(run.state("a"), HELD);
    assert_eq!(run.event(Event::Granted { key, epoch: 1 }), Err(Refused::Stale));
    run.fail("b");
    run.timer("b");
    run.log();
    run.resume();
    assert_eq!(run.log(), ["acquire a", "acquire b"]);
    run.grant("b");
    assert_eq!(run.log(), ["start b 2"]);
}

#[test]
fn frames_go_on_and_their_steps_are_held() {
    let graph = graph("w", vec![region(vec![each("m", 1, Some(1))]), region(vec![task("x")])]);
    let mut run = Run::begin(graph);
    run.pause();
    run.log();
    run.ok("m[0]/x");
    assert_eq!(run.state("m[1]/x"), HELD);
    run.resume();
    run.ok("m[1]/x");
    assert_eq!(run.log(), ["start m[1]/x 1", "finish succeeded"]);
}

#[test]
fn a_cancelled_run_ends_paused_or_not() {
    let steps = vec![task("a").undo(1), task("b").needs(&["a"]), task("c"), task("clean").always()];
    let mut run = Run::begin(flat(steps));
    run.ok("a");
    run.ok("b");
    run.pause();
    run.log();
    run.cancel();
    assert_eq!(
        (run.log(), run.run_state()),
        (vec!["stop c".to_owned(), "await grace".to_owned()], RunState::Cancelling)
    );
    run.end("c", AttemptEnd::Cancelled);
    run.ok("a");
    run.ok("clean");
    assert_eq!(run.log(), ["undo a 1", "start clean 1", "finish cancelled"]);
}

#[test]
fn always_steps_are_held_until_the_run_is_cancelled() {
    let inner = graph("inner", vec![region(vec![task("x"), task("y").needs(&["x"])])]);
    let mut run = Run::begin(flat(vec![task("a"), child("clean", inner).always()]));
    run.pause();
    run.ok("a");
    run.log();
    assert_eq!(run.state("clean"), HELD);
    run.cancel();
    assert_eq!(run.log(), ["start clean/x 1"]);
    run.ok("clean/x");
    run.ok("clean/y");
    assert_eq!(run.log(), ["start clean/y 1", "finish cancelled"]);
}

#[test]
fn a_failure_fails_a_paused_run() {
    let steps = vec![task("a").undo(1), task("boom"), task("held").needs(&["a"]), task("clean").always()];
    let mut run = Run::begin(flat(steps));
    run.pause();
    run.ok("a");
    assert_eq!(run.state("held"), HELD);
    run.log();
    run.fail("boom");
    assert_eq!((run.state("held"), run.run_state()), (StepState::Cancelled, RunState::Undoing));
    run.ok("a");
    assert_eq!(run.run_state(), RunState::Running, "nothing holds it");
    run.ok("clean");
    assert_eq!(run.log(), ["undo a 1", "start clean 1", "finish failed: boom 1 no luck"]);
}

#[test]
fn what_lost_a_race_cleans_up_in_a_paused_run() {
    let inner = graph("inner", vec![region(vec![task("p"), task("clean").always()])]);
    let graph = graph(
        "w",
        vec![
            region(vec![select("s", 1, &[2, 2])]),
            region(vec![child("x", inner), task("y")]),
            region(vec![task("won")]),
        ],
    );
    let mut run = Run::begin(graph);
    run.pause();
    run.log();
    run.ok("s/y");
    assert_eq!(run.log(), ["give up s/x/p", "start s/x/clean 1"]);
    assert_eq!(run.state("s"), StepState::Running);
}

#[test]
fn reconciliations_are_held() {
    let mut run = Run::begin(flat(vec![task("a").reconciled(2), task("b").reconciled(2)]));
    run.end("b", AttemptEnd::Lost);
    run.grant("b");
    run.fail("b");
    run.pause();
    run.log();
    run.end("a", AttemptEnd::Lost);
    run.timer("b");
    assert_eq!(run.log(), [""; 0]);
    assert_eq!(run.states(), "a outcome unknown, b outcome unknown");
    run.resume();
    assert_eq!(run.log(), ["acquire a after 1", "acquire b after 1"]);
    run.pause();
    assert_eq!(run.log(), ["release a", "release b"]);
    run.resume();
    run.log();
    run.grant("a");
    run.grant("b");
    assert_eq!(run.log(), ["reconcile a 1", "reconcile b 2"]);
}

#[test]
fn an_operator_settles_what_is_held() {
    let steps = vec![task("a"), task("b").needs(&["a"]), task("c").needs(&["b"]), task("d").attempts(2)];
    let mut run = Run::begin(flat(steps));
    run.fail("d");
    run.pause();
    run.ok("a");
    run.log();
    run.set("b").unwrap();
    assert_eq!(run.states(), "a succeeded, b succeeded, c paused, d waiting for its next attempt");
    run.retry("d").unwrap();
    assert_eq!((run.log(), run.state("d")), (Vec::new(), HELD));
    run.resume();
    assert_eq!(run.log(), ["start c 1", "start d 2"]);
}

#[test]
fn a_paused_run_that_is_taken_up_again_remembers_and_starts_nothing() {
    let graph = graph(
        "w",
        vec![
            region(vec![task("a").undo(1), branch("c", &[1]), task("d").needs(&["a"])]),
            labelled("then", vec![task("x").undo(1)]),
        ],
    );
    let left = [("a", Recalled::Value), ("c[then]/x", Recalled::Value)];
    let mut run = Run::resuming_without(graph, &left, &["a", "d"]);
    run.pause();
    run.recall("a", Recalled::Value).unwrap();
    run.recall("d", Recalled::Nothing).unwrap();
    assert_eq!((run.state("d"), run.run_state()), (HELD, RunState::Paused));
    run.log();
    run.cancel();
    run.ok("a");
    run.ok("c[then]/x");
    assert_eq!(run.log(), ["undo a 1", "undo c[then]/x 1", "finish cancelled"], "both are known");
}

#[test]
fn a_loop_does_not_turn_in_a_paused_run() {
    let graph = graph("w", vec![region(vec![turns("l", 1, 9)]), region(vec![task("x")])]);
    let mut run = Run::scripted(graph, &vec![("l", Answer::Turn(true)); 3]);
    run.pause();
    run.log();
    run.ok("l[0]/x");
    assert_eq!(run.state("l[1]/x"), HELD);
    assert_eq!(run.log(), [""; 0]);
}
