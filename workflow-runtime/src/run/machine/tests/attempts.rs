//! Steps and their attempts: order, retries, limits.

use super::graph::*;
use super::harness::*;
use crate::failure::{Cause, Failure};
use crate::run::{
    Answer, AttemptEnd, Change, Effects, Event, FrameId, Key, Refused, RunState, StepState, Timestamp, Wait,
};
use crate::task::Retryability;

#[test]
fn a_step_starts_when_its_needs_have_ended() {
    let mut run =
        Run::begin(flat(vec![task("a"), task("b"), task("c").needs(&["a", "b"]), task("d").needs(&["a"])]));
    assert_eq!(run.log(), ["start a 1", "start b 1"]);
    run.ok("a");
    assert_eq!(run.log(), ["start d 1"]);
    run.ok("b");
    assert_eq!(run.log(), ["start c 1"]);
    run.ok("d");
    run.ok("c");
    assert_eq!(run.full_log(), ["yield body", "close body", "finish succeeded"]);
    assert_eq!(run.run_state(), RunState::Succeeded);
    assert_eq!(run.states(), "a succeeded, b succeeded, c succeeded, d succeeded");
}

#[test]
fn an_empty_workflow_succeeds() {
    let mut run = Run::begin(flat(vec![]));
    assert_eq!(run.full_log(), ["open body", "yield body", "close body", "finish succeeded"]);
}

#[test]
fn observers_see_every_change_in_order() {
    let mut run = Run::begin(flat(vec![task("a").attempts(2)]));
    run.fail("a");
    run.timer("a");
    run.ok("a");
    let key = run.key("a");
    let step = |state, attempt, failure| Change::Step { key, state, attempt, failure };
    let until = Timestamp(0).after(second());
    assert_eq!(
        run.effects.changes,
        [
            step(StepState::Running, 1, None),
            Change::Run(RunState::Running),
            step(StepState::Waiting(Wait::Backoff { until }), 1, Some(Box::new(failure("no luck")))),
            Change::Run(RunState::Waiting),
            step(StepState::Running, 2, None),
            Change::Run(RunState::Running),
            step(StepState::Succeeded { cached: false }, 2, None),
            Change::Run(RunState::Succeeded),
        ]
    );
}

#[test]
fn nobody_is_told_of_changes_who_does_not_observe() {
    let mut machine = crate::run::Machine::new(flat(vec![task("a")]));
    let mut effects = Effects::default();
    machine.apply(Timestamp(0), Event::Begun, &mut effects).unwrap();
    assert!(effects.changes.is_empty());
    assert_eq!(effects.actions.len(), 2);
}

#[test]
fn a_failed_attempt_is_repeated_after_its_backoff() {
    let mut run = Run::begin(flat(vec![task("a").attempts(3)]));
    assert_eq!(run.log(), ["start a 1 of more"]);
    run.fail("a");
    assert_eq!(run.log(), ["timer a +1s"]);
    run.timer("a");
    assert_eq!(run.log(), ["start a 2 of more"]);
    run.fail("a");
    run.timer("a");
    assert_eq!(run.log(), ["timer a +1s", "start a 3"]);
    run.fail("a");
    assert_eq!(run.log(), ["finish failed: a 3 no luck"]);
}

#[test]
fn a_fatal_error_is_not_repeated() {
    let mut run = Run::begin(flat(vec![task("a").attempts(3)]));
    run.log();
    run.fatal("a");
    assert_eq!(run.log(), ["finish failed: a 1 no way"]);
}

#[test]
fn retry_after_is_obeyed() {
    let mut run = Run::begin(flat(vec![task("a").attempts(3)]));
    run.log();
    run.end("a", AttemptEnd::Failed(failure("busy"), Retryability::RetryAfter(7 * second())));
    assert_eq!(run.log(), ["timer a +7s"]);
}

#[test]
fn no_attempt_starts_at_or_after_the_deadline() {
    let mut run = Run::begin(flat(vec![task("a").attempts(9).deadline(2)]));
    run.fail("a");
    run.timer("a");
    run.log();
    run.fail("a");
    assert_eq!(run.log(), ["finish failed: a 2 no luck"]);
}

#[test]
fn no_attempt_starts_beyond_the_budget() {
    let mut run = Run::begin(flat(vec![task("a").attempts(9).budget(1)]));
    run.fail("a");
    run.timer("a");
    run.log();
    run.fail("a");
    assert_eq!(run.log(), ["finish failed: a 2 no luck"]);
}

#[test]
fn what_an_undo_or_an_operator_may_need_is_never_the_last_use() {
    let mut run = Run::begin(flat(vec![task("a").undo(1), task("b").at_most_once()]));
    assert_eq!(run.log(), ["start a 1 of more", "start b 1 of more"]);
}

#[test]
fn a_limited_task_waits_for_room_before_every_attempt() {
    let mut run = Run::begin(flat(vec![task("a").limited().attempts(2)]));
    assert_eq!(run.log(), ["acquire a"]);
    assert_eq!(run.state("a"), StepState::Waiting(Wait::Slot));
    assert_eq!(run.run_state(), RunState::Waiting);
    run.grant("a");
    run.fail("a");
    run.timer("a");
    run.grant("a");
    assert_eq!(run.log(), ["start a 1 of more", "timer a +1s", "acquire a", "start a 2"]);
}

#[test]
fn room_keeps_the_epoch_of_its_request_for_the_attempt() {
    // The driver gives the room back by this epoch.
    let mut machine = crate::run::Machine::new(flat(vec![task("a").limited()]));
    let mut effects = Effects::default();
    let key = Key { frame: FrameId::ROOT, step: 0 };
    machine.apply(Timestamp(0), Event::Begun, &mut effects).unwrap();
    machine.apply(Timestamp(0), Event::Granted { key, epoch: 1 }, &mut effects).unwrap();
    let again = machine.apply(Timestamp(0), Event::Granted { key, epoch: 1 }, &mut effects);
    assert_eq!(again, Err(Refused::Unexpected));
    let end = AttemptEnd::Ok;
    machine.apply(Timestamp(0), Event::AttemptEnded { key, epoch: 1, end, roll: 0.0 }, &mut effects).unwrap();
}

#[test]
fn an_at_most_once_attempt_that_was_lost_is_not_repeated() {
    for end in [AttemptEnd::Lost, AttemptEnd::Interrupted] {
        let mut run = Run::begin(flat(vec![task("a").at_most_once(), task("b").needs(&["a"])]));
        run.log();
        run.end("a", end);
        assert_eq!(run.log(), [""; 0]);
        assert_eq!(run.states(), "a outcome unknown, b waiting for other steps");
        assert_eq!(run.run_state(), RunState::Waiting);
        run.cancel();
        assert_eq!(run.log(), ["finish cancelled"]);
        assert_eq!(run.states(), "a outcome unknown, b cancelled");
    }
}

#[test]
fn an_attempt_that_never_began_is_decided_again() {
    // Nobody has to wonder how it ended.
    let mut run = Run::begin(flat(vec![task("a").at_most_once()]));
    run.end("a", AttemptEnd::NotBegun);
    assert_eq!(run.log(), ["start a 1 of more", "start a 1 of more"]);
    run.pause();
    run.end("a", AttemptEnd::NotBegun);
    assert_eq!(run.log(), [""; 0]);
    assert_eq!(run.states(), "a paused");
    run.resume();
    assert_eq!(run.log(), ["start a 1 of more"]);
    run.cancel();
    run.log();
    run.end("a", AttemptEnd::NotBegun);
    assert_eq!(run.log(), ["finish cancelled"]);
}

#[test]
fn a_failure_that_is_a_value_goes_to_the_dependants() {
    let mut run = Run::begin(flat(vec![task("a").value(), task("b").needs(&["a"])]));
    run.log();
    run.fail("a");
    assert_eq!(run.log(), ["fail a 1 no luck", "start b 1"]);
    run.ok("b");
    assert_eq!(run.run_state(), RunState::Succeeded);
    assert_eq!(run.states(), "a failed, b succeeded");
}

#[test]
fn a_compute_step_succeeds_by_its_answer_and_fails_by_a_panic() {
    let graph = flat(vec![compute("a"), task("b").needs(&["a"])]);
    let mut run = Run::begin(graph);
    assert_eq!(run.log(), ["start b 1"]);

    let mut run = Run::begin(flat(vec![task("x"), compute("a").needs(&["x"])]));
    run.will_answer("a", Err(Failure::new(Cause::Panic, "index out of bounds")));
    run.log();
    run.ok("x");
    assert_eq!(run.log(), ["finish failed: a 1 index out of bounds"]);
}

#[test]
fn a_sleep_ends_at_its_time() {
    let mut run = Run::scripted(flat(vec![sleep("a")]), &[("a", Answer::Until(Timestamp(5)))]);
    assert_eq!(run.log(), ["timer a +5ns"]);
    assert_eq!(run.state("a"), StepState::Waiting(Wait::Timer { until: Timestamp(5) }));
    run.timer("a");
    assert_eq!(run.run_state(), RunState::Succeeded);
}

#[test]
fn events_that_do_not_fit_are_refused_and_change_nothing() {
    let graph = flat(vec![task("a").attempts(2), signal("s", "go"), task("z")]);
    let mut machine = crate::run::Machine::new(graph);
    let mut effects = Effects::default();
    let early = machine.apply(Timestamp(0), Event::CancelRequested, &mut effects);
    assert_eq!(early, Err(Refused::Unexpected));

    let mut run = Run::begin(graph);
    let key = run.key("a");
    let at = |frame: u32, generation, step| Key { frame: FrameId { index: frame, generation }, step };
    let end = |key, epoch| Event::AttemptEnded { key, epoch, end: AttemptEnd::Ok, roll: 0.0 };
    let cases = [
        (Event::Begun, Refused::Unexpected),
        (end(key, 0), Refused::Stale),
        (end(key, 2), Refused::Stale),
        (end(at(0, 1, 0), 1), Refused::Closed),
        (end(at(9, 0, 0), 1), Refused::Closed),
        (end(at(0, 0, 9), 1), Refused::Unexpected),
        (end(run.key("s"), 1), Refused::Unexpected),
        (Event::TimerFired { key, epoch: 1 }, Refused::Unexpected),
        (Event::TimerFired { key: run.key("s"), epoch: 1 }, Refused::Unexpected),
        (Event::Granted { key, epoch: 1 }, Refused::Unexpected),
        (Event::Answered { key, answer: Ok(Answer::Value) }, Refused::Unexpected),
        (Event::Yielded { frame: FrameId::ROOT, result: Ok(()) }, Refused::Unexpected),
        (Event::GraceOver, Refused::Unexpected),
    ];
    let before = format!("{:?}", run.machine);
    for (event, refused) in cases {
        assert_eq!(run.event(event.clone()), Err(refused), "{event:?}");
        assert_eq!(format!("{:?}", run.machine), before, "{event:?}");
    }
    run.fail("a");
    let late = run.event(end(key, 1));
    assert_eq!(late, Err(Refused::Stale));
    run.cancel();
    run.end("z", AttemptEnd::Cancelled);
    assert_eq!(run.run_state(), RunState::Cancelled);
    assert_eq!(run.event(Event::Begun), Err(Refused::Ended));
    assert_eq!(run.event(end(key, 2)), Err(Refused::Ended));
}

#[test]
fn an_answer_of_another_kind_is_refused() {
    let graph = graph("w", vec![region(vec![branch("b", &[1])]), region(vec![])]);
    let mut machine = crate::run::Machine::new(graph);
    let mut effects = Effects::default();
    machine.apply(Timestamp(0), Event::Begun, &mut effects).unwrap();
    let key = Key { frame: FrameId::ROOT, step: 0 };
    for answer in [Answer::Value, Answer::Arm(1), Answer::Items(0), Answer::Turn(true)] {
        let answered = machine.apply(Timestamp(0), Event::Answered { key, answer: Ok(answer) }, &mut effects);
        assert_eq!(answered, Err(Refused::Unexpected));
    }
    machine.apply(Timestamp(0), Event::Answered { key, answer: Ok(Answer::Arm(0)) }, &mut effects).unwrap();
}

#[test]
fn a_cancelled_end_that_nobody_asked_for_is_a_failure() {
    let mut run = Run::begin(flat(vec![task("a")]));
    run.end("a", AttemptEnd::Cancelled);
    assert_eq!(run.run_state(), RunState::Failed);
}

#[test]
fn an_attempt_whose_turn_comes_after_the_budget_is_not_made() {
    let begin = || {
        let mut run = Run::begin(flat(vec![task("a").attempts(9).budget(3)]));
        run.fail("a");
        run
    };
    let mut over = begin();
    over.timer_late("a", 4);
    assert_eq!((over.states(), over.run_state()), ("a failed".to_owned(), RunState::Failed));
    let mut in_time = begin();
    in_time.timer_late("a", 3);
    assert_eq!(in_time.states(), "a running");
}
