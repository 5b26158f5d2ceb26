//! What a service manager does: SIGTERM, and a new start.
#![cfg(unix)]

use super::process::{Live, Program};

/// Its attempt is under way, and will not end.
fn is_napping(live: Live) -> Live {
    live.until("napping")
}

#[test]
fn work_ends_when_it_is_told_to_and_the_next_goes_on_at_once() {
    let program = Program::own("term-work");
    program.fine(&["start", "siesta", "file=napped"]);
    let worked = is_napping(program.spawn(&["work"])).signal("-TERM").end();
    assert_eq!(worked.code, Some(0), "{worked:?}");
    assert!(worked.err.contains("stopping: "), "{worked:?}");
    assert_eq!(program.runs()[0]["state"], "running");

    // No lease has to run out.
    program.fine(&["work", "--drain"]);
    let story = program.story();
    assert_eq!(story["result"], "awake");
    let attempts = story["steps"][0]["attempts"].as_array().unwrap();
    let outcomes: Vec<_> = attempts.iter().map(|attempt| (&attempt["number"], &attempt["outcome"])).collect();
    // What was interrupted uses up no attempt.
    assert_eq!(outcomes, [(&1.into(), &"interrupted".into()), (&1.into(), &"ok".into())]);
    assert_eq!(program.fine(&["doctor"]).out, "nothing is wrong\n");
}

#[test]
fn run_ends_when_it_is_told_to_and_says_how_to_go_on() {
    let program = Program::own("term-run");
    let ended = is_napping(program.spawn(&["run", "siesta", "file=napped"])).signal("-TERM").end();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(ended.err.contains("` goes on with it where it is\n"), "{ended:?}");
    assert_eq!(program.fine(&["resume", "@last"]).out, "awake\n");
}

/// Ctrl-c twice is at once, whatever the grace time. What ran is interrupted
/// and not lost.
#[test]
fn a_second_signal_does_not_wait() {
    let program = Program::own("term-twice");
    let live = is_napping(program.spawn(&["run", "siesta", "file=napped"]));
    let ended = live.signal("-INT").until("stopping: ").signal("-INT").end();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert_eq!(outcomes(&program), ["interrupted"]);
    assert_eq!(program.fine(&["resume", "@last"]).out, "awake\n");
}

fn outcomes(program: &Program) -> Vec<String> {
    let story = program.story();
    let attempts = story["steps"][0]["attempts"].as_array().unwrap().iter();
    attempts.map(|attempt| attempt["outcome"].as_str().unwrap().to_owned()).collect()
}

/// A terminal that is closed says so to the program, and its shell may say it
/// once more; a service manager may say it beside its `SIGTERM`.
#[test]
fn a_hangup_is_no_loss_however_often_it_comes() {
    let program = Program::own("hangup");
    program.fine(&["start", "siesta", "file=napped"]);
    for signals in [&["-HUP"][..], &["-HUP", "-HUP", "-HUP"], &["-TERM", "-HUP"], &["-QUIT"]] {
        let _ = std::fs::remove_file(program.folder.join("napped"));
        let live = is_napping(program.spawn(&["work"]));
        let ended = signals.iter().fold(live, |live, signal| live.signal(signal)).end();
        assert_eq!(ended.code, Some(0), "{signals:?}: {ended:?}");
    }
    assert_eq!(outcomes(&program), ["interrupted"; 4]);
    program.fine(&["work", "--drain"]);
    assert_eq!(program.story()["result"], "awake");
}
