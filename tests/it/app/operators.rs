//! What operators do where nobody works on the store.

use std::fs;

use serde_json::json;

use super::process::Program;

/// A run that waits for its signal, and nobody works on it.
fn waiting(name: &str) -> Program {
    let program = Program::own(name);
    program.fine(&["start", "transfer", "file=wired"]);
    program.fine(&["work", "--drain"]);
    assert_eq!(program.runs()[0]["state"], "waiting");
    program
}

/// What the task did, and how often.
fn wired(program: &Program) -> String {
    fs::read_to_string(program.folder.join("wired")).unwrap_or_default()
}

fn state(program: &Program) -> String {
    program.runs()[0]["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_signal_is_noted_and_the_run_goes_on_with_whoever_works() {
    let program = waiting("noted");
    let signal = program.fine(&["signal", "@last", "verdict", "good"]);
    assert!(signal.err.contains("program work` goes on with it\n"), "{signal:?}");
    // What it led to may run at most once, and has not run.
    assert_eq!((wired(&program), state(&program)), (String::new(), "running".to_owned()));
    let shown = program.fine(&["show", "@last"]);
    assert!(shown.out.contains("\n· wired  waiting for its turn\n"), "{shown:?}");
    assert_eq!(program.fine(&["doctor"]).out, "nothing is wrong\n");
    // Nor does it run while the run is paused, whoever works.
    program.fine(&["pause", "@last"]);
    program.fine(&["work", "--drain"]);
    assert_eq!((wired(&program), state(&program)), (String::new(), "paused".to_owned()));
    program.fine(&["resume", "@last", "--detach"]);
    assert_eq!(wired(&program), "");
    program.fine(&["work", "--drain"]);
    assert_eq!((wired(&program).as_str(), state(&program)), ("good\n", "succeeded".to_owned()));
    assert_eq!(program.fine(&["doctor"]).out, "nothing is wrong\n");
}

#[test]
fn what_was_noted_may_be_cancelled() {
    let program = waiting("noted-cancelled");
    program.fine(&["signal", "@last", "verdict", "good"]);
    program.fine(&["cancel", "@last", "--detach"]);
    program.fine(&["work", "--drain"]);
    assert_eq!((wired(&program), state(&program)), (String::new(), "cancelled".to_owned()));
    assert_eq!(program.fine(&["doctor"]).out, "nothing is wrong\n");
}

#[test]
fn a_paused_run_starts_nothing_until_it_is_resumed() {
    let program = waiting("paused");
    program.fine(&["pause", "@last", "--as", "grace", "--reason", "it is late"]);
    assert_eq!(state(&program), "paused");
    program.fine(&["signal", "@last", "verdict", "good"]);
    program.fine(&["work", "--drain"]);
    assert_eq!((wired(&program), state(&program)), (String::new(), "paused".to_owned()));
    assert_eq!(program.run(&["pause", "@last"]).code, Some(4));

    let resumed = program.fine(&["resume", "@last"]);
    assert_eq!((resumed.out.as_str(), wired(&program).as_str()), ("4\n", "good\n"), "{resumed:?}");
    let shown = program.fine(&["show", "@last"]);
    assert!(shown.out.contains(" grace: pause (it is late): done\n"), "{shown:?}");
}

#[test]
fn a_step_is_settled_by_hand() {
    let program = waiting("set");
    let wrong = program.run(&["set", "@last", "wired", "many"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.err.contains("step `transfer/wired` carries `usize`, and was given `many`"), "{wrong:?}");
    let early = program.run(&["set", "@last", "wired", "3"]);
    assert_eq!(early.code, Some(4), "{early:?}");

    program.fine(&["set", "@last", "verdict", "by hand"]);
    assert_eq!((wired(&program), state(&program)), (String::new(), "running".to_owned()));
    program.fine(&["work", "--drain"]);
    assert_eq!((wired(&program).as_str(), state(&program)), ("by hand\n", "succeeded".to_owned()));

    // The last step of a run ends it, and nobody has to work on it.
    program.fine(&["start", "transfer", "file=no/such/folder"]);
    program.fine(&["signal", "@last", "verdict", "good"]);
    program.fine(&["work", "--drain"]);
    assert_eq!(state(&program), "failed");
    let set = program.fine(&["set", "@last", "wired", "9"]);
    assert!(!set.err.contains("goes on with it"), "{set:?}");
    assert_eq!((state(&program), &program.story()["result"]), ("succeeded".to_owned(), &9.into()));
}

#[test]
fn a_run_is_made_again_or_from_a_step_on() {
    let program = waiting("again");
    program.fine(&["signal", "@last", "verdict", "good"]);
    program.fine(&["work", "--drain"]);
    let first = program.runs()[0]["id"].as_str().unwrap().to_owned();

    // The verdict is kept, and only what comes after it runs anew.
    let forked = program.fine(&["fork", "@last", "--from", "wired"]);
    assert_eq!((forked.out.as_str(), wired(&program).as_str()), ("4\n", "good\ngood\n"), "{forked:?}");
    let rerun = program.fine(&["rerun", &first, "--detach", "--reason", "once more"]);
    assert!(rerun.err.contains("program work` goes on with it\n"), "{rerun:?}");
    let story = program.story();
    assert_eq!((&story["parent"]["id"], &story["parent"]["how"]), (&first.into(), &"rerun".into()));
    assert_eq!((&story["id"], story["key"].is_null()), (&rerun.out.trim().into(), true));
    program.fine(&["signal", "@last", "verdict", "bad"]);
    program.fine(&["work", "--drain"]);
    assert_eq!(wired(&program), "good\ngood\nbad\n");
    assert_eq!(program.run(&["fork", "@last", "--from", "nothing"]).code, Some(4));
}

/// What a command would make of the steps is told, and nothing of it is done.
#[test]
fn what_would_run_again_is_told_before_it_does() {
    let program = waiting("foretold-again");
    let retry = program.run(&["retry", "@last", "--dry-run"]);
    assert_eq!(retry.code, Some(4), "{retry:?}");
    assert!(retry.err.contains("goes on by itself"), "{retry:?}");
    let set = program.fine(&["set", "@last", "verdict", "good", "--dry-run"]);
    assert!(set.out.contains("= transfer/verdict: its result is kept\n"), "{set:?}");
    assert!(set.out.contains("· transfer/wired: has no result yet, and runs\n"), "{set:?}");
    program.fine(&["cancel", "@last", "--dry-run"]);
    assert_eq!(state(&program), "waiting", "nothing was done");
    program.fine(&["signal", "@last", "verdict", "good"]);
    program.fine(&["work", "--drain"]);

    let fork = program.fine(&["fork", "@last", "--from", "wired", "--dry-run"]);
    let lines: Vec<_> = fork.out.lines().collect();
    assert!(lines.contains(&"= transfer/verdict: its result is kept"), "{fork:?}");
    let wired =
        "! transfer/wired: has finished, and runs again; it is `at_most_once`, and is done a second time";
    assert!(lines.contains(&wired), "{fork:?}");
    assert_eq!(lines.last(), Some(&"done a second time: `transfer/wired`"), "{fork:?}");
    let fork = program.fine(&["fork", "@last", "--from", "wired", "--dry-run", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&fork.out).unwrap();
    let of = |path: &str| {
        let steps = json["steps"].as_array().unwrap();
        steps.iter().find(|step| step["path"] == path).cloned().unwrap()
    };
    let kept = serde_json::json!({ "path": "transfer/verdict", "fate": "kept" });
    assert_eq!(of("transfer/verdict"), kept);
    assert_eq!(of("transfer/wired")["fate"], "again");
    assert_eq!(json["twice"], serde_json::json!(["transfer/wired"]));
    assert_eq!((program.runs().len(), self::wired(&program)), (1, "good\n".to_owned()), "nothing was done");
    let rerun = program.fine(&["rerun", "@last", "--dry-run"]);
    assert!(rerun.out.contains("! transfer/verdict: has finished, and runs again\n"), "{rerun:?}");
    assert_eq!(program.run(&["retry", "@last", "--dry-run"]).code, Some(4), "it has succeeded");
    assert_eq!(program.run(&["fork", "@last", "--from", "nothing", "--dry-run"]).code, Some(4));
    assert_eq!(program.run(&["rerun", "@last", "--dry-run", "--detach"]).code, Some(2));
    assert_eq!(program.runs().len(), 1);
}

#[test]
fn whoever_shows_a_run_sees_to_what_others_want() {
    let program = Program::own("shown");
    let run =
        program.spawn(&["run", "transfer", "file=wired"]).until("waiting for a signal transfer/verdict");
    let second = program.fine(&["start", "transfer", "file=other"]);
    program.fine(&["cancel", second.out.trim(), "--detach"]);
    let first = program.runs()[1]["id"].as_str().unwrap().to_owned();
    program.fine(&["signal", &first, "verdict", "good"]);
    let ended = run.end();
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), "4\n"), "{ended:?}");
    assert_eq!(state(&program), "cancelled");
}

/// The undo of a run waits for an hour, and an operator does not.
#[cfg(unix)]
#[test]
fn an_undo_that_waits_is_seen_tried_and_given_up() {
    let program = Program::own("undoing");
    program.fine(&["start", "trip", "seat=3"]);
    let work = program.spawn(&["work"]).until("releasing, attempt 1");
    let waits = || {
        let mut shown = String::new();
        let waits = (0..300).any(|_| {
            shown = program.fine(&["show", "@last"]).out;
            shown.contains("undoing, next attempt in ")
        });
        assert!(waits, "{shown}");
        shown
    };
    let shown = waits();
    assert!(shown.contains(": the desk is closed\n"), "{shown}");
    let json = program.story();
    assert!(json["steps"][0]["next_attempt_at"].is_string(), "{json}");
    program.fine(&["retry", "@last", "--step", "held", "--detach"]);
    let work = work.until("releasing, attempt 2");
    waits();
    let set = program.run(&["set", "@last", "held", "seat 4"]);
    assert_eq!(set.code, Some(4), "{set:?}");
    assert!(set.err.contains("it is being undone"), "{set:?}");
    assert_eq!(program.run(&["set", "@last", "boarded", "--undone"]).code, Some(4));
    program.fine(&["give-up", "@last", "held", "--as", "grace", "--reason", "they paid"]);
    assert!((0..300).any(|_| state(&program) == "failed"), "{}", state(&program));
    let shown = program.fine(&["show", "@last"]);
    assert!(shown.out.contains(" grace: give_up step=trip/held (they paid): done\n"), "{shown:?}");
    let stands = "not undone: what `trip/held` did stands: its undo failed, or was given up\n";
    assert!(shown.out.contains(stands), "{shown:?}");
    assert_eq!(program.story()["not_undone"], json!([{ "path": "trip/held", "why": "failed" }]));
    work.signal("-TERM").end();
    assert_eq!(program.fine(&["doctor"]).out, "nothing is wrong\n");
}
