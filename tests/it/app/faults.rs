//! Faults of the store as they are seen from outside: by another process while
//! they last, on the owner's own lines, and by the process that goes on after
//! it was killed meanwhile.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::process::{ChildStdout, Command};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value as Json;

use super::process::{Ended, Live, Program};
use crate::endurance::machine::{Disk, Machine};

/// What is wrong for a while.
enum Fault {
    /// Another program's transaction.
    Locked,
    Disk(Disk),
    /// No file can be opened any more.
    Files,
}

/// A program that works on an errand whose step is about to end.
struct World {
    program: Program,
    machine: Machine,
    fault: Fault,
    shell: Option<Connection>,
}

impl World {
    fn new(name: &str, fault: Fault) -> (Self, Live) {
        let program = Program::own(name).with("PROGRAM_ERRANDS", "1");
        let machine = Machine::new(&program.folder);
        // What does not stand in a row needs a file of its own.
        let size = if matches!(fault, Fault::Files) { "size=100000" } else { "size=10" };
        program.fine(&["start", "errand", "file=go", size]);
        let world = Self { program, machine, fault, shell: None };
        let live = world.work(&["work"]).until("waiting for go");
        (world, live)
    }

    /// On the machine that may fail; whoever looks has another one.
    fn work(&self, args: &[&str]) -> Live {
        self.program.spawn_set_up(args, |command| self.machine.host(command, true))
    }

    /// From now on, and the step ends.
    fn begin(&mut self, live: &Live) {
        match &self.fault {
            Fault::Locked => {
                let shell = Connection::open(self.program.folder.join("runs.db")).unwrap();
                shell.busy_timeout(Duration::from_secs(10)).unwrap();
                shell.execute_batch("BEGIN IMMEDIATE").unwrap();
                self.shell = Some(shell);
            }
            Fault::Disk(disk) => self.machine.set_disk(*disk),
            Fault::Files => limit_files(live, "3:"),
        }
        fs::write(self.program.folder.join("go"), "").unwrap();
    }

    fn end(&mut self, live: &Live) {
        match &self.fault {
            Fault::Locked => self.shell.take().unwrap().execute_batch("ROLLBACK").unwrap(),
            Fault::Disk(_) => self.machine.set_disk(Disk::Well),
            Fault::Files => limit_files(live, "1024:"),
        }
    }

    fn why(&self) -> &'static str {
        match &self.fault {
            Fault::Locked => "is locked by another program",
            Fault::Disk(Disk::Full) => "is full",
            Fault::Disk(_) => "cannot be used: ",
            Fault::Files => "oo many open files",
        }
    }

    /// Polls for what another process is about to say.
    fn until_listed(&self, what: &str, reached: impl Fn(&Json) -> bool) -> Json {
        let late = Instant::now() + Duration::from_secs(30);
        loop {
            let run = self.program.runs().remove(0);
            if reached(&run) {
                return run;
            }
            assert!(Instant::now() < late, "never {what}: {run}");
        }
    }

    fn lines(&self, file: &str) -> usize {
        fs::read_to_string(self.program.folder.join(file)).unwrap().lines().count()
    }

    fn entered(&self) -> i64 {
        let store = Connection::open(self.program.folder.join("runs.db")).unwrap();
        store.query_row("SELECT count(*) FROM program_diary", [], |row| row.get(0)).unwrap()
    }
}

/// What the owner says of runs and of the store, as it does.
struct Out {
    lines: Lines<BufReader<ChildStdout>>,
    said: String,
}

impl Out {
    fn of(live: &mut Live) -> Self {
        Self { lines: BufReader::new(live.child.stdout.take().unwrap()).lines(), said: String::new() }
    }

    fn until(&mut self, part: &str) {
        while !self.said.contains(part) {
            let line = self.lines.next().unwrap_or_else(|| panic!("no `{part}` in {}", self.said));
            self.said += &(line.unwrap() + "\n");
        }
    }
}

fn limit_files(live: &Live, limit: &str) {
    let process = live.child.id().to_string();
    let limited = Command::new("prlimit").args(["--pid", &process, &format!("--nofile={limit}")]).status();
    assert!(limited.unwrap().success());
}

fn says(ended: &Ended, parts: &[&str]) {
    let all = ended.out.clone() + &ended.err;
    parts.iter().for_each(|part| assert!(all.contains(part), "no `{part}` in {ended:?}"));
}

/// Everybody is told since when and why, and that it goes on by itself; and so
/// it does.
fn is_seen_from_outside(name: &str, fault: Fault) {
    let (mut world, mut live) = World::new(name, fault);
    let mut out = Out::of(&mut live);
    let why = world.why();
    let well = world.program.runs().remove(0);
    assert_eq!((&well["state"], &well["stopped"]), (&"running".into(), &Json::Null));
    world.begin(&live);
    let run = world.until_listed("stopped", |run| !run["stopped"].is_null());
    assert!(run["stopped"].as_str().unwrap().contains(why), "{run}");
    assert_eq!(run["state"], "running", "what is stored");
    let program = &world.program;
    let all = ["cannot be written since ", why, "nothing is lost", "goes on by itself"];
    let listed = program.fine(&["ls"]);
    says(&listed, &all);
    assert!(listed.out.contains("  stopped  "), "{listed:?}");
    let shown = program.fine(&["show", "@last"]);
    says(&shown, &all);
    says(&shown, &["running, stopped for now"]);
    assert!(program.story()["stopped"].as_str().unwrap().contains(why));
    let examined = program.run(&["doctor"]);
    assert_eq!(examined.code, Some(5), "{examined:?}");
    says(&examined, &all);
    let examined: Json = serde_json::from_str(&program.run(&["doctor", "--json"]).out).unwrap();
    assert!(examined["trouble"]["error"].as_str().unwrap().contains(why), "{examined}");
    let told = "stopped for now, nothing is lost, and it goes on by itself: ";
    let watching = program.spawn(&["watch", "@last"]).until(told);
    let resuming = program.spawn(&["resume", "@last"]).until(told);
    out.until(why);
    world.end(&live);
    out.until("the store is well again");
    for shown in [watching, resuming] {
        let ended = shown.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        says(&ended, &["the store is well again, and the run goes on", "succeeded"]);
    }
    assert_eq!(world.program.runs()[0]["stopped"], Json::Null);
    let examined = world.program.fine(&["doctor"]);
    assert!(!examined.out.contains("cannot be written"), "{examined:?}");
    assert_eq!((world.lines("errands"), world.entered()), (1, 1));
    let ended = live.signal("-TERM").end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.err.matches("waiting for go").count(), 1, "{ended:?}");
    let told =
        ["the store cannot be used just now, and what needs it waits: ", why, "the store is well again"];
    for part in told {
        assert_eq!(out.said.matches(part).count(), 1, "{part}: {}", out.said);
    }
    assert!(!fs::exists(world.program.folder.join("runs.db-notice")).unwrap());
}

#[test]
fn a_lock_of_another_program_is_seen_from_outside() {
    is_seen_from_outside("faults-locked", Fault::Locked);
}

#[test]
fn a_full_disk_is_seen_from_outside() {
    is_seen_from_outside("faults-full", Fault::Disk(Disk::Full));
}

#[test]
fn a_disk_that_does_not_sync_is_seen_from_outside() {
    is_seen_from_outside("faults-unsynced", Fault::Disk(Disk::Unsynced));
}

/// `EMFILE`, by the limit that a system sets.
#[test]
fn too_few_file_descriptors_are_seen_from_outside_and_pass() {
    is_seen_from_outside("faults-files", Fault::Files);
}

/// What was committed is done once, what was not is done again, and nobody
/// believes what the one who is gone has said.
#[test]
fn a_process_that_is_killed_during_a_fault_loses_nothing_and_its_words_do_not_outlive_it() {
    for (number, fault) in [Fault::Locked, Fault::Disk(Disk::Full), Fault::Files].into_iter().enumerate() {
        let (mut world, mut live) = World::new(&format!("faults-killed-{number}"), fault);
        world.begin(&live);
        world.until_listed("stopped", |run| !run["stopped"].is_null());
        live.child.kill().unwrap();
        live.child.wait().unwrap();
        assert!(fs::exists(world.program.folder.join("runs.db-notice")).unwrap());
        let run = world.program.runs().remove(0);
        assert_eq!(run["stopped"], Json::Null, "its owner has gone");
        if !matches!(world.fault, Fault::Files) {
            world.end(&live);
        }
        let ended = world.work(&["work", "--drain"]).end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.err.contains("waiting for go"), "its end was not committed: {ended:?}");
        assert_eq!(world.program.runs()[0]["state"], "succeeded");
        assert_eq!((world.lines("errands"), world.entered()), (1, 1), "each once");
        world.program.fine(&["doctor"]);
        assert!(!fs::exists(world.program.folder.join("runs.db-notice")).unwrap());
    }
}

#[test]
fn the_owner_tells_the_beginning_and_the_end_of_a_fault_to_programs_too() {
    let (mut world, live) = World::new("faults-json", Fault::Disk(Disk::Full));
    live.signal("-KILL").end();
    let mut live = world.work(&["work", "--json"]).until("waiting for go");
    let mut out = BufReader::new(live.child.stdout.take().unwrap()).lines().map(Result::unwrap);
    world.begin(&live);
    let mut lines = Vec::new();
    let mut until = |event: &str| {
        while lines.last().is_none_or(|line: &Json| line["event"] != event) {
            lines.push(serde_json::from_str(&out.next().expect("a line")).unwrap());
        }
    };
    until("store_in_trouble");
    world.end(&live);
    until("store_well");
    world.until_listed("succeeded", |run| run["state"] == "succeeded");
    live.signal("-TERM").end();
    lines.extend(out.map(|line| serde_json::from_str::<Json>(&line).unwrap()));
    let told = |event: &str| lines.iter().filter(|line| line["event"] == event).collect::<Vec<_>>();
    let (trouble, well) = (told("store_in_trouble"), told("store_well"));
    assert_eq!((trouble.len(), well.len()), (1, 1), "{lines:?}");
    assert!(trouble[0]["error"].as_str().unwrap().contains("is full"), "{lines:?}");
    assert!(trouble[0]["at"].as_str() < well[0]["at"].as_str(), "{lines:?}");
}

/// What has the notice's name and is somebody else's is neither written nor
/// removed, nor believed, and the store works without.
#[test]
fn a_foreign_file_of_the_notice_s_name_is_left_alone_and_not_believed() {
    let ours = "workflow-runtime store notice 1\n";
    for (number, text) in
        ["", "somebody's notes", &format!("{ours}{{}}"), &"y".repeat(8 << 10)].iter().enumerate()
    {
        let (world, live) = World::new(&format!("faults-foreign-{number}"), Fault::Locked);
        live.signal("-KILL").end();
        let notice = world.program.folder.join("runs.db-notice");
        let elsewhere = world.program.folder.join("elsewhere");
        fs::remove_file(&notice).unwrap();
        fs::write(&elsewhere, text).unwrap();
        match number % 2 {
            // By a link, which is not followed.
            0 => std::os::unix::fs::symlink(&elsewhere, &notice).unwrap(),
            _ => fs::hard_link(&elsewhere, &notice).unwrap(),
        }
        fs::write(world.program.folder.join("go"), "").unwrap();
        world.program.fine(&["work", "--drain"]);
        world.program.fine(&["doctor"]);
        assert_eq!(world.program.runs()[0]["state"], "succeeded");
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), **text);
        assert!(fs::symlink_metadata(&notice).is_ok());
    }
}

/// Nothing can end it from outside, so it is said whom all wait for, and
/// everybody who asks is answered.
#[test]
fn a_transaction_that_does_not_return_is_seen_from_outside() {
    let program = Program::own("faults-held").with("PROGRAM_ERRANDS", "1");
    program.fine(&["start", "dawdle", "file=go"]);
    program.fine(&["start", "errand", "file=go", "size=10"]);
    let mut live = program.spawn(&["work"]).until("holding the store");
    let mut out = Out::of(&mut live);
    let late = Instant::now() + Duration::from_secs(30);
    let stopped = loop {
        let run = program.runs().remove(0);
        match run["stopped"].as_str() {
            Some(why) => break why.to_owned(),
            None => assert!(Instant::now() < late, "never stopped: {run}"),
        }
    };
    assert!(stopped.contains("waits for the transaction of a task that has not returned"), "{stopped}");
    says(&program.run(&["doctor"]), &["the store cannot be written since ", &stopped, "goes on by itself"]);
    out.until("the store cannot be used just now");
    out.until(&stopped);
    fs::write(program.folder.join("go"), "").unwrap();
    out.until("the store is well again");
    let ended = program.fine(&["watch", "@last"]);
    says(&ended, &["succeeded"]);
    program.fine(&["doctor"]);
    assert_eq!(live.signal("-TERM").end().code, Some(0));
}
