//! Several commands at once, on a store that nobody owns: each ends as if it
//! were alone, and what it asked for is done once.
//!
//! `WORKFLOW_COMMANDS=1000 cargo test -p tests --test it app::together` gives
//! so many.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value as Json;

use super::process::{Ended, Program, json_lines};

/// How many at a time.
const AT_ONCE: usize = 8;

/// Gives them, so many at a time, and what became of each, in order.
fn at_once(program: &Program, commands: &[Vec<String>]) -> Vec<Ended> {
    let (next, ended) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(command) = commands.get(number) else { return };
                    let args: Vec<&str> = command.iter().map(String::as_str).collect();
                    let end = program.run(&args);
                    ended.lock().unwrap().insert(number, end);
                }
            });
        }
    });
    ended.into_inner().unwrap().into_values().collect()
}

/// All of them: a list is a page unless it is said how long it may be.
fn all_runs(program: &Program) -> Vec<Json> {
    json_lines(&program.fine(&["ls", "--json", "--limit", "1000000"]).out)
}

fn words(command: &str) -> Vec<String> {
    command.split(' ').map(str::to_owned).collect()
}

fn all_fine(commands: &[Vec<String>], ended: &[Ended]) {
    for (command, ended) in commands.iter().zip(ended) {
        assert_eq!(ended.code, Some(0), "{command:?}: {ended:?}");
    }
}

/// The first start, too: the store is not there yet.
#[test]
fn of_many_starts_at_once_each_starts_one_run() {
    let program = Program::own("together-start");
    let commands: Vec<_> = (0..40).map(|number| words(&format!("start diary text=t{number}"))).collect();
    let ended = at_once(&program, &commands);
    all_fine(&commands, &ended);
    let ids: BTreeSet<_> = ended.iter().map(|ended| ended.out.trim().to_owned()).collect();
    let runs = all_runs(&program);
    assert_eq!((ids.len(), runs.len()), (40, 40));
    assert!(runs.iter().all(|run| ids.contains(run["id"].as_str().unwrap())));
    let worked = program.fine(&["work", "--drain"]);
    assert!(all_runs(&program).iter().all(|run| run["state"] == "succeeded"), "{worked:?}");
    // What stays beside the database is for this user alone.
    #[cfg(unix)]
    for file in fs::read_dir(&program.folder).unwrap().map(Result::unwrap) {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.path());
    }
}

#[test]
fn a_first_start_by_eight_processes_refuses_none() {
    for round in 0..3 {
        let program = Program::own(&format!("together-first-{round}"));
        // As a first start leaves it on a full disk.
        if round == 1 {
            fs::write(program.folder.join("runs.db"), "").unwrap();
            assert_eq!(program.run(&["ls"]).code, Some(3));
        }
        let commands: Vec<_> = (0..8).map(|number| words(&format!("run diary text=t{number}"))).collect();
        let ended = at_once(&program, &commands);
        all_fine(&commands, &ended);
        assert!(ended.iter().all(|ended| ended.out == "1\n"), "{ended:?}");
        assert_eq!(all_runs(&program).len(), 8);
    }
}

/// All but the first find that somebody goes on with it, until that one ends.
#[test]
fn of_many_resumes_of_a_killed_run_all_see_its_end() {
    let program = Program::own("together-resume");
    let mut live = program.spawn(&["run", "transfer", "file=woken"]).until("waiting for a signal");
    live.child.kill().unwrap();
    live.end();
    let spawned: Vec<_> = (0..5).map(|_| program.spawn(&["resume", "@last"])).collect();
    // One that comes after its end would be told that there is nothing to resume.
    let waiting: Vec<_> = spawned.into_iter().map(|resume| resume.until("of transfer")).collect();
    program.fine(&["signal", "@last", "verdict", "yes"]);
    for resume in waiting {
        let ended = resume.end();
        assert_eq!((ended.code, ended.out.as_str()), (Some(0), "3\n"), "{ended:?}");
    }
}

#[test]
fn work_beside_a_run_waits_until_it_is_done() {
    let program = Program::own("together-work");
    let live = program.spawn(&["run", "transfer", "file=wired"]).until("waiting for a signal");
    let work = program.spawn(&["work", "--drain"]).until("is done with the store");
    program.fine(&["start", "diary", "text=meanwhile"]);
    program.fine(&["signal", all_runs(&program)[1]["id"].as_str().unwrap(), "verdict", "yes"]);
    let run = live.end();
    assert_eq!((run.code, run.out.as_str()), (Some(0), "3\n"), "{run:?}");
    let worked = work.end();
    assert_eq!(worked.code, Some(0), "{worked:?}");
    assert!(all_runs(&program).iter().all(|run| run["state"] == "succeeded"));
    assert_eq!(fs::read_to_string(program.folder.join("wired")).unwrap(), "yes\n");
}

/// A `run` that was handed to another process goes on where that one ends.
#[test]
fn a_run_outlives_the_process_that_was_asked_for_it() {
    let program = Program::own("together-outlives");
    let mut first = program.spawn(&["run", "transfer", "file=first"]).until("waiting for a signal");
    let second = program.spawn(&["run", "transfer", "file=second"]).until("waiting for a signal");
    first.child.kill().unwrap();
    first.end();
    program.fine(&["signal", "@last", "verdict", "yes"]);
    let second = second.end();
    assert_eq!((second.code, second.out.as_str()), (Some(0), "3\n"), "{second:?}");
    assert_eq!(fs::read_to_string(program.folder.join("second")).unwrap(), "yes\n");
    assert!(!program.folder.join("first").exists());
}

/// Whoever gives up takes back what it asked for.
#[cfg(unix)]
#[test]
fn a_command_that_gives_up_leaves_nothing_to_be_done() {
    let program = Program::own("together-gives-up");
    let live = program.spawn(&["run", "transfer", "file=first"]).until("waiting for a signal");
    let pid = live.child.id().to_string();
    let tell = |signal: &str| {
        assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
    };
    tell("-STOP");
    let asking = program.spawn(&["start", "diary", "text=late"]);
    let asked = || {
        let seen = program.fine(&["doctor"]);
        seen.err.contains("1 request not seen to")
    };
    while !asked() {}
    let ended = asking.signal("-INT").end();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(ended.err.contains("it is withdrawn: nothing was done"), "{ended:?}");
    tell("-CONT");
    // Seen to after it, had it not been withdrawn.
    program.fine(&["signal", "@last", "verdict", "yes"]);
    assert_eq!(live.end().code, Some(0));
    assert_eq!(all_runs(&program).len(), 1, "the run was started all the same");
}

/// A process whose file is not where it was does nothing more with it.
#[cfg(unix)]
#[test]
fn a_process_whose_store_is_moved_away_stops_and_says_so() {
    for command in [&["work"][..], &["run", "transfer", "file=wired"]] {
        let program = Program::own(&format!("together-moved-{}", command[0]));
        program.fine(&["start", "transfer", "file=wired"]);
        let said = if command[0] == "work" { "ctrl-c stops" } else { "waiting for a signal" };
        let live = program.spawn(command).until(said);
        // A hard link opens no second way in.
        let folder = &program.folder;
        fs::hard_link(folder.join("runs.db"), folder.join("link.db")).unwrap();
        let linked = program.run(&["start", "diary", "text=x", "--store", "link.db"]);
        assert_eq!(linked.code, Some(5), "{linked:?}");
        assert!(linked.err.contains("they are in the log of that name"), "{linked:?}");
        fs::remove_file(folder.join("link.db")).unwrap();

        fs::rename(folder.join("runs.db"), folder.join("moved.db")).unwrap();
        let ended = live.end();
        assert_eq!(ended.code, Some(5), "{ended:?}");
        assert!(ended.err.contains("it was removed or moved away; it stops here"), "{ended:?}");
        // What was committed went with it.
        fs::rename(folder.join("moved.db"), folder.join("runs.db")).unwrap();
        program.fine(&["signal", "@last", "verdict", "yes"]);
        program.fine(&["work", "--drain"]);
        assert_eq!(fs::read_to_string(folder.join("wired")).unwrap(), "yes\n");
    }
}

/// Every kind of command, on runs of its own: what it prints, its exit code,
/// and what is there afterwards are as if it had been alone.
#[test]
fn commands_of_all_kinds_at_once_end_as_if_alone() {
    let wanted = std::env::var("WORKFLOW_COMMANDS").ok().map_or(64, |count| count.parse().unwrap());
    let program = Program::own("together-all");
    const KINDS: usize = 13;
    let rounds = usize::div_ceil(wanted, KINDS);
    let by_key = |key: &str| -> String {
        let runs = all_runs(&program);
        let run = runs.iter().find(|run| run["key"] == key).unwrap_or_else(|| panic!("no run {key}"));
        run["id"].as_str().unwrap().to_owned()
    };
    // Runs that wait for a signal, one for each command that is about one.
    let about = ["signal", "set", "pause", "cancel", "again", "failed"];
    let mut waiting = Vec::new();
    for round in 0..rounds {
        waiting.extend(about.map(|name| words(&format!("start transfer file=wired --key {name}-{round}"))));
        waiting.push(words(&format!("start transfer file=no/where --key lost-{round}")));
    }
    all_fine(&waiting, &at_once(&program, &waiting));
    program.fine(&["work", "--drain"]);
    let ids: BTreeMap<String, String> = all_runs(&program)
        .iter()
        .map(|run| (run["key"].as_str().unwrap().to_owned(), run["id"].as_str().unwrap().to_owned()))
        .collect();
    for round in 0..rounds {
        program.fine(&["cancel", &ids[&format!("again-{round}")]]);
        program.fine(&["signal", &ids[&format!("lost-{round}")], "verdict", "no"]);
    }
    program.fine(&["work", "--drain"]);

    let mut commands = Vec::new();
    for round in 0..rounds {
        let id = |name: &str| &ids[&format!("{name}-{round}")];
        commands.extend(
            [
                format!("start diary text=s{round} --key start-{round}"),
                format!("run diary text=r{round} --key run-{round}"),
                format!("run diary text=r{round} --key run-{round}"),
                format!("signal {} verdict yes", id("signal")),
                format!("set {} verdict no", id("set")),
                format!("pause {}", id("pause")),
                format!("cancel {}", id("cancel")),
                format!("retry {} --detach", id("again")),
                format!("retry {}", id("lost")),
                format!("signal {} nonsense yes", id("failed")),
                "ls".to_owned(),
                format!("show {}", id("failed")),
                "work --drain".to_owned(),
            ]
            .map(|command| words(&command)),
        );
    }
    let ended = at_once(&program, &commands);
    for (number, (command, ended)) in commands.iter().zip(&ended).enumerate() {
        let said = format!("{command:?}: {ended:?}");
        let code = match number % KINDS {
            8 => 1,
            9 => 2,
            _ => 0,
        };
        assert_eq!(ended.code, Some(code), "{said}");
        match number % KINDS {
            0 => assert_eq!(ended.out.trim(), by_key(&command[4]), "{said}"),
            1 | 2 => assert_eq!(ended.out, "1\n", "{said}"),
            _ => {}
        }
    }
    program.fine(&["work", "--drain"]);
    let state = |key: String| -> String {
        let runs = all_runs(&program);
        runs.iter().find(|run| run["key"] == key.as_str()).unwrap()["state"].as_str().unwrap().to_owned()
    };
    for round in 0..rounds {
        for (name, wanted) in [
            ("start", "succeeded"),
            ("run", "succeeded"),
            ("signal", "succeeded"),
            ("set", "succeeded"),
            ("pause", "paused"),
            ("cancel", "cancelled"),
            ("again", "waiting"),
            ("lost", "failed"),
            ("failed", "waiting"),
        ] {
            assert_eq!(state(format!("{name}-{round}")), wanted, "{name}-{round}");
        }
    }
    // Nothing twice, and nothing that was not asked for.
    assert_eq!(all_runs(&program).len(), rounds * 9);
    let wired = fs::read_to_string(program.folder.join("wired")).unwrap();
    assert_eq!(wired.lines().filter(|line| *line == "yes").count(), rounds, "{wired}");
    assert_eq!(wired.lines().count(), 2 * rounds, "{wired}");
    let doctor = json_lines(&program.fine(&["doctor", "--json"]).out).remove(0);
    assert_eq!((&doctor["healthy"], &doctor["requests"]), (&true.into(), &0.into()), "{doctor}");
}
