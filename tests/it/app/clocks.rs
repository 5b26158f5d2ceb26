//! Times on the command line: what `backfill`, `next` and `work --drain` make
//! of them.

use super::process::Program;

fn program(name: &str) -> Program {
    Program::own(name).with("PROGRAM_DAY", "clocks")
}

/// The mark of the schedule, moved by so many seconds.
fn set_mark(program: &Program, seconds: i64) {
    let store = rusqlite::Connection::open(program.folder.join("runs.db")).unwrap();
    let moved = store.execute("UPDATE schedules SET mark = mark + ?1", [seconds * 1_000_000_000]);
    assert_eq!(moved.unwrap(), 1);
}

#[test]
fn drain_waits_for_a_retry_that_is_due_soon() {
    let program = program("drain-retry");
    program.fine(&["start", "again"]);
    program.fine(&["work", "--drain"]);
    assert_eq!(program.runs()[0]["state"], "succeeded");
}

#[test]
fn a_backfill_runs_one_at_a_time_and_names_what_it_refuses() {
    let program = program("backfill-hours");
    let range = ["backfill", "hourly", "--from", "2026-11-01T07:00Z", "--to", "2026-11-01T12:00Z"];
    for (dry, word) in [(true, "would be started"), (false, "created")] {
        let filled = program.run(&[&range[..], if dry { &["--dry-run"] } else { &[] }].concat());
        assert_eq!(filled.code, Some(4), "{filled:?}");
        let lines: Vec<_> = filled.out.lines().collect();
        assert!(lines.len() == 5 && lines[0].contains(word), "{filled:?}");
        let refused = "Sun 2026-11-01 09:00:00 +00:00  refused: its parameters cannot be filled: panicked: nothing is done at nine";
        assert_eq!(lines[2], refused);
        assert!(filled.err.contains(&format!("4 runs {word}, 0 there already\n")), "{filled:?}");
        assert!(filled.err.contains("error: 1 time has no run"), "{filled:?}");
    }
    program.fine(&["work", "--drain"]);
    let hours = std::fs::read_to_string(program.folder.join("hours")).unwrap();
    let wanted = [7, 8, 10, 11].map(|hour| format!("{hour} begins\n{hour} ends\n")).concat();
    assert_eq!(hours, wanted);
    assert!(program.runs().iter().all(|run| run["state"] == "succeeded"));
}

#[test]
fn several_runs_of_a_backfill_may_be_under_way_at_a_time() {
    let program = program("backfill-at-a-time");
    let range = ["backfill", "hourly", "--from", "2026-11-01T00:00Z", "--to", "2026-11-01T04:00Z"];
    program.fine(&[&range[..], &["--at-a-time", "4"]].concat());
    program.fine(&["work", "--drain"]);
    let hours = std::fs::read_to_string(program.folder.join("hours")).unwrap();
    assert_eq!(hours.lines().filter(|line| line.ends_with("ends")).count(), 4);
    assert!(!hours.starts_with("0 begins\n0 ends\n"), "{hours}");
    assert_eq!(program.run(&[&range[..], &["--at-a-time", "0"]].concat()).code, Some(2));
}

#[test]
fn a_backfill_leaves_out_what_is_still_to_come_and_says_so() {
    let program = program("backfill-to-come");
    let now = jiff::Timestamp::now();
    let hours = |hours: i64| (now + jiff::SignedDuration::from_hours(hours)).to_string();
    let (from, to) = (hours(2), hours(5));
    let future = program.run(&["backfill", "hourly", "--from", &from, "--to", &to]);
    assert_eq!(future.code, Some(4), "{future:?}");
    assert!(future.err.starts_with("error: nothing is made up for: "), "{future:?}");
    assert!(!program.folder.join("runs.db").exists());
    let (from, to) = (hours(-2), hours(3));
    let dry = program.run(&["backfill", "hourly", "--from", &from, "--to", &to, "--dry-run"]);
    assert!(dry.out.lines().count() <= 2, "{dry:?}");
    assert!(dry.err.contains("and what follows it are still to come, and left out"), "{dry:?}");
}

#[test]
fn a_mark_that_is_to_come_is_said_and_mended() {
    let program = program("mark-ahead");
    program.fine(&["work", "--drain"]);
    set_mark(&program, 24 * 60 * 60);
    let next = program.fine(&["next"]);
    assert!(next.err.contains("by a clock that was ahead"), "{next:?}");
    let sick = program.run(&["doctor"]);
    assert_ne!(sick.code, Some(0), "{sick:?}");
    assert!(
        sick.out.contains("its ticks are dealt with until 23 hours from now, by a clock that was ahead"),
        "{sick:?}"
    );
    program.fine(&["work", "--drain"]);
    assert_eq!(program.fine(&["doctor"]).out, "nothing is wrong\n");
    assert_eq!(program.fine(&["next"]).err, "");
}
