//! Frames: maps, loops, branches, selects, child workflows.

use super::graph::*;
use super::harness::*;
use crate::failure::{Cause, Failure};
use crate::run::{Answer, AttemptEnd, Event, Refused, RunState, StepState};

#[test]
fn a_map_runs_its_region_once_per_item_and_collects() {
    let graph =
        graph("w", vec![region(vec![each("m", 1, None), task("z").needs(&["m"])]), region(vec![task("a")])]);
    let mut run = Run::scripted(graph, &[("m", Answer::Items(3))]);
    assert_eq!(
        run.full_log(),
        [
            "open body",
            "evaluate m",
            "open m[0]",
            "open m[1]",
            "open more m",
            "start m[0]/a 1",
            "start m[1]/a 1"
        ]
    );
    run.event(Event::MoreWanted { key: run.key("m") }).unwrap();
    assert_eq!(run.full_log(), ["open m[2]", "start m[2]/a 1"]);
    run.ok("m[2]/a");
    run.ok("m[0]/a");
    assert_eq!(run.full_log(), ["yield m[2]", "close m[2]", "yield m[0]", "close m[0]"]);
    run.ok("m[1]/a");
    assert_eq!(run.full_log(), ["yield m[1]", "collect m", "close m[1]", "start z 1"]);
}

#[test]
fn an_item_that_ends_makes_room_for_the_next_and_more_may_be_asked_for_too_late() {
    let graph = graph("w", vec![region(vec![each("m", 1, None)]), region(vec![task("a")])]);
    let mut run = Run::scripted(graph, &[("m", Answer::Items(3))]);
    run.ok("m[0]/a");
    run.log();
    run.ok("m[1]/a");
    assert_eq!(run.event(Event::MoreWanted { key: run.key("m") }), Err(Refused::Unexpected));
    run.ok("m[2]/a");
    assert_eq!(run.run_state(), RunState::Succeeded);
}

#[test]
fn more_items_than_its_limit_are_never_open() {
    let graph = graph("w", vec![region(vec![each("m", 1, Some(3))]), region(vec![task("a")])]);
    let mut run = Run::scripted(graph, &[("m", Answer::Items(9))]);
    assert_eq!(run.log(), ["start m[0]/a 1", "start m[1]/a 1"]);
    run.event(Event::MoreWanted { key: run.key("m") }).unwrap();
    assert_eq!(run.log(), ["start m[2]/a 1"]);
    assert_eq!(run.event(Event::MoreWanted { key: run.key("m") }), Err(Refused::Unexpected));
    run.ok("m[1]/a");
    assert_eq!(run.log(), ["start m[3]/a 1"]);
}

#[test]
fn a_map_whose_run_has_failed_opens_no_more_items() {
    let body = region(vec![each("m", 1, None), task("z")]);
    let mut run = Run::scripted(graph("w", vec![body, region(vec![task("a")])]), &[("m", Answer::Items(3))]);
    run.fatal("z");
    assert_eq!(run.event(Event::MoreWanted { key: run.key("m") }), Err(Refused::Unexpected));
}

#[test]
fn a_map_without_items_collects_at_once() {
    let graph = graph("w", vec![region(vec![each("m", 1, None)]), region(vec![task("a")])]);
    let mut run = Run::scripted(graph, &[("m", Answer::Items(0))]);
    assert_eq!(
        run.full_log(),
        ["open body", "evaluate m", "collect m", "yield body", "close body", "finish succeeded"]
    );
}

#[test]
fn a_limited_map_opens_the_next_item_when_one_is_done() {
    let graph = graph("w", vec![region(vec![each("m", 1, Some(2))]), region(vec![task("a")])]);
    let mut run = Run::scripted(graph, &[("m", Answer::Items(3))]);
    assert_eq!(run.log(), ["start m[0]/a 1", "start m[1]/a 1"]);
    run.ok("m[1]/a");
    assert_eq!(run.full_log(), ["yield m[1]", "open m[2]", "close m[1]", "start m[2]/a 1"]);
}

#[test]
fn the_place_of_a_closed_frame_is_used_again_under_a_new_generation() {
    let graph = graph("w", vec![region(vec![turns("l", 1, 9)]), region(vec![task("a")])]);
    let mut run = Run::begin(graph);
    assert_eq!(run.run_state(), RunState::Succeeded);
    run = Run::scripted(graph, &vec![("l", Answer::Turn(true)); 4]);
    let first = run.key("l[0]/a");
    run.ok("l[0]/a");
    let second = run.key("l[1]/a");
    assert_eq!(first.frame.index, second.frame.index);
    assert_eq!(first.frame.generation + 1, second.frame.generation);
    assert_eq!(run.machine.state(first), None);
}

#[test]
fn a_loop_asks_after_every_turn_and_collects_at_the_end() {
    let graph = graph("w", vec![region(vec![turns("l", 1, 2)]), region(vec![task("a")])]);
    let mut run = Run::scripted(graph, &[("l", Answer::Turn(true)), ("l", Answer::Turn(false))]);
    assert_eq!(run.full_log(), ["open body", "evaluate l", "open l[0]", "start l[0]/a 1"]);
    run.ok("l[0]/a");
    assert_eq!(
        run.full_log(),
        [
            "yield l[0]",
            "evaluate l 1",
            "close l[0]",
            "collect l",
            "yield body",
            "close body",
            "finish succeeded"
        ]
    );
}

#[test]
fn a_loop_fails_when_its_limit_of_turns_did_not_suffice() {
    let graph = graph("w", vec![region(vec![turns("l", 1, 2)]), region(vec![task("a")])]);
    let mut run = Run::scripted(graph, &vec![("l", Answer::Turn(true)); 3]);
    run.ok("l[0]/a");
    run.log();
    run.ok("l[1]/a");
    assert_eq!(run.log(), ["finish failed: l 1 `while` was not done after its limit of 2 turns"]);
    assert_eq!(run.machine.view(run.key("l")).unwrap().failure.unwrap().cause, Cause::Limit);
}

#[test]
fn a_loop_whose_last_turn_was_enough_succeeds() {
    let graph = graph("w", vec![region(vec![turns("l", 1, 1)]), region(vec![task("a")])]);
    let mut run = Run::scripted(graph, &[("l", Answer::Turn(true)), ("l", Answer::Turn(false))]);
    run.ok("l[0]/a");
    assert_eq!(run.run_state(), RunState::Succeeded);
}

#[test]
fn a_branch_runs_only_the_chosen_arm() {
    let graph = graph(
        "w",
        vec![
            region(vec![branch("b", &[1, 2]), task("z").needs(&["b"])]),
            labelled("then", vec![task("x")]),
            labelled("else", vec![task("y")]),
        ],
    );
    let mut run = Run::scripted(graph, &[("b", Answer::Arm(1))]);
    assert_eq!(run.log(), ["start b[else]/y 1"]);
    run.ok("b[else]/y");
    assert_eq!(run.log(), ["start z 1"]);
}

#[test]
fn an_empty_arm_is_worth_something_too() {
    let graph = graph("w", vec![region(vec![branch("b", &[1])]), region(vec![])]);
    let mut run = Run::begin(graph);
    assert_eq!(run.run_state(), RunState::Succeeded);
    let log = run.full_log();
    assert_eq!(log[2..6], ["open b:1", "yield b:1", "collect b", "close b:1"][..]);
}

#[test]
fn a_child_workflow_is_a_step() {
    let inner = graph("inner", vec![region(vec![task("a")])]);
    let mut run = Run::begin(flat(vec![child("c", inner), task("z").needs(&["c"])]));
    assert_eq!(run.full_log(), ["open body", "evaluate c", "open c:0", "start c/a 1"]);
    let frame = run.key("c/a").frame;
    assert_eq!(run.machine.graph_of(frame).unwrap().name, "inner");
    run.ok("c/a");
    assert_eq!(run.full_log(), ["yield c:0", "close c:0", "start z 1"]);
}

#[test]
fn a_failed_child_fails_its_step_with_its_failure() {
    let inner = graph("inner", vec![region(vec![task("a").attempts(2), task("b")])]);
    let mut run = Run::begin(flat(vec![child("c", inner), task("z").needs(&["c"])]));
    run.fail("c/a");
    run.timer("c/a");
    run.fail("c/a");
    run.log();
    assert_eq!(run.state("c"), StepState::Running);
    run.ok("c/b");
    assert_eq!(run.log(), ["finish failed: c/a 2 no luck"]);
    assert_eq!(run.states(), "c failed, z upstream failed, c/a failed, c/b succeeded");
}

#[test]
fn a_failed_child_may_be_a_value() {
    let inner = graph("inner", vec![region(vec![task("a"), task("b").needs(&["a"])])]);
    let mut run = Run::begin(flat(vec![child("c", inner).value(), task("z").needs(&["c"])]));
    run.full_log();
    run.fail("c/a");
    assert_eq!(run.full_log(), ["fail c 1 no luck", "close c:0", "start z 1"]);
    run.ok("z");
    assert_eq!(run.run_state(), RunState::Succeeded);
}

#[test]
fn a_region_without_a_value_fails_its_step() {
    let inner = graph("w", vec![region(vec![each("m", 1, None)]), region(vec![task("a"), task("b")])]);
    let mut run = Run::begin(inner);
    run.will_not_yield("m[0]");
    run.ok("m[0]/a");
    run.log();
    run.ok("m[0]/b");
    // The other item's attempts may finish; nothing new starts.
    assert_eq!(run.log(), [""; 0]);
    assert_eq!(run.state("m"), StepState::Running);
    run.ok("m[1]/a");
    run.ok("m[1]/b");
    assert_eq!(run.log(), ["finish failed: m 1 no value"]);
    assert_eq!(run.state("m"), StepState::Failed);
}

#[test]
fn a_region_without_a_value_may_be_a_value_of_its_step() {
    let graph = graph(
        "w",
        vec![
            region(vec![each("m", 1, None).value(), task("z").needs(&["m"])]),
            region(vec![task("a"), task("b").needs(&["a"])]),
        ],
    );
    let mut run = Run::begin(graph);
    run.will_not_yield("m[0]");
    run.ok("m[0]/a");
    run.ok("m[0]/b");
    run.full_log();
    run.ok("m[1]/a");
    assert_eq!(run.full_log(), ["fail m 1 no value", "close m[0]", "close m[1]", "start z 1"]);
    run.ok("z");
    assert_eq!(run.run_state(), RunState::Succeeded);
}

#[test]
fn an_expression_that_panics_fails_its_step() {
    for value in [false, true] {
        let mut m = each("m", 1, None).needs(&["a"]);
        m.value = value;
        let graph = graph("w", vec![region(vec![task("a"), m]), region(vec![])]);
        let mut run = Run::begin(graph);
        run.will_answer("m", Err(Failure::new(Cause::Panic, "oh")));
        run.log();
        run.ok("a");
        let log =
            if value { ["fail m 1 oh", "finish succeeded"].as_slice() } else { &["finish failed: m 1 oh"] };
        assert_eq!(run.log(), log);
    }
}

#[test]
fn a_body_without_a_value_fails_the_run_and_is_undone() {
    let mut run = Run::begin(flat(vec![task("a").undo(1)]));
    run.will_not_yield("body");
    run.log();
    run.ok("a");
    assert_eq!(run.log(), ["undo a 1"]);
    assert_eq!(run.run_state(), RunState::Undoing);
    run.ok("a");
    assert_eq!(run.log(), ["finish failed: a 1 no value"]);
}

#[test]
fn the_first_of_a_select_wins() {
    let graph = graph(
        "w",
        vec![
            region(vec![select("s", 1, &[2, 3]), task("z").needs(&["s"])]),
            region(vec![task("x"), sleep("y")]),
            labelled("0", vec![task("p")]),
            labelled("1", vec![task("q")]),
        ],
    );
    let mut run = Run::begin(graph);
    assert_eq!(run.full_log(), ["open body", "open s:1", "start s/x 1", "evaluate s/y", "timer s/y +1s"]);
    let loser = run.key("s/x");
    run.timer("s/y");
    assert_eq!(run.full_log(), ["give up s/x", "open s:3", "close s:1", "start s[1]/q 1"]);
    // The race is closed, but until the next event it can be looked at.
    assert_eq!(run.machine.state(loser), Some(StepState::Cancelled));
    run.ok("s[1]/q");
    assert_eq!(run.machine.state(loser), None);
    assert_eq!(run.log(), ["start z 1"]);
}

#[test]
fn a_signal_that_was_there_already_wins_before_the_others_begin() {
    let graph = graph(
        "w",
        vec![
            region(vec![task("a"), select("s", 1, &[2, 2]).needs(&["a"])]),
            region(vec![signal("x", "go"), task("y")]),
            region(vec![]),
        ],
    );
    let mut run = Run::begin(graph);
    run.signal("go");
    run.log();
    run.ok("a");
    assert_eq!(run.log(), ["deliver s/x go", "finish succeeded"]);
}

#[test]
fn a_failure_that_is_a_value_wins_a_select() {
    let graph = graph(
        "w",
        vec![
            region(vec![select("s", 1, &[2, 2])]),
            region(vec![task("x").value(), task("y").limited()]),
            region(vec![]),
        ],
    );
    let mut run = Run::begin(graph);
    run.log();
    run.fail("s/x");
    assert_eq!(run.log(), ["fail s/x 1 no luck", "release s/y", "finish succeeded"]);
}

#[test]
fn a_race_step_that_fails_fails_the_run() {
    let graph = graph(
        "w",
        vec![region(vec![select("s", 1, &[2, 2])]), region(vec![task("x"), task("y")]), region(vec![])],
    );
    let mut run = Run::begin(graph);
    run.log();
    run.fail("s/x");
    assert_eq!(run.log(), [""; 0]);
    run.ok("s/y");
    assert_eq!(run.log(), ["finish failed: s/x 1 no luck"]);
    assert_eq!(run.states(), "s failed, s/x failed, s/y succeeded");
}

#[test]
fn a_child_that_loses_a_select_cleans_up_before_the_run_ends() {
    let inner = graph(
        "inner",
        vec![region(vec![task("a").undo(1), task("b").needs(&["a"]), task("c").needs(&["a"]).always()])],
    );
    let graph = graph(
        "w",
        vec![
            region(vec![select("s", 1, &[2, 2])]),
            region(vec![child("x", inner), sleep("y")]),
            region(vec![]),
        ],
    );
    let mut run = Run::begin(graph);
    run.ok("s/x/a");
    run.log();
    run.timer("s/y");
    assert_eq!(run.log(), ["give up s/x/b", "undo s/x/a 1"]);
    assert_eq!(run.try_end("s/x/b", AttemptEnd::Ok), Err(Refused::Stale), "its end comes too late");
    assert_eq!(run.state("s"), StepState::Succeeded { cached: false });
    assert_eq!(run.run_state(), RunState::Running);
    run.ok("s/x/a");
    assert_eq!(run.log(), ["start s/x/c 1"]);
    run.full_log();
    run.ok("s/x/c");
    assert_eq!(run.full_log(), ["close s/x:0", "close s:1", "yield body", "close body", "finish succeeded"]);
}
