//! A program that has changed since its runs began: `check` says what will
//! become of them, and an operator decides.

use super::process::{Program, json_lines};

/// Monday's program with a run that waits for its verdict.
fn monday(name: &str) -> Program {
    let monday = Program::own(name);
    monday.fine(&["start", "nightly", "day=7", "--key", "seven"]);
    monday.fine(&["work", "--drain"]);
    assert_eq!(monday.runs()[0]["state"], "waiting");
    monday
}

/// The program of another day, on the same store.
fn on(program: &Program, day: &str) -> Program {
    program.with("PROGRAM_DAY", day)
}

#[test]
fn check_says_what_will_become_of_runs() {
    let monday = monday("check");
    let same = monday.fine(&["check"]);
    assert!(same.out.ends_with(" nightly goes on\n"), "{same:?}");
    assert_eq!(same.err, "1 run unfinished, 0 would be blocked\n");

    let more = on(&monday, "tuesday").fine(&["check"]);
    assert!(more.out.contains(" nightly goes on under the new graph\n"), "{more:?}");
    assert!(more.out.contains("  + nightly/length: is new\n"), "{more:?}");

    let other = on(&monday, "wednesday").run(&["check"]);
    assert_eq!(other.code, Some(4), "{other:?}");
    for part in [
        " nightly blocked\n",
        "  ~ nightly/text: calls `parse` version 2 instead of 1\n",
        "  its workflow has changed: step `nightly/text` has finished",
        "`adopt`",
        "`rerun`",
        "`cancel`",
    ] {
        assert!(other.out.contains(part), "{part} in {other:?}");
    }
    let json = json_lines(&on(&monday, "wednesday").run(&["check", "--json"]).out).remove(0);
    assert_eq!((&json["outlook"], &json["id"]), (&"blocked".into(), &monday.runs()[0]["id"]));
    assert_eq!(json["changes"].as_array().unwrap().len(), 2, "{json}");

    // Looking changes nothing.
    assert_eq!(monday.runs()[0]["state"], "waiting");
}

#[test]
fn check_says_once_what_is_so_of_many_runs() {
    let monday = monday("many");
    for day in ["day=8", "day=9"] {
        monday.fine(&["start", "nightly", day]);
    }
    monday.fine(&["work", "--drain"]);
    // This one has nothing to lose.
    monday.fine(&["start", "nightly", "day=10"]);
    let check = on(&monday, "wednesday").run(&["check"]);
    let runs = monday.runs();
    let told = |run: usize, words: &str| format!("{} nightly {words}\n", runs[run]["id"].as_str().unwrap());
    let blocked: String = [3, 2, 1].map(|run| told(run, "blocked")).concat();
    let begins = told(0, "goes on under the new graph")
        + "  ~ nightly/text: calls `parse` version 2 instead of 1\n  ~ nightly/";
    assert!(check.out.starts_with(&begins), "{check:?}");
    assert!(check.out.contains(&(blocked + "  ~ nightly/text: calls ")), "{check:?}");
    assert_eq!(check.out.matches("  its workflow has changed: step ").count(), 1, "{check:?}");
    assert!(check.out.contains("\n  `adopt` goes on and keeps "), "{check:?}");
    assert_eq!(check.err.lines().next(), Some("4 runs unfinished, 3 would be blocked"));
    let json = json_lines(&on(&monday, "wednesday").run(&["check", "--json"]).out);
    let outlooks: Vec<_> = json.iter().map(|run| run["outlook"].as_str().unwrap()).collect();
    assert_eq!(outlooks, ["blocked", "blocked", "blocked", "changes"], "a run a line, the oldest first");
}

#[test]
fn check_reads_values_as_an_engine_would() {
    let monday = monday("values");
    let strict = monday.with("PROGRAM_STRICT", "1");
    let check = strict.run(&["check"]);
    assert_eq!(check.code, Some(4), "{check:?}");
    for part in [" nightly blocked\n", "nightly/page", "pages are written otherwise now"] {
        assert!(check.out.contains(part), "{part} in {check:?}");
    }
    // The engine agrees, once somebody wakes the run.
    let signal = strict.run(&["signal", "@last", "verdict", "good"]);
    assert_eq!(signal.code, Some(4), "{signal:?}");
    assert!(signal.err.contains("pages are written otherwise now"), "{signal:?}");
    assert_eq!(monday.runs()[0]["state"], "blocked");
    assert_eq!(monday.fine(&["check"]).err, "1 run unfinished, 0 would be blocked\n");
}

#[test]
fn a_run_goes_on_under_the_new_graph() {
    let monday = monday("goes-on");
    let tuesday = on(&monday, "tuesday");
    tuesday.fine(&["signal", "@last", "verdict", "good"]);
    let worked = tuesday.fine(&["work", "--drain"]);
    assert_eq!(monday.story()["result"], "page 7 parsed (13): good", "{worked:?}");
}

#[test]
fn a_blocked_run_is_adopted() {
    let monday = monday("adopted");
    let wednesday = on(&monday, "wednesday");
    // It sleeps, and nobody notices before it is woken.
    wednesday.fine(&["work", "--drain"]);
    let signal = wednesday.run(&["signal", "@last", "verdict", "good"]);
    assert_eq!(signal.code, Some(4), "{signal:?}");
    assert!(signal.err.contains("step `nightly/text` has finished"), "{signal:?}");
    assert_eq!(monday.runs()[0]["state"], "blocked");
    let shown = wednesday.fine(&["show", "@last"]);
    assert!(shown.err.contains("program adopt "), "{shown:?}");

    wednesday.fine(&["adopt", "@last", "--detach", "--reason", "the old text will do"]);
    assert_eq!(monday.runs()[0]["state"], "waiting");
    wednesday.fine(&["signal", "@last", "verdict", "good"]);
    wednesday.fine(&["work", "--drain"]);
    let story = wednesday.story();
    assert_eq!((&story["state"], &story["result"]), (&"succeeded".into(), &"page 7 parsed: good".into()));
    assert_eq!(story["lives"][1]["why"], "adopted");
}

#[test]
fn a_blocked_run_is_made_anew_or_cancelled() {
    let monday = monday("anew");
    let wednesday = on(&monday, "wednesday");
    wednesday.fine(&["rerun", "@last", "--detach"]);
    wednesday.fine(&["signal", "@last", "verdict", "good"]);
    wednesday.fine(&["work", "--drain"]);
    let story = wednesday.story();
    assert_eq!(story["result"], "page 7 parsed better: good");
    assert_eq!(story["parent"]["how"], "rerun");

    let old = monday.runs()[1]["id"].as_str().unwrap().to_owned();
    let cancelled = wednesday.fine(&["cancel", &old]);
    assert!(cancelled.err.contains("nightly was cancelled"), "{cancelled:?}");
    assert_eq!(monday.runs()[1]["state"], "cancelled");
    assert_eq!(wednesday.fine(&["check"]).err, "0 runs unfinished, 0 would be blocked\n");
    assert_eq!(wednesday.fine(&["doctor"]).out, "nothing is wrong\n");
}

/// What is kept and what runs is said before anything is done.
#[test]
fn an_adoption_says_first_what_it_keeps() {
    let monday = monday("foretold");
    let thursday = on(&monday, "thursday");
    let foretold = [
        "= nightly/page: its result is kept",
        "+ nightly/size: is new, and runs",
        "= nightly/text: its result is kept",
        "· nightly/verdict: has no result yet, and runs",
        "· nightly/published: has no result yet, and runs",
    ];
    let dry = thursday.fine(&["adopt", "@last", "--dry-run"]);
    assert_eq!(dry.out.lines().collect::<Vec<_>>(), foretold, "{dry:?}");
    let json = &json_lines(&thursday.fine(&["adopt", "@last", "--dry-run", "--json"]).out)[0];
    assert_eq!(json["steps"][2], serde_json::json!({ "path": "nightly/text", "fate": "kept" }));
    assert_eq!(monday.runs()[0]["state"], "waiting", "nothing was done");

    let again = thursday.fine(&["adopt", "@last", "--dry-run", "--again", "text"]);
    assert!(again.out.contains("! nightly/text: has finished, and runs again\n"), "{again:?}");
    let none = thursday.run(&["adopt", "@last", "--again", "verdict", "--dry-run"]);
    assert_eq!(none.code, Some(4), "{none:?}");
    assert!(none.err.contains("nothing is left of `nightly/verdict`"), "{none:?}");
    assert_eq!(thursday.run(&["adopt", "@last", "--even-if-done"]).code, Some(2));
    let goes_on = monday.run(&["adopt", "@last", "--dry-run"]);
    assert_eq!(goes_on.code, Some(4), "{goes_on:?}");

    let adopted = thursday.fine(&["adopt", "@last", "--detach"]);
    foretold.iter().for_each(|line| assert!(adopted.err.contains(line), "{line} in {adopted:?}"));
    thursday.fine(&["signal", "@last", "verdict", "good"]);
    thursday.fine(&["work", "--drain"]);
    assert_eq!(thursday.story()["result"], "page 7 parsed (6): good");
}

/// `check`, `show`, `work` and the refusal of a command say the same.
#[test]
fn why_a_run_is_blocked_is_said_alike_everywhere() {
    let monday = monday("alike");
    let thursday = on(&monday, "thursday");
    let check = thursday.run(&["check"]);
    let why: Vec<&str> = check.out.lines().skip(1).map(str::trim).collect();
    for part in ["~ nightly/text: needs `size` too", "`adopt` goes on and keeps", "`rerun`", "`cancel`"] {
        assert!(check.out.contains(part), "{part} in {check:?}");
    }
    // Before anybody has noticed, and then.
    for blocked in ["this program would not go on with it:", "it is blocked:"] {
        let shown = thursday.fine(&["show", "@last"]);
        assert!(shown.out.contains(blocked), "{shown:?}");
        why.iter().for_each(|line| assert!(shown.out.contains(line), "{line} in {shown:?}"));
        assert!(shown.err.contains(" adopt ") && !shown.err.contains(" resume "), "{shown:?}");
        let signal = thursday.run(&["signal", "@last", "verdict", "good"]);
        assert!(signal.err.contains("`adopt` goes on and keeps"), "{signal:?}");
    }
    assert!(thursday.fine(&["ls"]).err.contains(" show "));
    let worked = thursday.fine(&["work", "--drain"]);
    assert!(worked.out.contains("`adopt` goes on and keeps"), "{worked:?}");
    let story = thursday.story();
    assert!(story["blocked"].as_str().unwrap().contains("`nightly/text` has finished"), "{story}");
    // The program that started it goes on with it.
    let shown = monday.fine(&["show", "@last"]);
    assert!(shown.err.contains(" resume ") && !shown.err.contains(" adopt "), "{shown:?}");
}
