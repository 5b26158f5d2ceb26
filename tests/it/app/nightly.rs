//! The example `nightly`, as its doc comment has its readers try it.

use super::example;

#[test]
fn it_is_killed_goes_on_and_is_signed_off() {
    let nightly = example("nightly", "nightly");
    let run = nightly.spawn(&["run", "nightly", "day=2026-11-20", "pace=40"]);
    let mut run = run.until("the till of Lyon is busy").until("succeeded nightly/takings[0]/taken");
    run.child.kill().unwrap();
    let killed = run.end();
    assert_eq!(killed.code, None, "{killed:?}");

    let resumed = nightly.spawn(&["resume", "@last"]).until("waiting for a signal");
    nightly.fine(&["signal", "@last", "review", "approved"]);
    let ended = resumed.end();
    let report = "2026-11-20: 9495 €, the most of it in Porto";
    assert_eq!(ended.out, format!("{report} (target/takings-2026-11-20.txt)\n"), "{ended:?}");
    assert_eq!(
        std::fs::read_to_string(nightly.folder.join("target/takings-2026-11-20.txt")).unwrap(),
        report
    );
    assert!(!ended.err.contains("takings[0]"), "what was fetched is not fetched again: {ended:?}");
    assert_eq!(nightly.runs().len(), 1);
    assert_eq!(nightly.fine(&["doctor"]).out, "nothing is wrong\n");
}

#[test]
fn it_runs_by_itself() {
    let nightly = example("nightly", "nightly-schedule");
    assert!(nightly.fine(&["next"]).out.starts_with("nightly  0 2 * * * (Europe/Berlin)\n"));
    let range = ["backfill", "nightly", "--from", "2026-11-01", "--to", "2026-11-04", "--dry-run"];
    assert_eq!(nightly.fine(&range).out.lines().count(), 3);
}
