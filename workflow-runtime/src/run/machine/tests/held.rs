//! Steps that a life holds and has not come to when it fails or is cancelled.

use super::graph::*;
use super::harness::*;
use crate::run::{Answer, Event, HeldStep, Recalled, Refused, RunState, StepState, Within};
use crate::task::definition::Graph;

/// Everything that can lie between a workflow and a step, after a `risk`.
fn shop() -> &'static Graph {
    let inner = graph("inner", vec![region(vec![branch("c", &[1])]), labelled("then", vec![undone("x")])]);
    graph(
        "w",
        vec![
            region(vec![
                task("risk"),
                branch("c", &[1, 2]).needs(&["risk"]),
                each("m", 3, None).needs(&["risk"]),
                child("k", inner).needs(&["risk"]),
                turns("l", 4, 9).needs(&["risk"]),
                select("s", 5, &[6, 7]).needs(&["risk"]),
                task("clean").undo(1).always(),
            ]),
            labelled("then", vec![undone("x")]),
            labelled("else", vec![undone("y")]),
            region(vec![undone("x"), each("n", 4, None)]),
            region(vec![undone("x")]),
            region(vec![undone("a"), undone("b")]),
            labelled("0", vec![undone("x")]),
            labelled("1", vec![undone("x")]),
        ],
    )
}

fn undone(name: &'static str) -> Spec {
    task(name).undo(1)
}

const HELD: [&str; 8] =
    ["c[then]/x", "k/c[then]/x", "l[2]/x", "m[1]/n[0]/x", "m[1]/x", "m[7]/x", "s/a", "s[0]/x"];

fn left() -> Vec<(&'static str, Recalled)> {
    let held = HELD.into_iter().chain(["clean"]);
    held.map(|path| (path, Recalled::Value)).collect()
}

/// Has each undo succeed that is wanted, and gives their steps.
fn undo_all(run: &mut Run) -> Vec<String> {
    let mut undone = Vec::new();
    let undos = |run: &mut Run| {
        let undos = run.log().into_iter().filter_map(|line| line.strip_prefix("undo ").map(str::to_owned));
        undos.map(|line| line.trim_end_matches(" 1").to_owned()).collect::<Vec<_>>()
    };
    let mut next = undos(run);
    while let Some(path) = next.pop() {
        run.ok(&path);
        undone.push(path);
        next.extend(undos(run));
    }
    undone
}

#[test]
fn what_is_held_in_regions_that_were_never_opened_is_undone() {
    let mut run = Run::holding(shop(), &left());
    run.fail("risk");
    let backwards: Vec<_> = HELD.iter().rev().copied().collect();
    assert_eq!(undo_all(&mut run), backwards);
    assert_eq!(run.run_state(), RunState::Failed);

    let mut run = Run::holding(shop(), &left());
    run.event(Event::CancelRequested).unwrap();
    run.end("risk", crate::run::AttemptEnd::Cancelled);
    assert_eq!(undo_all(&mut run), backwards);
}

/// Another arm is chosen, the items are fewer, and the loop has no turn.
#[test]
fn what_is_held_in_regions_that_are_no_more_is_undone() {
    let graph = graph(
        "w",
        vec![
            region(vec![
                branch("c", &[1, 2]),
                each("m", 3, None),
                turns("l", 3, 9),
                task("boom").needs(&["c", "m", "l"]),
            ]),
            labelled("then", vec![undone("x")]),
            labelled("else", vec![undone("x")]),
            region(vec![undone("x")]),
        ],
    );
    let held = ["c[else]/x", "c[then]/x", "l[0]/x", "m[0]/x", "m[1]/x", "m[2]/x"];
    let left: Vec<_> = held.into_iter().map(|path| (path, Recalled::Value)).collect();
    let mut run = Run::holding(graph, &left);
    run.will_answer("c", Ok(Answer::Arm(1)));
    run.fail("boom");
    let mut undone = undo_all(&mut run);
    undone.sort();
    assert_eq!(undone, held);
    assert_eq!(run.run_state(), RunState::Failed);
}

/// What it holds is undone with it, and the rest stays.
#[test]
fn a_child_that_fails_undoes_what_it_holds_itself() {
    let inner = graph(
        "inner",
        vec![
            region(vec![task("risk"), branch("c", &[1]).needs(&["risk"])]),
            labelled("then", vec![undone("x")]),
        ],
    );
    let graph = graph(
        "w",
        vec![
            region(vec![
                child("k", inner).value(),
                task("go").needs(&["k"]),
                branch("c", &[1]).needs(&["go"]),
            ]),
            labelled("then", vec![undone("x")]),
        ],
    );
    let left = [("k/c[then]/x", Recalled::Value), ("c[then]/x", Recalled::Value)];
    let mut run = Run::holding(graph, &left);
    run.fail("k/risk");
    assert_eq!(undo_all(&mut run), ["k/c[then]/x"]);
    run.ok("go");
    assert_eq!(run.run_state(), RunState::Succeeded);
}

#[test]
fn an_undo_of_what_was_never_come_to_can_fail_and_be_given_up() {
    let mut run = Run::holding(shop(), &[("m[7]/x", Recalled::Value), ("c[then]/x", Recalled::Value)]);
    run.fail("risk");
    run.log();
    assert_eq!(run.state("m[7]/x"), StepState::Undoing);
    run.fail("m[7]/x");
    assert_eq!(run.log(), ["undo c[then]/x 1"]);
    run.give_up("c[then]/x").unwrap();
    run.ok("clean");
    assert_eq!(run.run_state(), RunState::Failed);
}

#[test]
fn an_answer_that_nobody_waits_for_is_refused_and_one_that_does_not_fit_undoes_nothing() {
    let frame = crate::run::FrameId::ROOT;
    let mut run = Run::holding(shop(), &[]);
    assert_eq!(run.event(Event::HeldRecalled { frame, steps: Vec::new() }), Err(Refused::Unexpected));
    let mut machine = crate::run::Machine::resuming(shop()).holding().undoing_held();
    let mut effects = crate::run::Effects::default();
    let now = crate::run::Timestamp(0);
    machine.apply(now, Event::Begun, &mut effects).unwrap();
    machine.apply(now, Event::CancelRequested, &mut effects).unwrap();
    let within = |step, region| Within { step, region, index: 0 };
    let steps = vec![
        HeldStep { within: Vec::new(), step: 99 },
        HeldStep { within: Vec::new(), step: 0 },
        HeldStep { within: vec![within(1, 99)], step: 0 },
        HeldStep { within: vec![within(0, 1)], step: 0 },
        HeldStep { within: vec![within(6, 1)], step: 0 },
    ];
    machine.apply(now, Event::HeldRecalled { frame, steps }, &mut effects).unwrap_or_default();
    assert!(!effects.actions.iter().any(|action| matches!(action, crate::run::Action::Undo { .. })));
}
