//! Runs that are taken up again: what is kept, and what runs anew.

use super::graph::*;
use super::harness::*;
use crate::run::{Answer, AttemptEnd, Event, Recalled, Refused, RunState, StepState, Timestamp, Wait};
use crate::task::definition::Graph;

fn failed(attempts: u32) -> Recalled {
    Recalled::Failed { attempts, failure: failure("no luck") }
}

#[test]
fn what_ended_well_is_kept_and_what_did_not_runs_anew() {
    let steps = vec![task("a"), task("b").needs(&["a"]), task("c").needs(&["b"]), task("d").needs(&["b"])];
    let left = [("a", Recalled::Value), ("b", Recalled::Value)];
    let mut run = Run::resuming(flat(steps), &left);
    assert_eq!(run.log(), ["recall a", "recall b", "recall c", "recall d", "start c 1", "start d 1"],);
    assert_eq!(run.states(), "a succeeded, b succeeded, c running, d running");
    run.ok("c");
    run.ok("d");
    assert_eq!(run.run_state(), RunState::Succeeded);
}

#[test]
fn what_comes_after_a_step_that_runs_anew_is_not_asked_for() {
    let steps = vec![task("a"), task("b").needs(&["a"]), sleep("c").needs(&["b"]), task("d")];
    let left = [("b", Recalled::Value), ("c", Recalled::Value), ("d", Recalled::Value)];
    let mut run = Run::resuming(flat(steps), &left);
    assert_eq!(run.log(), ["recall a", "recall d", "start a 1"]);
    run.ok("a");
    assert_eq!(run.log(), ["start b 1"]);
    run.ok("b");
    assert_eq!(run.log(), ["timer c +1s"]);
}

#[test]
fn a_run_that_was_not_taken_up_again_asks_nothing() {
    let mut run = Run::begin(flat(vec![task("a"), sleep("b"), signal("c", "go")]));
    assert_eq!(run.log(), ["start a 1", "timer b +1s"]);
    assert_eq!(run.recall("a", Recalled::Value), Err(Refused::Unexpected));
}

#[test]
fn only_what_has_something_to_lose_is_asked_for() {
    let inner = graph("inner", vec![region(vec![task("deep")])]);
    let graph = graph(
        "w",
        vec![
            region(vec![compute("a"), child("b", inner), branch("c", &[1]), each("d", 1, None)]),
            labelled("then", vec![task("x")]),
        ],
    );
    let left = [("b/deep", Recalled::Value), ("c[then]/x", Recalled::Value)];
    let mut run = Run::resuming(graph, &left);
    assert_eq!(
        run.log(),
        [
            "recall b/deep",
            "recall c[then]/x",
            "recall d[0]/x",
            "recall d[1]/x",
            "start d[0]/x 1",
            "start d[1]/x 1",
        ],
    );
    assert_eq!(run.state("b"), StepState::Succeeded { cached: false });
    assert_eq!(run.state("c"), StepState::Succeeded { cached: false });
}

#[test]
fn a_step_in_a_region_that_runs_anew_makes_what_comes_after_the_region_fresh() {
    let inner = graph("inner", vec![region(vec![task("x"), task("y")])]);
    let graph = flat(vec![child("c", inner), task("z").needs(&["c"])]);
    let left = [("c/x", Recalled::Value), ("z", Recalled::Value)];
    let mut run = Run::resuming(graph, &left);
    assert_eq!(run.log(), ["recall c/x", "recall c/y", "start c/y 1"]);
    run.ok("c/y");
    assert_eq!(run.log(), ["start z 1"]);
}

fn items(limit: Option<u32>) -> &'static Graph {
    let steps = vec![task("x"), task("y").needs(&["x"])];
    graph("w", vec![region(vec![task("a"), each("m", 1, limit).needs(&["a"])]), region(steps)])
}

#[test]
fn the_regions_of_a_fresh_step_are_fresh() {
    let left = [("m[0]/x", Recalled::Value), ("m[0]/y", Recalled::Value)];
    let mut run = Run::resuming(items(None), &left);
    run.ok("a");
    assert_eq!(run.log(), ["recall a", "start a 1", "start m[0]/x 1", "start m[1]/x 1"]);
}

#[test]
fn the_items_of_a_for_do_not_depend_on_each_other() {
    let left = [("a", Recalled::Value), ("m[1]/x", Recalled::Value), ("m[1]/y", Recalled::Value)];
    let mut run = Run::resuming(items(Some(1)), &left);
    run.ok("m[0]/x");
    run.log();
    run.ok("m[0]/y");
    assert_eq!(run.log(), ["recall m[1]/x", "recall m[1]/y", "finish succeeded"]);
}

#[test]
fn the_turns_of_a_while_depend_on_those_before() {
    let graph = graph("w", vec![region(vec![turns("l", 1, 9)]), region(vec![task("x"), task("y")])]);
    let left = [("l[0]/x", Recalled::Value), ("l[1]/x", Recalled::Value), ("l[1]/y", Recalled::Value)];
    let mut run = Run::to_resume(graph, &left);
    for _ in 0..2 {
        run.will_answer("l", Ok(Answer::Turn(true)));
    }
    run.event(Event::Begun).unwrap();
    assert_eq!(run.log(), ["recall l[0]/x", "recall l[0]/y", "start l[0]/y 1"]);
    run.ok("l[0]/y");
    assert_eq!(run.log(), ["start l[1]/x 1", "start l[1]/y 1"]);
}

#[test]
fn a_failure_that_is_a_value_is_kept() {
    let steps = vec![task("a").value(), task("b").needs(&["a"])];
    let mut run = Run::resuming(flat(steps), &[("a", failed(3)), ("b", Recalled::Value)]);
    assert_eq!(run.log(), ["recall a", "fail a 3 no luck", "recall b", "finish succeeded"]);
    let view = run.machine.view(run.key("a")).unwrap();
    assert_eq!((view.state, view.attempt), (StepState::Failed, 3));
}

#[test]
fn a_wait_goes_on_to_the_time_that_was_decided() {
    let steps = vec![sleep("a"), signal_within("b", "go").value(), task("c").needs(&["a"])];
    let left = [("a", Recalled::Until(Timestamp(7))), ("b", Recalled::Until(Timestamp(9)))];
    let mut run = Run::resuming(flat(steps), &left);
    assert_eq!(run.full_log()[1..], ["recall a", "recall b", "timer a +7ns", "timer b +9ns"]);
    assert_eq!(run.state("b"), StepState::Waiting(Wait::Signal { until: Some(Timestamp(9)) }));
    run.timer("a");
    assert_eq!(run.log(), ["start c 1"], "it has not ended before, so nothing came after it");
    run.timer("b");
    assert_eq!(run.log(), ["fail b 1 signal `go` did not come within its time"]);
}

#[test]
fn a_signal_that_is_kept_goes_to_a_wait_that_goes_on() {
    let steps = vec![signal_within("a", "go")];
    let mut run = Run::resuming_without(flat(steps), &[], &["a"]);
    run.signal("go");
    run.recall("a", Recalled::Until(Timestamp(9))).unwrap();
    assert_eq!(run.log(), ["recall a", "deliver a go", "finish succeeded"]);
}

#[test]
fn an_attempt_that_has_its_time_is_waited_for() {
    let steps = vec![task("a").attempts(3)];
    let until = Timestamp(5);
    let left = Recalled::Backoff { attempts: 1, until, failure: failure("no luck"), losses: 0 };
    let mut run = Run::resuming(flat(steps), &[("a", left)]);
    assert_eq!(run.state("a"), StepState::Waiting(Wait::Backoff { until }));
    assert_eq!(run.log(), ["recall a", "timer a +5ns"]);
    run.timer("a");
    run.fail("a");
    run.timer("a");
    run.fail("a");
    assert_eq!(run.log(), ["start a 2 of more", "timer a +1s", "start a 3", "finish failed: a 3 no luck"],);
}

#[test]
fn an_unknown_outcome_stays_unknown() {
    let steps = vec![task("a").at_most_once(), task("b").reconciled(1)];
    let mut run = Run::resuming(flat(steps), &[("a", Recalled::Unknown), ("b", Recalled::Unknown)]);
    assert_eq!(run.log(), ["recall a", "recall b", "reconcile b 1"]);
    assert_eq!(run.states(), "a outcome unknown, b outcome unknown");
    run.ok("b");
    assert_eq!(run.run_state(), RunState::Waiting);
    run.retry("a").unwrap();
    assert_eq!(run.log(), ["start a 1 of more"]);
}

#[test]
fn what_was_kept_is_undone() {
    let steps = vec![task("a").undo(1), task("boom").needs(&["a"])];
    let mut run = Run::resuming(flat(steps), &[("a", Recalled::Value)]);
    run.fail("boom");
    run.ok("a");
    assert_eq!(
        run.log(),
        ["recall a", "recall boom", "start boom 1", "undo a 1", "finish failed: boom 1 no luck"],
    );
}

#[test]
fn always_steps_run_anew_where_something_before_them_does() {
    let steps = || vec![task("a"), task("boom"), task("clean").always().needs(&["a"])];
    let left = [("a", Recalled::Value), ("boom", Recalled::Value), ("clean", Recalled::Value)];
    let mut run = Run::resuming(flat(steps()), &left);
    assert_eq!(run.log(), ["recall a", "recall boom", "recall clean", "finish succeeded"]);

    let mut run = Run::resuming(flat(steps()), &[("a", Recalled::Value), ("clean", Recalled::Value)]);
    run.log();
    run.ok("boom");
    assert_eq!(run.log(), ["start clean 1"]);
}

#[test]
fn a_child_that_fails_anew_makes_what_comes_after_it_fresh() {
    let inner = graph("inner", vec![region(vec![select("s", 1, &[2, 2])]), region(race()), region(vec![])]);
    let graph = flat(vec![child("c", inner).value(), task("z").needs(&["c"])]);
    let mut run = Run::resuming(graph, &[("z", Recalled::Value)]);
    run.log();
    run.fail("c/s/x");
    run.ok("c/s/y");
    assert_eq!(run.log(), ["fail c 1 no luck", "start z 1"]);
}

fn race() -> Vec<Spec> {
    vec![task("x"), task("y")]
}

fn races(x: Spec) -> &'static Graph {
    graph(
        "w",
        vec![
            region(vec![select("s", 1, &[2, 3]), task("z").needs(&["s"])]),
            region(vec![x, task("y")]),
            labelled("0", vec![task("won")]),
            labelled("1", vec![task("won")]),
        ],
    )
}

#[test]
fn the_winner_of_a_race_wins_again() {
    for (first, second, won) in
        [(Recalled::Lost, Recalled::Value, "s[1]/won"), (Recalled::Value, Recalled::Lost, "s[0]/won")]
    {
        let left = [("s/x", first), ("s/y", second), (won, Recalled::Value), ("z", Recalled::Value)];
        let mut run = Run::resuming(races(task("x")), &left);
        let asked = format!("recall {won}");
        assert_eq!(run.log(), ["recall s/x", "recall s/y", &asked, "recall z", "finish succeeded"]);
    }
}

#[test]
fn what_lost_begins_anew_when_nothing_is_left_of_the_winner() {
    let left = [("s/x", Recalled::Lost), ("s/y", Recalled::Lost), ("z", Recalled::Value)];
    let mut run = Run::resuming(races(task("x")), &left);
    assert_eq!(run.log(), ["recall s/x", "recall s/y", "start s/x 1", "start s/y 1"]);
    run.ok("s/x");
    assert_eq!(run.log(), ["give up s/y", "start s[0]/won 1"], "the arm of a fresh winner is fresh");
    run.ok("s[0]/won");
    assert_eq!(run.log(), ["start z 1"]);

    let mut run = Run::resuming_without(races(task("x")), &left, &["s/y"]);
    assert_eq!(run.state("s/x"), StepState::Waiting(Wait::Dependencies));
    assert_eq!(run.log(), ["recall s/x", "recall s/y"]);
    assert_eq!(run.set("s/x"), Err(Refused::Unexpected));
    run.recall("s/y", Recalled::Nothing).unwrap();
    assert_eq!(run.log(), ["start s/y 1", "start s/x 1"]);
}

#[test]
fn steps_inside_a_child_that_lost_wait_for_the_winner_too() {
    let inner = graph("inner", vec![region(vec![task("p"), task("q").needs(&["p"])])]);
    let left = [("s/x/p", Recalled::Value), ("s/x/q", Recalled::Lost), ("z", Recalled::Value)];
    let mut run = Run::resuming_without(races(child("x", inner)), &left, &["s/y"]);
    assert_eq!(run.log(), ["recall s/y", "recall s/x/p", "recall s/x/q"]);
    run.recall("s/y", Recalled::Value).unwrap();
    assert_eq!(run.log(), ["recall s[1]/won", "start s[1]/won 1"]);

    let mut run = Run::resuming(races(child("x", inner)), &left);
    assert_eq!(run.log(), ["recall s/y", "recall s/x/p", "start s/y 1", "recall s/x/q", "start s/x/q 1"]);
    run.ok("s/x/q");
    assert_eq!(run.log(), ["give up s/y", "start s[0]/won 1"]);
}

#[test]
fn a_loser_that_began_anew_does_not_touch_what_comes_after_the_race() {
    let left = [("s/y", Recalled::Value), ("s[1]/won", Recalled::Value), ("z", Recalled::Value)];
    let mut run = Run::resuming(races(task("x")), &left);
    assert_eq!(
        run.log(),
        [
            "recall s/x",
            "recall s/y",
            "start s/x 1",
            "give up s/x",
            "recall s[1]/won",
            "recall z",
            "finish succeeded"
        ],
    );
}

#[test]
fn a_question_is_given_up_by_a_cancel_and_by_a_failure() {
    let steps = || vec![task("a"), task("boom"), task("clean").always()];
    let mut run = Run::resuming_without(flat(steps()), &[], &["a"]);
    assert_eq!(run.log(), ["recall a", "recall boom", "start boom 1"]);
    assert_eq!(run.states(), "a waiting for other steps, boom running, clean waiting for other steps");
    run.fail("boom");
    assert_eq!(run.state("a"), StepState::Cancelled);
    assert_eq!(run.recall("a", Recalled::Value), Err(Refused::Unexpected));
    run.ok("clean");
    assert_eq!(run.log(), ["start clean 1", "finish failed: boom 1 no luck"]);

    let mut run = Run::resuming_without(flat(vec![task("a")]), &[], &["a"]);
    assert_eq!(run.run_state(), RunState::Running);
    run.cancel();
    assert_eq!(run.log(), ["recall a", "finish cancelled"]);
}

#[test]
fn an_answer_that_does_not_fit_is_refused() {
    let backoff =
        || Recalled::Backoff { attempts: 1, until: Timestamp(1), failure: failure("no luck"), losses: 0 };
    let steps = vec![task("a"), sleep("b"), signal("c", "go"), compute("d")];
    let mut run = Run::resuming_without(flat(steps), &[], &["a", "b", "c"]);
    let before = format!("{:?}", run.machine);
    for (path, recalled) in [
        ("a", failed(1)),
        ("a", Recalled::Until(Timestamp(1))),
        ("a", Recalled::Lost),
        ("b", backoff()),
        ("b", Recalled::Unknown),
        ("c", backoff()),
        ("c", Recalled::Lost),
        ("d", Recalled::Value),
    ] {
        assert_eq!(run.recall(path, recalled.clone()), Err(Refused::Unexpected), "{path} {recalled:?}");
    }
    let key = run.key("a");
    let answer = Event::Answered { key, answer: Ok(Answer::Value) };
    assert_eq!(run.event(answer), Err(Refused::Unexpected));
    let end = Event::AttemptEnded { key, epoch: 0, end: AttemptEnd::Ok, roll: 0.5 };
    assert_eq!(run.event(end), Err(Refused::Unexpected));
    assert_eq!(run.set("a"), Err(Refused::Unexpected));
    assert_eq!(format!("{:?}", run.machine), before);
    run.recall("a", Recalled::Value).unwrap();
    assert_eq!(run.recall("a", Recalled::Value), Err(Refused::Unexpected));
}

/// The paths of what runs anew.
fn anew(run: &Run) -> Vec<String> {
    let paths = run.machine.anew().into_iter().map(|key| run.machine.path(key).unwrap());
    paths.map(|path| path.trim_start_matches("w/").to_owned()).collect()
}

#[test]
fn what_will_run_anew_is_known_before_it_begins() {
    let steps = vec![
        task("a"),
        task("b").needs(&["a"]),
        task("c").needs(&["b"]),
        task("kept"),
        task("clean").always(),
        task("other").always().needs(&["clean"]),
    ];
    let mut run = Run::resuming(flat(steps.clone()), &[("kept", Recalled::Value)]);
    assert_eq!(anew(&run), ["a", "b", "c", "clean", "other"]);
    run.fail("a");
    assert_eq!(run.state("c"), StepState::UpstreamFailed);
    assert_eq!(anew(&run), ["a", "b", "c", "clean", "other"], "also where it never began");
    assert_eq!(anew(&Run::begin(flat(steps))), [""; 0], "nothing was there before");
}

#[test]
fn a_race_that_goes_on_anew_may_end_otherwise() {
    let graph = graph(
        "w",
        vec![
            region(vec![each("m", 1, None), task("after").needs(&["m"])]),
            region(vec![select("s", 2, &[3, 3]), task("z").needs(&["s"])]),
            region(race()),
            region(vec![task("won")]),
        ],
    );
    let mut run = Run::to_resume(graph, &[]);
    run.will_answer("m", Ok(Answer::Items(1)));
    run.event(Event::Begun).unwrap();
    assert_eq!(anew(&run), ["after", "m[0]/s", "m[0]/z", "m[0]/s/x", "m[0]/s/y"]);

    let left = [("m[0]/s/x", Recalled::Value), ("m[0]/s/won", Recalled::Value)];
    let mut run = Run::to_resume(graph, &left);
    run.will_answer("m", Ok(Answer::Items(1)));
    run.event(Event::Begun).unwrap();
    assert_eq!(run.state("m[0]/z"), StepState::Running);
    assert_eq!(anew(&run), ["after", "m[0]/z"], "it was won by what is left of it");
}

/// Where what comes before it fails, or the run is cancelled: what a life holds
/// has been done, and is undone.
#[test]
fn what_is_held_and_not_come_to_is_undone() {
    let steps = || {
        vec![
            task("risk"),
            task("pay").undo(1).needs(&["risk"]),
            task("more").undo(1).needs(&["pay"]),
            task("never").undo(1).needs(&["risk"]),
        ]
    };
    let left = [("pay", Recalled::Value), ("more", Recalled::Value)];
    let mut run = Run::holding(flat(steps()), &left);
    run.fail("risk");
    run.ok("more");
    run.ok("pay");
    assert_eq!(
        run.log(),
        ["recall risk", "start risk 1", "undo more 1", "undo pay 1", "finish failed: risk 1 no luck",]
    );
    assert_eq!(run.states(), "risk failed, pay undone, more undone, never cancelled");

    let mut run = Run::holding(flat(steps()), &left);
    run.event(Event::CancelRequested).unwrap();
    run.end("risk", AttemptEnd::Cancelled);
    run.ok("more");
    run.ok("pay");
    assert_eq!(run.run_state(), RunState::Cancelled);
    assert_eq!(run.states(), "risk cancelled, pay undone, more undone, never cancelled");

    // Where it is come to in its turn, nothing is different.
    let mut run = Run::holding(flat(steps()), &left);
    run.ok("risk");
    run.ok("never");
    assert_eq!(run.run_state(), RunState::Succeeded);
}
