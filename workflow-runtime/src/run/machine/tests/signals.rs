//! Signals: first come, first served, on both sides.

use super::graph::*;
use super::harness::*;
use crate::run::{Answer, Recalled, Refused, RunState, StepState, Timestamp, Wait};

#[test]
fn a_signal_goes_to_the_step_that_waits_longest() {
    let mut run = Run::begin(flat(vec![task("t"), signal("b", "go").needs(&["t"]), signal("a", "go")]));
    run.ok("t");
    run.log();
    run.signal("go");
    run.signal("go");
    assert_eq!(run.log(), ["deliver a go", "deliver b go", "finish succeeded"]);
}

#[test]
fn a_signal_that_came_early_is_kept() {
    let mut run = Run::begin(flat(vec![task("t"), signal("a", "go").needs(&["t"])]));
    run.signal("stop");
    run.signal("go");
    run.log();
    run.ok("t");
    assert_eq!(run.log(), ["deliver a go", "finish succeeded"]);
}

#[test]
fn a_run_that_waits_for_a_signal_waits() {
    let run = Run::begin(flat(vec![signal("a", "go")]));
    assert_eq!(run.state("a"), StepState::Waiting(Wait::Signal { until: None }));
    assert_eq!(run.run_state(), RunState::Waiting);
}

#[test]
fn a_signal_that_does_not_come_in_time_fails_its_step() {
    let graph = flat(vec![signal_within("a", "go").value(), signal("b", "go").needs(&["a"])]);
    let mut run = Run::scripted(graph, &[("a", Answer::Until(Timestamp(9)))]);
    assert_eq!(run.state("a"), StepState::Waiting(Wait::Signal { until: Some(Timestamp(9)) }));
    assert_eq!(run.log(), ["timer a +9ns"]);
    run.timer("a");
    assert_eq!(run.log(), ["fail a 1 signal `go` did not come within its time"]);
    // The step that gave up is passed over.
    run.signal("go");
    assert_eq!(run.log(), ["deliver b go", "finish succeeded"]);
}

#[test]
fn waits_that_were_given_up_do_not_pile_up() {
    let graph = graph(
        "w",
        vec![
            region(vec![turns("l", 1, 1000)]),
            region(vec![select("s", 2, &[3, 3])]),
            region(vec![signal("x", "never"), sleep("y")]),
            region(vec![]),
        ],
    );
    let mut run = Run::scripted(graph, &vec![("l", Answer::Turn(true)); 200]);
    for turn in 0..200 {
        run.timer(&format!("l[{turn}]/s/y"));
    }
    assert_eq!(run.run_state(), RunState::Succeeded);
    let remembered = format!("{:?}", run.machine).matches("Key {").count();
    assert!(remembered < 20, "{remembered}");
}

#[test]
fn a_signal_with_a_key_goes_to_the_step_that_waits_with_it() {
    let answers = [("a", awaits("17")), ("b", awaits("18")), ("c", awaits("17"))];
    let graph = flat(vec![keyed("a", "go"), keyed("b", "go"), keyed("c", "go").needs(&["a"])]);
    let mut run = Run::scripted(graph, &answers);
    run.log();
    run.signal_keyed("go", "19");
    assert_eq!(run.log(), [""; 0]);
    run.signal_keyed("go", "18");
    assert_eq!(run.log(), ["deliver b go[18]"]);
    // The second is kept for who waits next with that key.
    run.signal_keyed("go", "17");
    assert_eq!(run.log(), ["deliver a go[17]"]);
    run.signal_keyed("go", "17");
    assert_eq!(run.log(), ["deliver c go[17]", "finish succeeded"]);
}

#[test]
fn a_signal_for_a_step_is_for_no_other() {
    let mut run = Run::begin(flat(vec![signal("a", "go"), signal("b", "go"), task("t")]));
    run.log();
    run.signal_step("go", "b").unwrap();
    assert_eq!(run.log(), ["deliver b go"]);
    assert_eq!(run.signal_step("go", "b"), Err(Refused::Unexpected));
    assert_eq!(run.signal_step("go", "t"), Err(Refused::Unexpected));
    run.signal("go");
    assert_eq!(run.log(), ["deliver a go"]);
}

#[test]
fn what_waits_with_a_key_is_recalled_with_it() {
    let graph = flat(vec![keyed("a", "go"), signal("b", "go")]);
    let mut run = Run::resuming(graph, &[("a", Recalled::Awaits { key: "17".into(), until: None })]);
    run.log();
    run.signal_keyed("go", "17");
    assert_eq!(run.log(), ["deliver a go[17]"]);
}

#[test]
fn mailboxes_of_keys_that_nobody_waits_for_any_more_go() {
    let graph = graph(
        "w",
        vec![
            region(vec![turns("l", 1, 1000)]),
            region(vec![select("s", 2, &[3, 3])]),
            region(vec![keyed("x", "never"), sleep("y")]),
            region(vec![]),
        ],
    );
    let mut answers = vec![("l".to_owned(), Answer::Turn(true)); 200];
    answers.extend((0..200).map(|turn| (format!("l[{turn}]/s/x"), awaits(&turn.to_string()))));
    let answers: Vec<_> = answers.iter().map(|(path, answer)| (&**path, answer.clone())).collect();
    let mut run = Run::scripted(graph, &answers);
    for turn in 0..200 {
        run.timer(&format!("l[{turn}]/s/y"));
    }
    let boxes = format!("{:?}", run.machine.mailboxes).matches("SignalId").count();
    assert!(boxes <= 32, "{boxes} mailboxes");
}
