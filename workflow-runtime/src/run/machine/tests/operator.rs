//! What an operator decides about a single step.

use super::graph::*;
use super::harness::*;
use crate::run::machine::allowed::Refusal;
use crate::run::{AttemptEnd, Event, Refused, RunState, StepState, Timestamp};

#[test]
fn a_step_that_waits_is_settled() {
    let steps = vec![
        task("slot").limited(),
        sleep("timer"),
        signal("signal", "go"),
        signal_within("limited", "go"),
        task("backoff").attempts(2),
        task("after").needs(&["slot", "timer", "signal", "limited", "backoff"]),
    ];
    let mut run = Run::begin(flat(steps));
    run.fail("backoff");
    run.log();
    for path in ["slot", "timer", "signal", "limited", "backoff"] {
        run.set(path).unwrap();
        assert_eq!(run.state(path), StepState::Succeeded { cached: false }, "{path}");
        assert_eq!(run.set(path), Err(Refused::Unexpected), "{path} has ended");
    }
    assert_eq!(run.log(), ["release slot", "start after 1"]);
    for path in ["timer", "limited", "backoff"] {
        let key = run.key(path);
        assert_eq!(run.event(Event::TimerFired { key, epoch: 1 }), Err(Refused::Stale), "{path}");
    }
    // Nobody waits for it any more.
    run.signal("go");
    assert_eq!(run.log(), [""; 0]);
}

#[test]
fn a_step_that_does_not_wait_is_not_settled() {
    let inner = graph("inner", vec![region(vec![sleep("x")])]);
    let graph = graph(
        "w",
        vec![
            region(vec![
                task("runs"),
                task("needs").needs(&["runs"]),
                child("child", inner),
                each("each", 1, None),
                task("undone").undo(1),
            ]),
            region(vec![sleep("x")]),
        ],
    );
    let mut run = Run::begin(graph);
    let before = format!("{:?}", run.machine);
    for path in ["runs", "needs", "child", "each", "undone"] {
        assert_eq!(run.set(path), Err(Refused::Unexpected), "{path}");
    }
    assert_eq!(format!("{:?}", run.machine), before);
    run.ok("undone");
    run.fail("runs");
    assert_eq!(run.state("undone"), StepState::Undoing);
    assert_eq!(run.set("undone"), Err(Refused::Unexpected));
}

#[test]
fn an_unknown_outcome_is_settled_and_can_be_undone() {
    let steps = vec![task("a").at_most_once().undo(1), task("b").needs(&["a"])];
    let mut run = Run::begin(flat(steps));
    run.now = Timestamp(5);
    run.end("a", AttemptEnd::Lost);
    assert!(run.machine.view(run.key("a")).unwrap().unresolved);
    run.now = Timestamp(8);
    run.log();
    run.set("a").unwrap();
    let view = run.machine.view(run.key("a")).unwrap();
    assert_eq!((view.unresolved, view.ended), (false, Some(Timestamp(8))));
    run.fail("b");
    assert_eq!(run.log(), ["start b 1", "undo a 1"]);
}

#[test]
fn a_race_is_won_by_the_step_that_is_settled() {
    let graph = graph(
        "w",
        vec![
            region(vec![select("s", 1, &[2, 3])]),
            region(vec![signal("x", "go"), task("y")]),
            labelled("0", vec![task("won")]),
            labelled("1", vec![]),
        ],
    );
    let mut run = Run::begin(graph);
    run.log();
    run.set("s/x").unwrap();
    assert_eq!(run.log(), ["give up s/y", "start s[0]/won 1"]);
}

#[test]
fn the_next_attempt_starts_when_an_operator_wants_it() {
    let mut run = Run::begin(flat(vec![task("a").attempts(3), task("b").limited().attempts(2)]));
    run.fail("a");
    run.log();
    let key = run.key("a");
    run.retry("a").unwrap();
    assert_eq!(run.log(), ["start a 2 of more"]);
    assert_eq!(run.event(Event::TimerFired { key, epoch: 2 }), Err(Refused::Stale));
    assert_eq!(run.retry("a"), Err(Refused::Unexpected));
    assert_eq!(run.retry("b"), Err(Refused::Unexpected), "it has its turn");
    run.grant("b");
    run.fail("b");
    run.log();
    run.retry("b").unwrap();
    assert_eq!(run.log(), ["acquire b"]);
}

#[test]
fn an_unknown_outcome_is_attempted_again_when_an_operator_wants_it() {
    let mut run = Run::begin(flat(vec![task("a").at_most_once(), task("b").needs(&["a"])]));
    run.end("a", AttemptEnd::Lost);
    run.log();
    run.retry("a").unwrap();
    run.grant("a");
    assert_eq!(run.log(), ["acquire a after 1", "start a 1 of more"]);
    let view = run.machine.view(run.key("a")).unwrap();
    assert_eq!((view.state, view.ended, view.unresolved), (StepState::Running, None, false));
    run.ok("a");
    run.ok("b");
    assert_eq!(run.run_state(), RunState::Succeeded);
}

#[test]
fn an_undo_is_attempted_again_when_an_operator_wants_it() {
    let mut run = Run::begin(flat(vec![task("a").undo(3), task("boom").needs(&["a"])]));
    run.ok("a");
    run.fail("boom");
    assert_eq!(run.retry("a"), Err(Refused::Unexpected), "its undo runs");
    run.fail("a");
    run.log();
    run.retry("a").unwrap();
    assert_eq!(run.log(), ["undo a 2"]);
}

#[test]
fn an_undo_is_settled_between_its_attempts_and_given_up_at_any_time() {
    let steps = || vec![task("a").undo(3), task("b").undo(3).needs(&["a"]), task("boom").needs(&["b"])];
    let undoing = || {
        let mut run = Run::begin(flat(steps()));
        run.ok("a");
        run.ok("b");
        run.fail("boom");
        run.log();
        run
    };
    let mut run = undoing();
    let key = run.key("b");
    assert_eq!((run.set("b"), run.machine.may_set(key)), (Err(Refused::Unexpected), Err(Refusal::UndoRuns)));
    assert_eq!(run.machine.undo_due(key), None);
    run.fail("b");
    assert_eq!(run.machine.undo_due(key), Some(Timestamp(1_000_000_000)));
    run.set("b").unwrap();
    assert_eq!(run.log(), ["timer b +1s", "undo a 1"]);
    assert_eq!((run.state("b"), run.machine.undo_due(key)), (StepState::Undone, None));

    let mut run = undoing();
    run.give_up("b").unwrap();
    assert_eq!(run.log(), ["give up b", "undo a 1"]);
    assert_eq!(run.state("b"), StepState::Failed);
    let view = run.machine.view(run.key("b")).unwrap();
    assert_eq!(view.failure.unwrap().to_string(), "the undo was given up by an operator");
    assert_eq!(run.try_end("b", AttemptEnd::Ok), Err(Refused::Stale));
    assert_eq!(run.give_up("b"), Err(Refused::Unexpected), "it is over");
    run.ok("a");
    assert_eq!(run.run_state(), RunState::Failed);
}

#[test]
fn a_result_of_an_earlier_run_is_told_as_such() {
    let mut run = Run::begin(flat(vec![task("a").undo(1), task("b").needs(&["a"])]));
    run.end("a", AttemptEnd::Reused);
    assert_eq!(run.state("a"), StepState::Succeeded { cached: true });
    run.fail("b");
    assert_eq!(run.state("a"), StepState::Undoing);
    assert_eq!(run.try_end("a", AttemptEnd::Reused), Err(Refused::Unexpected), "an undo has to run");
}
