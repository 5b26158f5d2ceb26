//! Journals written by hand, as a store holds them, over graphs that come from
//! blueprints. Those of real runs are in `tests/it/history.rs`, and of random
//! ones with the machine's random tests.

mod journal;

use std::collections::VecDeque;

use serde_json::{Value as Json, json};

use super::left::KeptSignal;
use super::*;
use crate::blueprint::Blueprint;
use crate::failure::{Cause, Failure};
use crate::journal::{StoredEvent, StoredRecalled};
use crate::run::{Action, Answer, AttemptEnd, Effects, Event, Machine, StepState, Wait};
use crate::task::Retryability;
use crate::view::{Items, StepKind};
use journal::*;

fn failure() -> Failure {
    Failure::new(Cause::Error, "no route")
}

/// What is left, without the paths of items and turns.
fn left(history: &History) -> Vec<(&str, StoredRecalled, Option<u64>, u32)> {
    let steps = history.left.steps.iter();
    steps.map(|(path, left)| (&**path, left.recalled.clone(), left.from, left.undone)).collect()
}

fn value(path: &str, from: u64) -> (&str, StoredRecalled, Option<u64>, u32) {
    (path, StoredRecalled::Value, Some(from), 0)
}

#[test]
fn attempts_are_told_with_their_times_and_ends() {
    let a = task_with("a", &[], json!({ "policy": retried(3) }));
    let graph = graph(&[("", vec![a, task("b", &[0])])]);
    let journal = Journal::begun()
        .failed(0, 1)
        .add(json!({ "event": "timer_fired", "step": [0, 0, 0], "epoch": 2 }))
        .add(json!({ "event": "attempt_lost", "step": [0, 0, 0], "epoch": 3 }))
        .ok(0, 4);
    let history = journal.read(graph);
    let a = history.step("w/a").unwrap();
    let told: Vec<_> =
        a.attempts.iter().map(|at| (at.number, at.started_at, at.ended_at, at.outcome)).collect();
    assert_eq!(
        told,
        [
            (1, second(0), Some(second(1)), Outcome::Error),
            (2, second(2), Some(second(3)), Outcome::Lost),
            (2, second(3), Some(second(4)), Outcome::Ok),
        ]
    );
    assert_eq!(a.attempts[0].failure, Some(failure()));
    assert_eq!((a.started_at, a.ended_at, a.output), (Some(second(0)), Some(second(4)), Some(4)));
    let b = history.step("w/b").unwrap();
    assert_eq!((b.state, b.since, b.attempts[0].outcome), (StepState::Running, second(4), Outcome::Running));
    assert_eq!(history.state, RunState::Running);
    assert_eq!(left(&history), [value("w/a", 4)]);
    // In good order: what ran was interrupted.
    let history = journal.add(json!({ "event": "shut_down" })).read(graph);
    let b = &history.step("w/b").unwrap().attempts[0];
    assert_eq!((b.outcome, b.ended_at), (Outcome::Interrupted, Some(second(5))));
}

#[test]
fn what_is_left_of_a_step_follows_from_its_state() {
    let once = json!({ "at_most_once": true });
    let thrice = json!({ "policy": retried(3) });
    let graph = graph(&[(
        "",
        vec![
            task("ok", &[]),
            soft(task("soft", &[])),
            task_with("once", &[], once),
            task_with("backoff", &[], thrice.clone()),
            task_with("again", &[], thrice),
            task("first", &[]),
            task("waits", &[5]),
            step("nap", &[], &json!({ "sleep": { "until": [] } })),
            step("within", &[], &json!({ "signal": { "name": "go", "within": [] } })),
            step("ever", &[], &json!({ "signal": { "name": "go" } })),
        ],
    )]);
    let history = Journal::begun()
        .ok(0, 1)
        .failed(1, 1)
        .failed(3, 1)
        .failed(4, 1)
        .add(json!({ "event": "timer_fired", "step": [0, 0, 4], "epoch": 2 }))
        .add(json!({ "event": "wait_decided", "step": [0, 0, 7], "until": 77 }))
        .add(json!({ "event": "wait_decided", "step": [0, 0, 8], "until": 88 }))
        .read(graph);
    let backoff = |until| StoredRecalled::Backoff { attempts: 1, until, failure: failure(), losses: 0 };
    assert_eq!(
        left(&history),
        [
            ("w/again", backoff(second(5)), None, 0),
            ("w/backoff", backoff(second(13)), None, 0),
            ("w/nap", StoredRecalled::Until(Timestamp(77)), None, 0),
            value("w/ok", 1),
            ("w/once", StoredRecalled::Unknown, None, 0),
            ("w/soft", StoredRecalled::Failed { attempts: 1, failure: failure() }, None, 0),
            ("w/within", StoredRecalled::Until(Timestamp(88)), None, 0),
        ]
    );
    let progress = |path: &str| {
        let progress = history.progress(path);
        (progress.kept, progress.open)
    };
    assert_eq!(progress("w/ok"), (true, false));
    assert_eq!(progress("w/soft"), (true, false));
    assert_eq!(progress("w/once"), (true, true));
    assert_eq!(progress("w/backoff"), (false, true));
    assert_eq!(progress("w/waits"), (false, true));
    assert_eq!(progress("w/nobody/heard/of"), (false, true));
}

fn kept(name: &str, seq: u64) -> KeptSignal {
    KeptSignal { name: name.to_owned(), key: None, seq }
}

#[test]
fn a_signal_s_value_is_where_it_came() {
    let signal =
        |name: &str, of: &str, needs: &[u16]| step(name, needs, &json!({ "signal": { "name": of } }));
    let graph = graph(&[("", vec![signal("a", "go", &[]), task("t", &[]), signal("b", "go", &[1])])]);
    let sent = json!({ "event": "signalled", "name": "go" });
    let journal = Journal::begun().with(sent.clone()).with(sent.clone()).with(sent);
    let history = journal.clone().read(graph);
    assert_eq!(left(&history), [value("w/a", 1)]);
    assert_eq!(history.left.signals, [kept("go", 2), kept("go", 3)]);
    let history = journal.ok(1, 1).read(graph);
    assert_eq!(left(&history), [value("w/a", 1), value("w/b", 2), value("w/t", 4)]);
    assert_eq!(history.left.signals, [kept("go", 3)]);
    assert_eq!(history.step("w/b").unwrap().output, Some(2));
}

#[test]
fn what_was_undone_is_counted_and_not_kept() {
    let undo = json!({ "undo": { "name": "refund", "version": 1 } });
    let steps = vec![task_with("a", &[], undo.clone()), task_with("b", &[], undo), task("c", &[0, 1])];
    let blueprint = blueprint(&[("", steps)]);
    let journal = Journal::begun().ok(0, 1).ok(1, 1).failed(2, 1).ok(1, 2).failed(0, 2);
    let history = journal.read(blueprint.graph());
    assert_eq!(history.state, RunState::Failed);
    assert_eq!(history.ended_at, Some(second(5)));
    assert_eq!(history.error.as_ref().unwrap().step(), "w/c");
    let b = history.step("w/b").unwrap();
    assert_eq!((b.state, b.attempts[1].kind, b.output), (StepState::Undone, AttemptKind::Undo, Some(2)));
    // The undo of `a` failed, so what it did stands.
    assert_eq!(left(&history), [value("w/a", 1), ("w/b", StoredRecalled::Nothing, None, 1)]);
    // Another life, undone again.
    let again = journal
        .taken_up("retried", &blueprint, &[])
        .add(json!({ "event": "begun" }))
        .recalled(0, json!("value"), Some(1))
        .recalled(1, json!("nothing"), None)
        .ok(1, 1);
    let history = again.clone().read_with(blueprint.graph(), &[&blueprint]).unwrap();
    assert_eq!(left(&history), [value("w/a", 1), ("w/b", StoredRecalled::Value, Some(10), 1)]);
    let again = again.recalled(2, json!("nothing"), None);
    let history = again.failed(2, 1).ok(1, 2).read_with(blueprint.graph(), &[&blueprint]).unwrap();
    assert_eq!(history.left.steps["w/b"].undone, 2);
    let b = history.step("w/b").unwrap();
    let kinds: Vec<_> = b.attempts.iter().map(|attempt| attempt.kind).collect();
    assert_eq!(kinds, [AttemptKind::Task, AttemptKind::Undo, AttemptKind::Task, AttemptKind::Undo]);
}

/// A race between a signal, a sleep, and a task that is under way.
fn race() -> Blueprint {
    let race = vec![
        step("go", &[], &json!({ "signal": { "name": "go" } })),
        step("nap", &[], &json!({ "sleep": { "until": [] } })),
        task("slow", &[]),
    ];
    let arms = vec![
        ("", vec![step("select", &[], &json!({ "select": { "race": 1, "arms": [2, 3, 4] } }))]),
        ("", race),
        ("0", vec![task("chosen", &[])]),
        ("1", vec![task("other", &[])]),
        ("2", vec![]),
    ];
    blueprint(&arms)
}

#[test]
fn who_lost_a_race_is_left_as_such() {
    let blueprint = race();
    let journal = Journal::begun()
        .add(json!({ "event": "wait_decided", "step": [1, 0, 1], "until": 900_000_000_000_u64 }));
    let undecided = journal.read(blueprint.graph());
    assert_eq!(
        left(&undecided),
        [("w/select/nap", StoredRecalled::Until(Timestamp(900_000_000_000)), None, 0)]
    );
    let decided = journal.with(json!({ "event": "signalled", "name": "go" }));
    let history = decided.read(blueprint.graph());
    let lost = |path| (path, StoredRecalled::Lost, None, 0);
    let expected = [value("w/select/go", 2), lost("w/select/nap"), lost("w/select/slow")];
    assert_eq!(left(&history), expected);
    let slow = &history.step("w/select/slow").unwrap().attempts[0];
    assert_eq!((slow.outcome, slow.ended_at), (Outcome::Cancelled, Some(second(2))));
    // The arm that was chosen comes after the race, the others are skipped.
    let paths: Vec<_> = history.steps.iter().map(|step| (&*step.path, step.state)).collect();
    assert_eq!(paths[4], ("w/select[0]/chosen", StepState::Running));
    assert_eq!(paths[5], ("w/select[1]/other", StepState::Skipped));
    assert_eq!(history.step("w/select[1]/other").unwrap().static_path, "w/select[1]/other");
    // In another life they have lost before they are asked, or are told so.
    let again = decided
        .taken_up("changed", &blueprint, &[])
        .add(json!({ "event": "begun" }))
        .add(json!({ "event": "recalled", "step": [1, 0, 2], "recalled": "lost" }))
        .add(json!({ "event": "recalled", "step": [1, 0, 0], "recalled": "value", "from": 2 }));
    let history = again.read_with(blueprint.graph(), &[&blueprint]).unwrap();
    assert_eq!(left(&history), expected);
}

#[test]
fn an_earlier_life_s_results_stay_until_a_later_one_says_otherwise() {
    let steps = || vec![task("a", &[]), task("b", &[]), task("c", &[0, 1]), task("d", &[2])];
    let blueprint = blueprint(&[("", steps())]);
    let graph = blueprint.graph();
    let read = |journal: &Journal| journal.read_with(graph, &[&blueprint]).unwrap();
    let first = Journal::begun().ok(0, 1).ok(1, 1).ok(2, 1).failed(3, 1);
    let second_life = first.clone().taken_up("retried", &blueprint, &[]).add(json!({ "event": "begun" }));
    let all = [value("w/a", 1), value("w/b", 2), value("w/c", 3)];
    // Asked, but not answered yet, or not even asked.
    assert_eq!(left(&read(&second_life)), all);
    let partly = second_life.clone().recalled(0, json!("value"), Some(1));
    assert_eq!(left(&read(&partly)), all);
    // `b` is gone, so `c` and what comes after it run anew.
    let anew = first
        .taken_up("retried", &blueprint, &["w/b"])
        .add(json!({ "event": "begun" }))
        .recalled(0, json!("value"), Some(1))
        .recalled(1, json!("nothing"), None);
    // What they did is left to be told from what they do next.
    let gone = |path| (path, StoredRecalled::Nothing, None, 1);
    let of_b = "`c` was made from what `b` was";
    assert_eq!(left(&read(&anew)), [value("w/a", 1), gone("w/b"), gone("w/c")], "{of_b}");
    let begun = anew.ok(1, 1).recalled(2, json!("nothing"), None);
    let made_again = ("w/b", StoredRecalled::Value, Some(9), 1);
    assert_eq!(left(&read(&begun)), [value("w/a", 1), made_again, gone("w/c")]);
    let history = read(&begun);
    assert_eq!(history.lives.len(), 2);
    assert_eq!((history.lives[1].why, history.lives[1].entry), (Some(Why::Retried), 5));
    // What a later life has not come to is told as it was left.
    let d = history.step("w/d").unwrap();
    assert_eq!((d.life, d.state, d.attempts.len()), (1, StepState::Waiting(Wait::Dependencies), 1));
    let c = history.step("w/c").unwrap();
    let outcomes: Vec<_> = c.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [Outcome::Ok, Outcome::Running]);
    assert_eq!(history.acts[0].what, Operated::TakenUp(Why::Retried));
    assert_eq!(history.acts[0].by.as_ref().unwrap().actor, "ann");
}

#[test]
fn what_is_dropped_takes_what_lies_in_it_along() {
    let each = |region| json!({ "for": { "items": [], "region": region } });
    let body = vec![step("all", &[], &each(1)), step("allow", &[], &each(2))];
    let blueprint = blueprint(&[("", body), ("", vec![task("a", &[])]), ("", vec![task("a", &[])])]);
    let ended = |frame: u32| json!({ "event": "attempt_succeeded", "step": [frame, 0, 0], "epoch": 1 });
    let first = Journal::begun()
        .add(json!({ "event": "items_listed", "step": [0, 0, 0], "items": 2 }))
        .add(json!({ "event": "items_listed", "step": [0, 0, 1], "items": 1 }))
        .with(ended(1))
        .with(ended(2))
        .with(ended(3));
    let history = first.read(blueprint.graph());
    assert_eq!(left(&history), [value("w/all[0]/a", 3), value("w/all[1]/a", 4), value("w/allow[0]/a", 5)]);
    assert_eq!(history.step("w/all[1]/a").unwrap().static_path, "w/all/a");
    assert!(history.progress("w/all/a").kept);
    let paths: Vec<_> = history.steps.iter().map(|step| &*step.path).collect();
    assert_eq!(paths, ["w/all", "w/all[0]/a", "w/all[1]/a", "w/allow", "w/allow[0]/a"]);
    let after = |dropped: &str| {
        let journal = first.clone().taken_up("changed", &blueprint, &[dropped]);
        let history = journal.read_with(blueprint.graph(), &[&blueprint]).unwrap();
        let kept = history.left.steps.iter().filter(|(_, left)| left.recalled != StoredRecalled::Nothing);
        kept.map(|(path, _)| path.as_str()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(after("w/all"), "w/allow[0]/a");
    assert_eq!(after("w/all[1]"), "w/all[0]/a w/allow[0]/a");
    assert_eq!(after("w/allow[0]/a"), "w/all[0]/a w/all[1]/a");
    assert_eq!(after("w"), "");
}

#[test]
fn good_items_of_a_for_are_only_counted_where_that_is_wanted() {
    let each = json!({ "for": { "items": [], "region": 1, "limit": 1 } });
    let mut item = soft(task("a", &[]));
    item["output"] = json!(1);
    let blueprint = blueprint(&[("", vec![step("all", &[], &each)]), ("", vec![item])]);
    let graph = blueprint.graph();
    // A run of 5 000 items that is at the one with the number 4 000; one has failed.
    let (mut machine, mut effects, mut ended) = (Machine::new(graph), Effects::default(), 0);
    let (mut journal, mut next) = (Journal::default(), VecDeque::from([Event::Begun]));
    while let Some(event) = next.pop_front() {
        journal = journal.with(serde_json::to_value(StoredEvent::of(&event)).unwrap());
        effects.actions.clear();
        machine.apply(second(0), event, &mut effects).unwrap();
        next.extend(effects.actions.iter().filter_map(|action| match *action {
            Action::Evaluate { key, .. } => Some(Event::Answered { key, answer: Ok(Answer::Items(5_000)) }),
            Action::Yield { frame } => Some(Event::Yielded { frame, result: Ok(()) }),
            Action::OpenMore { key } => Some(Event::MoreWanted { key }),
            Action::Start { key, epoch, .. } if ended < 4_000 => {
                ended += 1;
                let end = match ended {
                    8 => AttemptEnd::Failed(failure(), Retryability::Fatal),
                    _ => AttemptEnd::Ok,
                };
                Some(Event::AttemptEnded { key, epoch, end, roll: 0.5 })
            }
            _ => None,
        }));
    }
    let mut reading = Reading::new(graph, &|_| None, true);
    journal.0.iter().for_each(|entry| reading.entry(entry).unwrap());
    let history = reading.end();
    let paths: Vec<_> = history.steps.iter().map(|step| &*step.path).collect();
    assert_eq!(paths, ["w/all", "w/all[7]/a", "w/all[4000]/a"], "what failed, and what is under way");
    assert_eq!(history.steps[0].items, Some(Items { done: 4_000, all: 5_000 }));
    assert_eq!(journal.read(graph).steps.len(), 1 + 4_001);
}

/// Also where good items are only counted.
#[test]
fn what_stands_is_told_and_what_is_used_is_not() {
    let undo = || json!({ "undo": { "name": "u", "version": 1 } });
    let each = json!({ "for": { "items": [], "region": 1 } });
    let items = || (step("all", &[], &each), vec![task_with("a", &[], undo())]);
    let (all, item) = items();
    let first = blueprint(&[("", vec![all, task_with("paid", &[], undo())]), ("", item)]);
    let (all, item) = items();
    let second = blueprint(&[("", vec![all]), ("", item)]);
    let ok = |journal: Journal, frame: u32, step: u16| {
        journal.with(json!({ "event": "attempt_succeeded", "step": [frame, 0, step], "epoch": 1 }))
    };
    let listed =
        |journal: Journal| journal.add(json!({ "event": "items_listed", "step": [0, 0, 0], "items": 2 }));
    let yielded =
        |journal: Journal, frame: u32| journal.add(json!({ "event": "yielded", "frame": [frame, 0] }));
    let journal = listed(Journal::begun());
    let journal = ok(ok(ok(journal, 1, 0), 2, 0), 0, 1);
    let journal = journal.taken_up("adopted", &second, &[]);
    let journal = listed(journal.add(json!({ "event": "begun" })));
    let recalled = |frame: u32, from: u64| json!({ "event": "recalled", "step": [frame, 0, 0], "recalled": "value", "from": from });
    let journal = journal.add(recalled(1, 2)).add(recalled(2, 3));
    let going_on = yielded(yielded(journal, 1), 2);
    let ended = yielded(going_on.clone(), 0);
    for folds in [false, true] {
        let read = |journal: &Journal| {
            let find = |hash| (second.hash() == hash).then(|| second.graph());
            let mut reading = Reading::new(first.graph(), &find, folds);
            journal.0.iter().for_each(|entry| reading.entry(entry).unwrap());
            reading.end()
        };
        let stands = NotUndone { path: "w/paid".to_owned(), why: WhyNotUndone::Gone };
        let history = read(&ended);
        assert_eq!((history.state, history.not_undone), (RunState::Succeeded, vec![stands]), "{folds}");
        assert_eq!(read(&going_on).not_undone, [], "it may yet come to it");
    }
}

#[test]
fn what_is_kept_by_somebody_s_word_is_left() {
    let each = json!({ "for": { "items": [], "region": 1 } });
    let blueprint =
        blueprint(&[("", vec![step("all", &[], &each), task("b", &[0])]), ("", vec![task("a", &[])])]);
    let kept = |path: &str| json!({ "event": "kept", "path": path, "recalled": "value" });
    let journal = Journal::default()
        .with(kept("w/all[0]/a"))
        .with(kept("w/b"))
        .add(json!({ "event": "kept", "path": "w/all[1]/a", "recalled": { "until": 7 } }))
        .taken_up("forked", &blueprint, &["w/b"]);
    let history = journal.read_with(blueprint.graph(), &[&blueprint]).unwrap();
    let until = StoredRecalled::Until(Timestamp(7));
    assert_eq!(
        left(&history),
        [value("w/all[0]/a", 0), ("w/all[1]/a", until, None, 0), ("w/b", StoredRecalled::Nothing, None, 1)]
    );
    assert!(history.progress("w/all/a").kept);
    assert_eq!((history.state, history.lives.len()), (RunState::Queued, 1));
}

/// What an operator has set stands, though something before it runs anew.
#[test]
fn what_was_set_stands_in_every_life() {
    let blueprint = blueprint(&[("", vec![task("a", &[]), task("b", &[0]), task("c", &[1])])]);
    let again =
        |journal: Journal, why: &str| journal.taken_up(why, &blueprint, &[]).add(json!({ "event": "begun" }));
    let read = |journal: &Journal| journal.read_with(blueprint.graph(), &[&blueprint]).unwrap();
    let journal =
        Journal::begun().failed(0, 1).with(json!({ "event": "kept", "path": "w/b", "recalled": "value" }));
    let journal = again(journal, "set").recalled(0, json!("nothing"), None);
    let history = read(&journal);
    assert_eq!(left(&history), [value("w/b", 2)]);
    assert!(history.left.steps["w/b"].held);
    let journal = again(journal.failed(0, 1), "retried");
    assert!(read(&journal).left.steps["w/b"].held);
    let history = read(&journal.taken_up("adopted", &blueprint, &["w/b"]));
    assert_eq!(left(&history), [("w/b", StoredRecalled::Nothing, None, 1)]);
}

#[test]
fn operators_and_what_they_did_are_told() {
    let graph = graph(&[(
        "",
        vec![
            task_with("a", &[], json!({ "policy": retried(3) })),
            step("go", &[], &json!({ "signal": { "name": "go" } })),
            task("b", &[1]),
        ],
    )]);
    let by = json!({ "actor": "ann", "reason": "the disk is full" });
    let history = Journal::begun()
        .add(json!({ "event": "paused", "by": by }))
        .failed(0, 1)
        .with(json!({ "event": "set", "step": [0, 0, 1], "by": by }))
        .add(json!({ "event": "retry_requested", "step": [0, 0, 0], "by": by }))
        .read(graph);
    assert!(history.paused && !history.cancelled);
    assert_eq!(history.state, RunState::Paused);
    let acts: Vec<_> = history.acts.iter().map(|act| (act.what.clone(), act.step.as_deref())).collect();
    assert_eq!(
        acts,
        [(Operated::Paused, None), (Operated::Set, Some("w/go")), (Operated::Retried, Some("w/a"))]
    );
    assert_eq!(history.acts[0].by.as_ref().unwrap().reason.as_deref(), Some("the disk is full"));
    let go = history.step("w/go").unwrap();
    assert_eq!((go.kind, go.output, go.task.as_str()), (StepKind::Signal, Some(3), "signal go"));
    assert_eq!(history.step("w/b").unwrap().state, StepState::Waiting(Wait::Paused));
    assert_eq!(left(&history)[1], value("w/go", 3));
}

#[test]
fn a_journal_that_cannot_be_followed_says_where() {
    let each = json!({ "for": { "items": [], "region": 1 } });
    let graph = graph(&[("", vec![task("a", &[]), step("all", &[], &each)]), ("", vec![task("b", &[])])]);
    let hole = Journal(Journal::begun().ok(0, 1).0.split_off(1));
    assert_eq!(hole.unreadable(graph), "entry 0 of the run's journal is missing");
    let foreign = Journal::begun().add(json!({ "event": "danced" })).unreadable(graph);
    assert!(foreign.starts_with("entry 1 of the run's journal cannot be read: unknown variant"), "{foreign}");
    let twice = Journal::begun().add(json!({ "event": "begun" }));
    assert!(twice.unreadable(graph).contains("entry 1 of the run's journal does not follow"));
    let nobody = |step: Json| {
        let event = json!({ "event": "attempt_succeeded", "step": step, "epoch": 1 });
        Journal::begun().add(event).unreadable(graph)
    };
    for step in [json!([0, 0, 99]), json!([99, 0, 0]), json!([0, 7, 0]), json!([0, 0, 1])] {
        assert!(nobody(step).contains("does not follow from those before"));
    }
    let signal = Journal::begun().with(json!({ "event": "signalled", "name": "go" }));
    assert!(signal.unreadable(graph).ends_with("is a signal that the workflow does not have"));
    let many = json!({ "event": "items_listed", "step": [0, 0, 1], "items": 4_000_000_000_u64 });
    assert!(Journal::begun().add(many).unreadable(graph).contains("lists 4000000000 items"));
    let other = Journal::begun().taken_up("changed", &blueprint(&[("", vec![])]), &[]);
    assert!(other.unreadable(graph).contains("under a blueprint that is not there"));
    assert!(Journal::default().read(graph).steps.is_empty());
}
