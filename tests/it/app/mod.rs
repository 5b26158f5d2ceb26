//! A program that is its own command line, as its users and their scripts
//! meet it: run as a process. Here, the example `shop`; in the modules, the
//! program of these tests.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Once;

#[cfg(unix)]
mod bounds;
mod changed;
mod clocks;
mod encrypted;
#[cfg(target_os = "linux")]
mod faults;
mod lost;
mod nightly;
mod numbers;
mod operators;
pub mod process;
mod stopping;
mod suspected;
mod texts;
mod together;

use process::{Ended, Program, json_lines};

/// An example with a store of its own.
fn example(example: &str, name: &str) -> Program {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let build =
            ["build", "--quiet", "--package", "examples", "--example", "shop", "--example", "nightly"];
        assert!(Command::new(env!("CARGO")).args(build).status().unwrap().success());
    });
    // The program itself and not cargo, so that a kill meets it.
    Program::new(Path::new(env!("CARGO_TARGET_TMPDIR")).join("../debug/examples").join(example), name)
}

fn shop(name: &str) -> Program {
    let shop = example("shop", name);
    fs::write(shop.folder.join("five"), "1\n2\n3\n4\n5\n").unwrap();
    shop
}

#[test]
fn a_run_is_started_shown_and_told() {
    let shop = shop("run");
    let ended = shop.run(&["run", "takings", "file=five", "pace=0"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), "15\n"), "{ended:?}");
    assert!(ended.err.contains("succeeded takings/amounts[4]/amount "), "{ended:?}");
    assert!(!ended.err.contains('\x1b'), "neither stream is a terminal: {ended:?}");

    let json = shop.run(&["run", "takings", "file=five", "pace=0", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(document["state"], "succeeded");
    assert_eq!(document["result"], 15);
    assert_eq!(document["id"], shop.runs()[0]["id"]);
}

#[test]
fn a_run_that_was_killed_goes_on_where_it_was() {
    let shop = shop("killed");
    let mut live = shop.spawn(&["run", "takings", "file=five", "pace=50"]).until("amounts[1]/amount");
    live.child.kill().unwrap();
    let killed = live.end();
    assert_eq!(killed.code, None);
    assert_eq!(shop.runs()[0]["ended_at"], serde_json::Value::Null);
    // Two at a time: those that have not been opened count too.
    let shown = shop.fine(&["show", "@last"]).out;
    assert!(shown.contains(" of 5 done"), "{shown}");

    let resumed = shop.run(&["resume", "@last"]);
    assert_eq!((resumed.code, resumed.out.as_str()), (Some(0), "15\n"), "{resumed:?}");
    let finished = |ended: &Ended| -> Vec<String> {
        let steps = ended.err.lines().filter_map(|line| line.strip_prefix("succeeded "));
        steps.map(|step| step.split(' ').next().unwrap().to_owned()).collect()
    };
    let before = finished(&killed);
    assert!(before.iter().any(|step| step == "takings/lines"), "{killed:?}");
    assert!(finished(&resumed).iter().all(|step| !before.contains(step)), "{killed:?} {resumed:?}");
    assert_eq!(shop.runs().len(), 1);
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_a_run_for_the_next_process() {
    let shop = shop("interrupted");
    let live = shop.spawn(&["run", "payment", "amount=7", "to=Ada"]).until("waiting for a signal");
    let ended = live.signal("-INT").end();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let id = shop.runs()[0]["id"].as_str().unwrap().to_owned();
    let command = format!("shop resume {id}` goes on with it where it is\n");
    assert!(ended.err.ends_with(&command), "{ended:?}");

    let resumed = shop.spawn(&["resume", &id]).until("run ").signal("-TERM").end();
    assert_eq!(resumed.code, Some(130), "{resumed:?}");
}

#[test]
fn a_run_that_fails_says_what_to_do() {
    let shop = shop("failed");
    let ended = shop.run(&["run", "takings", "file=none"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""));
    let id = shop.runs()[0]["id"].as_str().unwrap().to_owned();
    assert!(ended.err.contains("error: run of `takings` failed: step `takings/lines` failed: "), "{ended:?}");
    assert!(ended.err.contains(&format!("shop retry {id}` goes on from what failed\n")), "{ended:?}");
}

#[test]
fn one_key_is_one_run() {
    let shop = shop("key");
    let start = ["run", "takings", "file=five", "pace=0", "--key", "today"];
    assert_eq!(shop.run(&start).out, "15\n");
    assert_eq!(shop.run(&start).out, "15\n");
    assert_eq!(shop.runs().len(), 1);
    let other = shop.run(&["run", "takings", "file=other", "--key", "today"]);
    assert_eq!(other.code, Some(4), "{other:?}");
    assert!(other.err.starts_with("error: run key `today` belongs to "), "{other:?}");
}

#[test]
fn who_started_a_run_and_why_is_kept() {
    let shop = shop("started");
    let by = ["--as", "grace", "--reason", "the books are due"];
    for command in ["run", "start"] {
        shop.fine(&[&[command, "takings", "file=five", "pace=0", "--key", command], &by[..]].concat());
        let story = shop.story();
        let asked = &story["requests"].as_array().unwrap()[0];
        assert_eq!(
            (&asked["actor"], &asked["reason"], &asked["made"]),
            (&"grace".into(), &"the books are due".into(), &story["id"]),
            "{command}: {story}"
        );
        assert_eq!(asked["operation"]["start"]["params"]["file"], "five");
    }
    let shown = shop.fine(&["show", "@last"]).out;
    assert!(shown.contains(" grace: start "), "{shown}");
    // The same key is the same run, and whoever wanted it again is noted too.
    shop.fine(&["run", "takings", "file=five", "pace=0", "--key", "run"]);
    let first = shop.runs()[1]["id"].as_str().unwrap().to_owned();
    let again: serde_json::Value = serde_json::from_str(&shop.fine(&["show", &first, "--json"]).out).unwrap();
    assert_eq!(again["requests"].as_array().unwrap().len(), 2, "{again}");
}

#[test]
fn started_runs_wait_for_somebody_who_works() {
    let shop = shop("work");
    let started = shop.run(&["start", "takings", "file=five", "pace=0"]);
    assert_eq!(started.code, Some(0), "{started:?}");
    let id = started.out.trim();
    assert_eq!((shop.runs()[0]["id"].as_str(), shop.runs()[0]["state"].as_str()), (Some(id), Some("queued")));
    let worked = shop.run(&["work", "--drain"]);
    assert_eq!(worked.code, Some(0), "{worked:?}");
    assert_eq!(shop.runs()[0]["state"], "succeeded");
}

#[test]
fn work_tells_of_every_run() {
    let shop = shop("every");
    let ids: Vec<_> = (0..3)
        .map(|_| shop.fine(&["start", "takings", "file=five", "pace=0"]).out.trim().to_owned())
        .collect();
    shop.fine(&["start", "takings", "file=none"]);
    let worked = shop.fine(&["work", "--drain", "--json"]);
    let events = json_lines(&worked.out);
    for id in &ids {
        let of_one: Vec<_> =
            events.iter().filter(|event| event["id"] == **id).map(|event| &event["event"]).collect();
        assert_eq!(of_one, ["began", "succeeded"], "{worked:?}");
    }
    // However short they were.
    assert_eq!(events.iter().filter(|event| event["event"] == "failed").count(), 1, "{worked:?}");
    assert_eq!(events.len(), 8, "{worked:?}");
}

/// The table in the documentation of `workflow_runtime::app`.
#[test]
fn every_command_writes_the_json_that_is_documented() {
    let docs = include_str!("../../../workflow-runtime/src/app/mod.rs");
    let (_, table) = docs.split_once("# JSON").unwrap();
    let row = |command: &str| {
        let row = table.lines().find(|row| row.starts_with(&format!("//! | `{command}`")));
        let fields = row.unwrap_or_else(|| panic!("no row of `{command}`")).rsplit(" | ").next().unwrap();
        let fields = fields.split('`').skip(1).step_by(2).map(str::to_owned);
        fields.filter(|field| !field.contains("::")).collect::<Vec<_>>()
    };
    let shop = shop("json");
    let lines = |args: &[&str]| {
        let ended = shop.fine(&[args, &["--json"]].concat());
        let lines = json_lines(&ended.out);
        assert!(!lines.is_empty(), "{args:?}: {ended:?}");
        lines
    };
    let check = |documented: &str, args: &[&str]| {
        for line in lines(args) {
            let fields: Vec<_> = line.as_object().unwrap().keys().cloned().collect();
            let missing: Vec<_> =
                row(documented).into_iter().filter(|field| !fields.contains(field)).collect();
            assert!(missing.is_empty(), "{args:?} has no {missing:?}: {line}");
        }
    };
    check("run", &["run", "takings", "file=five", "pace=0"]);
    check("run", &["watch", "@last"]);
    check("run", &["rerun", "@last"]);
    check("logs", &["logs", "@last"]);
    check("pause", &["rerun", "@last", "--detach"]);
    check("start", &["start", "payment", "amount=1", "to=Ada"]);
    check("pause", &["pause", "@last"]);
    check("pause", &["signal", "@last", "review", "refused"]);
    check("check", &["check"]);
    check("run", &["cancel", "@last"]);
    check("work", &["work", "--drain"]);
    check("ls", &["ls"]);
    check("ls", &["show", "@last"]);
    check("show", &["show", "@last"]);
    check("next", &["next"]);
    check("backfill", &["backfill", "stocktaking", "--from", "2026-11-01", "--to", "2026-11-03"]);
    check("lock", &["lock"]);
    check("doctor", &["doctor"]);
    check("completions", &["completions", "bash"]);
    for format in ["mermaid", "json"] {
        assert_eq!(lines(&["graph", "takings", "--format", format]).len(), 1);
    }
}

/// Sourced by a real bash, which is then asked as the tab key asks it.
#[cfg(unix)]
#[test]
fn bash_completes_commands_workflows_and_runs() {
    let shop = shop("completions");
    let script = r#"
        source <("$SHOP" completions bash)
        tab() {
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
            _shop shop "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            echo "${COMPREPLY[*]}"
        }
        tab shop re
        tab shop run tak
        tab shop show @
        tab shop graph takings --format m
    "#;
    let output = Command::new("bash")
        .args(["-ec", script])
        .env("SHOP", shop.command(&[]).get_program())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines, ["resume retry rerun", "takings", "@last @failed", "mermaid"], "{output:?}");
}

#[test]
fn runs_are_found_by_as_much_of_an_id_as_it_takes() {
    let shop = shop("ids");
    let missing = shop.run(&["show", "@last"]);
    assert_eq!(missing.code, Some(3), "{missing:?}");
    assert!(missing.err.starts_with("error: there is no store at `runs.db`\n help: "), "{missing:?}");
    for _ in 0..2 {
        assert_eq!(shop.run(&["start", "payment", "amount=1", "to=Ada"]).code, Some(0));
    }
    let runs = shop.runs();
    let ids: Vec<_> = runs.iter().map(|run| run["id"].as_str().unwrap()).collect();
    // They began within the same minute, and ids begin with the time.
    let several = shop.run(&["show", &ids[0][..4]]);
    assert_eq!(several.code, Some(3));
    assert!(ids.iter().all(|id| several.err.contains(id)), "{several:?}");
    let none = shop.run(&["cancel", "ffff", "--json"]);
    assert_eq!(none.code, Some(3));
    let error: serde_json::Value = serde_json::from_str(&none.err).unwrap();
    assert_eq!(error["code"], 3);
    assert_eq!(shop.run(&["show", ids[1]]).code, Some(0));
    assert_eq!(shop.run(&["show", "@failed"]).code, Some(3));
}

#[test]
fn mistakes_on_the_command_line_are_explained() {
    let shop = shop("mistakes");
    let params = shop.run(&["run", "takings", "fil=five", "pace=fast"]);
    assert_eq!(params.code, Some(2));
    for part in [
        "there is no parameter `fil`; a similar one exists: `file`",
        "parameter `file` (String) is missing",
        "parameter `pace` takes `Option<u64>`, and was given `fast`: ",
        " help: usage: takings file=<String> [pace=<Option<u64>>]\n",
    ] {
        assert!(params.err.contains(part), "{part} in {params:?}");
    }
    let workflow = shop.run(&["run", "taking"]);
    assert_eq!(workflow.code, Some(3));
    assert_eq!(
        workflow.err,
        "error: there is no workflow `taking`\n help: a similar name exists: `takings`\n"
    );
    assert_eq!(shop.run(&["walk"]).code, Some(2));
    assert_eq!(shop.run(&["ls", "--state", "runing"]).code, Some(2));
    assert!(!shop.folder.join("runs.db").exists(), "a mistake makes no store");

    fs::write(shop.folder.join("runs.db"), "not a database").unwrap();
    let store = shop.run(&["ls"]);
    assert_eq!(store.code, Some(5), "{store:?}");
}

#[test]
fn what_was_printed_may_be_read_in_part() {
    let shop = shop("pipe");
    let mut child = shop.command(&["graph", "takings"]).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn what_needs_no_store_makes_none() {
    let shop = shop("storeless");
    let help = shop.run(&["run", "--help"]);
    assert_eq!(help.code, Some(0));
    assert!(help.out.contains("payment amount=<u64> to=<String>"), "{help:?}");
    assert!(shop.run(&["graph", "payment", "--format", "dot"]).out.contains("signal review"));
    assert!(shop.run(&["completions", "bash"]).out.contains("shop"));
    assert!(!shop.folder.join("runs.db").exists());
}

#[test]
fn a_failed_run_is_retried_and_its_story_told() {
    let shop = shop("retried");
    assert_eq!(shop.run(&["run", "takings", "file=late", "pace=0"]).code, Some(1));
    fs::write(shop.folder.join("late"), "4\n5\n").unwrap();
    let retried = shop.run(&["retry", "@failed", "--reason", "the file is there"]);
    assert_eq!((retried.code, retried.out.as_str()), (Some(0), "9\n"), "{retried:?}");

    let story: serde_json::Value = serde_json::from_str(&shop.run(&["show", "@last", "--json"]).out).unwrap();
    assert_eq!(story["params"], serde_json::json!({ "file": "late", "pace": 0 }));
    let outcomes: Vec<_> =
        story["steps"][0]["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["outcome"]).collect();
    assert_eq!(outcomes, ["error", "ok"]);
    assert_eq!(story["lives"][1]["why"], "retried");
    assert_eq!(
        (&story["requests"][1]["actor"], &story["requests"][1]["reason"]),
        (&serde_json::json!("ada"), &serde_json::json!("the file is there"))
    );
    let shown = shop.run(&["show", "@last"]);
    for part in [
        "state     succeeded\n",
        "with      file=\"late\"\n",
        "✓ amounts  2 items, ",
        " ada: retry (the file is there): done\n",
    ] {
        assert!(shown.out.contains(part), "{part} in {}", shown.out);
    }
    // A run that has succeeded has nothing to retry.
    assert_eq!(shop.run(&["retry", "@last"]).code, Some(4));

    let forked = shop.run(&["fork", "@last", "--from", "sum"]);
    assert_eq!((forked.code, forked.out.as_str()), (Some(0), "9\n"), "{forked:?}");
    assert_eq!(shop.runs()[0]["parent"]["how"], "fork");
    assert!(!forked.err.contains("amount "), "what is before the step is kept: {forked:?}");
}

#[cfg(unix)]
#[test]
fn the_process_that_owns_the_store_sees_to_what_others_want() {
    let shop = shop("owned");
    let work = shop.spawn(&["work"]).until("working on ");
    let ran = shop.run(&["run", "takings", "file=five", "pace=0"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "15\n"), "{ran:?}");

    let started = shop.run(&["start", "payment", "amount=3", "to=Ada"]);
    assert_eq!(started.code, Some(0), "{started:?}");
    let watch = shop.spawn(&["watch", started.out.trim()]).until("waiting for a signal payment/verdict");
    let wrong = shop.run(&["signal", "@last", "review", "aproved"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.err.contains("expected `approved` or `refused`"), "{wrong:?}");
    let signal = shop.run(&["signal", "@last", "review", "approved"]);
    assert_eq!((signal.code, &signal.out), (Some(0), &started.out), "{signal:?}");
    let watched = watch.end();
    assert_eq!((watched.code, watched.out.as_str()), (Some(0), "Ada gets 3 €\n"), "{watched:?}");

    let refused = shop.run(&["signal", "@last", "review", "approved"]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    // The doctor does not take the store from it, and says what was left out.
    let doctor = shop.fine(&["doctor"]);
    assert!(doctor.err.contains("owned by process ") && doctor.err.contains("was left out"), "{doctor:?}");
    assert_eq!(work.signal("-TERM").end().code, Some(0));
}

#[test]
fn an_operator_stops_pauses_and_settles_a_run() {
    let shop = shop("operator");
    for _ in 0..2 {
        assert_eq!(shop.run(&["start", "payment", "amount=3", "to=Ada"]).code, Some(0));
    }
    let cancelled = shop.run(&["cancel", "@last"]);
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    assert_eq!(shop.runs()[0]["state"], "cancelled");

    let other = shop.runs()[1]["id"].as_str().unwrap().to_owned();
    assert_eq!(shop.run(&["pause", &other]).code, Some(0));
    assert!(shop.run(&["show", &other]).out.contains("state     paused\n"));
    let set = shop.run(&["set", &other, "verdict", "refused", "--as", "grace"]);
    assert_eq!(set.code, Some(0), "{set:?}");
    assert!(shop.run(&["show", &other]).out.contains(" grace: set "));
    let resumed = shop.run(&["resume", &other]);
    assert_eq!(resumed.code, Some(1), "{resumed:?}");
    assert!(resumed.err.contains("the payment to Ada was refused"), "{resumed:?}");
}

#[test]
fn a_store_is_checked() {
    let shop = shop("checked");
    assert_eq!(shop.run(&["start", "payment", "amount=3", "to=Ada"]).code, Some(0));
    assert_eq!(shop.run(&["check"]).code, Some(0));
    assert_eq!(shop.run(&["doctor"]).code, Some(0));
    let database = rusqlite::Connection::open(shop.folder.join("runs.db")).unwrap();
    database.execute("UPDATE runs SET workflow = 'pay', params = '3'", []).unwrap();
    drop(database);
    let check = shop.run(&["check"]);
    assert_eq!(check.code, Some(4));
    assert!(check.out.contains("  this program has no workflow `pay`, so "), "{check:?}");
    let doctor = shop.run(&["doctor"]);
    assert_eq!(doctor.code, Some(5), "{doctor:?}");
    assert!(doctor.out.contains("is one of workflow `payment`"), "{doctor:?}");
    let document: serde_json::Value = serde_json::from_str(&shop.run(&["doctor", "--json"]).out).unwrap();
    assert_eq!((&document["healthy"], &document["damage"]), (&false.into(), &serde_json::json!([])));
    assert_eq!(document["findings"][0]["problem"], "blueprint");
}

#[test]
fn what_workflows_mean_is_locked() {
    let shop = shop("locked");
    let missing = shop.run(&["lock", "--check"]);
    assert_eq!(missing.code, Some(3), "{missing:?}");
    assert!(missing.err.contains("shop lock workflows.lock` writes it\n"), "{missing:?}");
    let written = shop.run(&["lock"]);
    assert_eq!((written.code, shop.run(&["lock", "--check"]).code), (Some(0), Some(0)), "{written:?}");

    let file = shop.folder.join("workflows.lock");
    let text = fs::read_to_string(&file).unwrap();
    let changed = text.replace("\"pay\"", "\"paid\"");
    assert_ne!(changed, text);
    fs::write(&file, changed).unwrap();
    let check = shop.run(&["lock", "--check"]);
    assert_eq!(check.code, Some(4), "{check:?}");
    for part in ["~ payment/receipt: calls `pay` instead of `paid`", "a run in flight is blocked if"] {
        assert!(check.err.contains(part), "{part} in {check:?}");
    }
    assert_eq!(shop.run(&["lock"]).code, Some(0));
    assert_eq!(fs::read_to_string(&file).unwrap(), text);

    // What is no lock file is not overwritten.
    let other = shop.run(&["lock", "five"]);
    assert_eq!(other.code, Some(4), "{other:?}");
    assert_eq!(fs::read_to_string(shop.folder.join("five")).unwrap(), "1\n2\n3\n4\n5\n");
}

#[test]
fn schedules_are_told_and_made_up_for() {
    let shop = shop("schedules");
    let next: serde_json::Value = serde_json::from_str(&shop.run(&["next", "--json"]).out).unwrap();
    assert_eq!((&next["workflow"], next["times"].as_array().unwrap().len()), (&"stocktaking".into(), 5));
    assert_eq!(shop.run(&["next", "payment"]).code, Some(3));

    let range = ["backfill", "stocktaking", "--from", "2026-10-25", "--to", "2026-10-27"];
    let dry = shop.run(&[&range[..], &["--dry-run"]].concat());
    // The night on which clocks go back.
    assert_eq!(
        dry.out,
        "Sun 2026-10-25 02:00:00 +02:00  would be started\nMon 2026-10-26 02:00:00 +01:00  would be started\n"
    );
    assert!(!shop.folder.join("runs.db").exists());
    for new in [2, 0] {
        let filled = shop.run(&range);
        assert!(
            filled.err.starts_with(&format!("{new} runs created, {} there already\n", 2 - new)),
            "{filled:?}"
        );
    }
    assert_eq!(shop.run(&["work", "--drain"]).code, Some(0));
    let runs = shop.runs();
    assert_eq!(runs[0]["key"], "schedule/stocktaking/2026-10-26T01:00:00Z");
    assert!(runs.iter().all(|run| run["state"] == "succeeded"), "{runs:?}");
}

#[test]
fn what_attempts_said_is_shown() {
    let shop = shop("logs");
    assert_eq!(shop.run(&["run", "takings", "file=five", "pace=0"]).code, Some(0));
    let all = shop.run(&["logs", "@last"]);
    assert_eq!(all.code, Some(0), "{all:?}");
    assert_eq!(all.out.lines().count(), 5, "{all:?}");
    let one = shop.run(&["logs", "@last", "--step", "amounts[2]", "--attempt", "1"]);
    assert!(one.out.ends_with(" INFO  takings/amounts[2]/amount#1 shop: an amount line=\"3\"\n"), "{one:?}");
    assert_eq!(one.out.lines().count(), 1, "{one:?}");
    let json = shop.run(&["logs", "@last", "--step", "takings/amounts[0]/amount", "--json"]);
    let line: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        (&line["path"], &line["attempt"], &line["level"], &line["line"]),
        (
            &serde_json::json!("takings/amounts[0]/amount"),
            &serde_json::json!(1),
            &serde_json::json!("info"),
            &serde_json::json!("shop: an amount line=\"1\"")
        )
    );
    let none = shop.run(&["logs", "@last", "--step", "amounts[2]", "--attempt", "2"]);
    assert_eq!((none.code, none.out.as_str()), (Some(0), ""));
    assert!(none.err.starts_with("no lines; "), "{none:?}");
    assert_eq!(shop.run(&["logs", "ffff"]).code, Some(3));
}

#[test]
fn what_a_transaction_said_is_shown() {
    let program = Program::own("diary");
    program.fine(&["run", "diary", "text=dear"]);
    let said = program.fine(&["logs", "@last"]).out;
    assert!(said.ends_with("diary/entered#1 program: entering text=\"dear\"\n"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn what_attempts_say_is_followed_until_the_run_ends() {
    let shop = shop("followed");
    let live = shop.spawn(&["run", "takings", "file=five", "pace=100"]).until("takings/lines");
    let followed = shop.run(&["logs", "@last", "--follow"]);
    assert_eq!(followed.code, Some(0), "{followed:?}");
    assert_eq!(followed.out.lines().count(), 5, "{followed:?}");
    assert_eq!(live.end().code, Some(0));
}
