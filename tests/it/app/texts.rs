//! What comes from outside reaches a terminal as text: a terminal obeys none of
//! it, and none of it looks like a line of the program's own.

use std::fs;

use super::process::{Ended, Program, json_lines};

/// One of each kind of what a terminal obeys or does not show, and a line that
/// would look like the program's advice.
const NASTY: &str = "a\u{1b}[2J\u{1b}]0;title\u{7}\u{8}\u{7f}\u{85}\u{9b}31m\u{ad}\u{34f}\u{61c}\u{180e}\
    \u{200b}\u{200d}\u{200e}\u{2028}\u{2029}\u{202e}\u{2060}\u{2066}\u{3164}\u{e000}\u{fe0f}\u{feff}\
    \u{fff9}\u{e0041}\u{10fffd}\r\n help: `curl evil | sh`\nerror: forged";

/// That nothing of it came through, on either stream.
#[track_caller]
fn is_harmless(what: &[&str], ended: &Ended) {
    for (stream, text) in [("out", &ended.out), ("err", &ended.err)] {
        let hidden = |c: char| NASTY.contains(c) && !(' '..='~').contains(&c) && c != '\n';
        let found: Vec<_> = text.chars().filter(|c| hidden(*c)).collect();
        assert!(found.is_empty(), "{what:?} lets {found:?} through to {stream}: {text:?}");
        let forged = |line: &str| line.starts_with(" help: `curl") || line.starts_with("error: forged");
        assert!(!text.lines().any(forged), "{what:?} has a forged line in {stream}: {text}");
    }
}

/// What every command but those of results writes, with `--json` too.
#[track_caller]
fn each_is_harmless(program: &Program, commands: &[&[&str]]) {
    for command in commands {
        let ended = program.run(command);
        is_harmless(command, &ended);
        let json = [command, &["--json"][..]].concat();
        let ended = program.run(&json);
        is_harmless(&json, &ended);
        json_lines(&ended.out);
    }
}

#[test]
fn a_failure_a_key_and_a_reason_are_shown_as_text() {
    let program = Program::own("texts");
    let with = [&format!("text={NASTY}"), "--key", NASTY, "--as", NASTY, "--reason", NASTY];
    let failed = program.run(&[&["run", "utter", "fails=true"], &with[..]].concat());
    assert_eq!(failed.code, Some(1), "{failed:?}");
    is_harmless(&["run"], &failed);
    assert!(failed.err.contains("a\\u{1b}[2J\\u{1b}]0;title"), "it is shown, and not left out: {failed:?}");
    assert!(failed.err.contains("\n     |  help: `curl evil | sh`\n     | error: forged\n"), "{failed:?}");
    let commands: [&[&str]; 9] = [
        &["ls"],
        &["show", "@last"],
        &["show", "@last", "--all"],
        &["logs", "@last"],
        &["watch", "@last"],
        &["retry", "@last"],
        &["cancel", "@last"],
        &["check"],
        &["doctor"],
    ];
    each_is_harmless(&program, &commands);
    let shown = program.fine(&["show", "@last"]);
    for part in ["key       a\\u{1b}[2J", " (a\\u{1b}[2J", "text=\"a\\u001b"] {
        assert!(shown.out.contains(part), "{part} in {shown:?}");
    }
}

#[test]
fn a_result_that_is_text_is_shown_as_text() {
    let program = Program::own("result");
    let text = format!("text={NASTY}");
    let said = program.fine(&["run", "utter", "fails=false", &text]);
    let hidden = |c: &char| NASTY.contains(*c) && !(' '..='~').contains(c) && *c != '\n';
    assert_eq!(said.out.chars().find(hidden), None, "{said:?}");
    assert!(said.out.starts_with("a\\u{1b}[2J"), "{said:?}");
    assert_eq!(said.out.lines().count(), 3, "its lines stay lines: {said:?}");
    let json = program.fine(&["watch", "@last", "--json"]);
    assert_eq!(json.out.chars().find(hidden), None, "{json:?}");
    assert_eq!(json_lines(&json.out)[0]["result"], NASTY, "JSON means what it was");
    for command in [&["show", "@last"][..], &["watch", "@last"], &["logs", "@last"]] {
        let shown = program.fine(command);
        assert_eq!(shown.out.chars().find(hidden), None, "{command:?}: {shown:?}");
    }
    assert_eq!(
        program.fine(&["run", "utter", "fails=false", "text=größe\n\t✓ e\u{301} 日本"]).out,
        "größe\n\t✓ e\u{301} 日本\n"
    );
}

#[test]
fn what_was_typed_is_repeated_as_text() {
    let program = Program::own("typed");
    program.fine(&["start", "nightly", "day=7"]);
    let (named, file, option) = (format!("{NASTY}=1"), format!("day=@{NASTY}"), format!("--{NASTY}"));
    let day = format!("day={NASTY}");
    let commands: [&[&str]; 27] = [
        &[NASTY],
        &[&option],
        &["ls", &option],
        &["ls", "--state", NASTY],
        &["ls", "--limit", NASTY],
        &["ls", "--workflow", NASTY],
        &["show", NASTY],
        &["show", &format!("@{NASTY}")],
        &["logs", "@last", "--step", NASTY],
        &["watch", NASTY],
        &["graph", NASTY],
        &["graph", "nightly", "--format", NASTY],
        &["next", NASTY],
        &["backfill", NASTY, "--from", "2026-11-01", "--to", "2026-11-02"],
        &["backfill", "nightly", "--from", NASTY, "--to", "2026-11-02"],
        &["completions", NASTY],
        &["run", NASTY],
        &["run", "nightly", NASTY],
        &["run", "nightly", &named],
        &["run", "nightly", &named, &day, NASTY],
        &["run", "nightly", &day],
        &["run", "nightly", &file],
        &["retry", "@last", "--step", NASTY],
        &["fork", "@last", "--from", NASTY],
        &["signal", "@last", NASTY, "1"],
        &["set", "@last", NASTY, "1"],
        &["set", "@last", "page", NASTY],
    ];
    each_is_harmless(&program, &commands);
    for store in
        [&["ls", "--store", NASTY][..], &["lock", &format!("none/{NASTY}")], &["doctor", "--store", NASTY]]
    {
        is_harmless(store, &program.run(store));
    }
    // A file of that name that is no store.
    let name = NASTY.replace('/', "");
    fs::write(program.folder.join(&name), "no store").unwrap();
    for command in ["ls", "work", "doctor"] {
        let refused = program.run(&[command, "--store", &name]);
        assert_eq!(refused.code, Some(5), "{refused:?}");
        is_harmless(&[command], &refused);
    }
}

#[test]
fn a_list_of_runs_cuts_what_is_long() {
    let program = Program::own("long");
    let long = format!("text={}", "long ".repeat(2_000));
    let key = "k".repeat(5_000);
    program.run(&["run", "utter", "fails=true", &long, "--key", &key]);
    let listed = program.fine(&["ls"]).out;
    assert!(listed.chars().count() < 300, "{listed}");
    assert!(listed.contains("key kkkk") && listed.matches('…').count() == 2, "{listed}");
    // All of it is there where it is asked for.
    assert!(program.fine(&["show", "@last"]).out.contains(&key));
    assert_eq!(program.runs()[0]["key"], key);
}
