//! Paths and what a snapshot shows.

use super::graph::*;
use super::harness::*;
use crate::run::machine::view::Parent;
use crate::run::{Answer, Timestamp};

#[test]
fn a_path_names_items_turns_arms_and_children() {
    let inner = graph("inner", vec![region(vec![task("deep")])]);
    let graph = graph(
        "nightly",
        vec![
            region(vec![each("priced", 1, None), turns("again", 2, 9), branch("verdict", &[3, 4])]),
            region(vec![child("sub", inner)]),
            region(vec![select("pick", 5, &[4])]),
            labelled("then", vec![]),
            labelled("else", vec![task("ask")]),
            labelled("race", vec![sleep("nap")]),
        ],
    );
    let answers = [("verdict", Answer::Arm(1)), ("again", Answer::Turn(true))];
    let run = Run::scripted(graph, &answers);
    let paths: Vec<_> = run.machine.steps().map(|view| run.machine.path(view.key).unwrap()).collect();
    assert_eq!(
        paths,
        [
            "nightly/priced",
            "nightly/again",
            "nightly/verdict",
            "nightly/priced[0]/sub",
            "nightly/priced[1]/sub",
            "nightly/again[0]/pick",
            "nightly/again[0]/pick[race]/nap",
            "nightly/verdict[else]/ask",
            "nightly/priced[0]/sub/deep",
            "nightly/priced[1]/sub/deep",
        ]
    );
    let frame = run.key("priced[1]/sub").frame;
    let parent = Parent { key: run.key("priced"), region: 1, index: 1 };
    assert_eq!(run.machine.frame_parent(frame), Some(parent));
}

#[test]
fn a_view_tells_when_how_often_and_why() {
    let mut run = Run::begin(flat(vec![task("a").attempts(3), task("b").needs(&["a"])]));
    run.fail("a");
    run.timer("a");
    let view = run.machine.view(run.key("a")).unwrap();
    assert_eq!((view.attempt, view.ended, run.started("a")), (2, None, Timestamp(0)));
    assert_eq!(view.failure.unwrap().to_string(), "no luck");
    run.ok("a");
    let view = run.machine.view(run.key("a")).unwrap();
    assert_eq!(view.ended, Some(Timestamp(1_000_000_000)));
    run.ok("b");
    let view = run.machine.view(run.key("b")).unwrap();
    assert_eq!((view.attempt, run.started("b")), (1, Timestamp(1_000_000_000)), "also after the end");
}
