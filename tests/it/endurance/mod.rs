//! All that goes wrong, at once: the process that works is killed in crash
//! loops and at rest, told to end, its disk is full, broken or locked for a
//! while, its clock is set; several people type commands meanwhile, some of
//! which are killed as well, and runs of long ago are removed. Nothing is lost,
//! nothing is done twice, nothing fails that did nothing wrong.
//!
//! `WORKFLOW_ENDURANCE=3600 cargo test -p tests --test it endurance` goes on
//! for so many seconds; without, for one batch of runs.

#![cfg(target_os = "linux")]

pub mod machine;
mod people;
mod program;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use support::Random;
use workflow_runtime::doctor;
use workflow_runtime::store::{RunFilter, Sqlite, Store};

use crate::files::{Scratch, look};
use crate::storm::starts;
use machine::{Disk, Machine};
use people::{Person, folder_of};

const CHILD: &str = "WORKFLOW_ENDURANCE_CHILD";
const TOLD: &str = "WORKFLOW_ENDURANCE_TOLD";
const ARGS: &str = "WORKFLOW_ENDURANCE_ARGS";

/// How many people want something in a batch, and how many type at once.
const PEOPLE: u64 = 36;
const AT_ONCE: usize = 6;

/// How long after one batch the next one begins: what is kept is kept for less.
const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long it takes at most until all is done once nothing goes wrong any
/// more: a step that was lost often waits for long.
const REST: Duration = Duration::from_secs(300);

/// What the processes run; nothing when it is not one of them that asks.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let told = std::env::var_os(TOLD).unwrap();
    let args = serde_json::from_str(&std::env::var(ARGS).unwrap()).unwrap();
    program::main(Path::new(&folder), Path::new(&told), args)
}

/// A process of the program, which does not outlive the test.
struct Process {
    child: Child,
    told: PathBuf,
}

impl Process {
    fn spawn(folder: &Path, machine: &Machine, args: &[String]) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let told = folder_of(folder, COUNT.fetch_add(1, Ordering::Relaxed));
        fs::create_dir(&told).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "endurance::child", "--nocapture"]);
        command.env(CHILD, folder).env(TOLD, &told).env(ARGS, serde_json::to_string(args).unwrap());
        machine.host(&mut command, args == ["work"]);
        let panics = fs::File::create(told.join("panics")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(panics).spawn().unwrap();
        Self { child, told }
    }

    fn out(&self) -> PathBuf {
        self.told.join("out")
    }

    /// The exit code, once it has ended; none where a signal ended it.
    fn ended(&mut self) -> Option<Option<i32>> {
        Some(self.child.try_wait().unwrap()?.code())
    }

    fn told(&self) -> String {
        let read = |name| fs::read_to_string(self.told.join(name)).unwrap_or_default();
        format!("{}\n{}\n{}", read("out"), read("err"), read("panics"))
    }

    fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        drop(fs::remove_dir_all(&self.told));
    }
}

#[test]
fn whatever_goes_wrong_at_once_nothing_is_lost_doubled_or_failed() {
    let time =
        std::env::var("WORKFLOW_ENDURANCE").ok().map(|time| Duration::from_secs(time.parse().unwrap()));
    let scratch = Scratch::new("endurance");
    let mut world = World::new(&scratch, time.is_some());
    let begun = Instant::now();
    for batch in 0.. {
        world.live_through(batch);
        if time.is_none_or(|time| begun.elapsed() > time) {
            break;
        }
        println!("{:?}: {} batches, {} processes killed", begun.elapsed(), batch + 1, world.killed);
    }
}

struct World {
    folder: PathBuf,
    database: PathBuf,
    machine: Machine,
    random: Random,
    people: Vec<Person>,
    /// What goes wrong goes on for as long as it may.
    long: bool,
    killed: u64,
    /// How often each step had started when its success was seen.
    done: HashMap<(String, String), usize>,
}

impl World {
    fn new(scratch: &Scratch, long: bool) -> Self {
        let (folder, database) = (scratch.path(""), scratch.path("runs.db"));
        let machine = Machine::new(&folder);
        let random = Random::new(if long { u64::from(std::process::id()) } else { 7 });
        let (people, done) = (Vec::new(), HashMap::new());
        Self { folder, database, machine, random, people, long, killed: 0, done }
    }

    fn live_through(&mut self, batch: u64) {
        self.people = (0..PEOPLE).map(|number| Person::new(batch, number)).collect();
        for _ in 0..if self.long { 40 } else { 6 } {
            self.have_a_bad_time();
            self.examine();
        }
        // All is well again, so all gets done.
        let mut worker = self.worker();
        let begun = Instant::now();
        while !self.people.iter().all(Person::is_done) || !self.is_at_rest() {
            self.go_on(&mut worker);
            assert!(begun.elapsed() < REST, "not all gets done: {}", worker.told());
        }
        worker.signal("TERM");
        self.wait_for_end(&mut worker);
        assert!(self.examine(), "what is at rest cannot be examined");
        self.assert_ended(batch);
        // A month later; what was noted is of runs that are removed.
        self.machine.advance(MONTH);
        fs::remove_file(self.folder.join("effects")).unwrap();
        self.done.clear();
    }

    fn worker(&self) -> Process {
        Process::spawn(&self.folder, &self.machine, &["work".to_owned()])
    }

    fn below(&mut self, milliseconds: u64) -> Duration {
        Duration::from_millis(self.random.below(milliseconds))
    }

    /// People go on, and the worker goes on living.
    fn go_on(&mut self, worker: &mut Process) {
        if let Some(code) = worker.ended() {
            panic!("the worker ended by itself with {code:?}: {}", worker.told());
        }
        self.people_go_on();
    }

    fn people_go_on(&mut self) {
        for person in &mut self.people {
            person.look();
        }
        let typing = self.people.iter().filter(|person| person.is_typing()).count();
        let mut free = AT_ONCE.saturating_sub(typing);
        for person in &mut self.people {
            if free == 0 {
                break;
            }
            if !person.is_typing() && !person.is_done() {
                let lives = (self.random.below(6) == 0).then(|| Duration::from_millis(self.random.below(80)));
                person.go_on(&self.folder, &self.machine, lives);
                free -= 1;
            }
        }
        // Other processes do the work, so there is nothing to steer here.
        std::thread::sleep(Duration::from_millis(5));
    }

    fn live_for(&mut self, worker: &mut Process, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.go_on(worker);
        }
    }

    fn kill(&mut self, mut worker: Process) {
        worker.kill();
        self.killed += 1;
    }

    fn wait_for_end(&mut self, worker: &mut Process) {
        let begun = Instant::now();
        let code = loop {
            if let Some(code) = worker.ended() {
                break code;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not end: {}", worker.told());
            self.people_go_on();
        };
        // It may be told to end before it listens.
        assert!(matches!(code, Some(0 | 130)) || code.is_none(), "{code:?}: {}", worker.told());
    }

    /// One life of the worker, or some short ones.
    fn have_a_bad_time(&mut self) {
        let longest = if self.long { 9_000 } else { 900 };
        match self.random.below(8) {
            0 | 1 => {
                for _ in 0..8 {
                    let mut worker = self.worker();
                    let time = Duration::from_millis(20) + self.below(130);
                    self.live_for(&mut worker, time);
                    self.kill(worker);
                }
            }
            2 => {
                let mut worker = self.worker();
                let time = self.below(800);
                self.live_for(&mut worker, time);
                let signal = ["TERM", "INT"][self.random.below(2) as usize];
                worker.signal(signal);
                self.wait_for_end(&mut worker);
            }
            3 | 4 => {
                let disk = [Disk::Full, Disk::Broken, Disk::Unsynced][self.random.below(3) as usize];
                let mut worker = self.worker();
                let (before, ill, after) = (self.below(600), self.below(longest), self.below(1_500));
                self.live_for(&mut worker, before);
                self.machine.set_disk(disk);
                // A command, or a worker that has just begun, may well say so
                // and end: that is theirs to say while it lasts.
                std::thread::sleep(ill);
                self.machine.set_disk(Disk::Well);
                self.live_for(&mut worker, after);
                self.kill(worker);
            }
            5 => {
                let mut worker = self.worker();
                let (before, locked, after) = (self.below(600), self.below(longest), self.below(1_500));
                self.live_for(&mut worker, before);
                if let Ok(other) = Connection::open(&self.database)
                    && other.execute_batch("BEGIN IMMEDIATE").is_ok()
                {
                    self.live_for(&mut worker, locked);
                }
                self.live_for(&mut worker, after);
                self.kill(worker);
            }
            6 => {
                let mut worker = self.worker();
                let before = self.below(600);
                self.live_for(&mut worker, before);
                match self.random.below(4) {
                    0 => self.machine.step_back(Duration::from_secs(1)),
                    1 => self.machine.advance(Duration::from_secs(1)),
                    2 => self.machine.advance(Duration::from_secs(60 * 60)),
                    _ => self.machine.advance(Duration::from_secs(24 * 60 * 60)),
                }
                let after = self.below(1_000);
                self.live_for(&mut worker, after);
                self.kill(worker);
            }
            // Nobody works for a while but those who type.
            _ => {
                let until = Instant::now() + self.below(800);
                while Instant::now() < until {
                    self.people_go_on();
                }
            }
        }
    }

    /// No run is under way.
    fn is_at_rest(&self) -> bool {
        let Some(db) = look(&self.database) else { return false };
        let open = db.query_row("SELECT count(*) FROM runs WHERE ended_at IS NULL", [], |row| row.get(0));
        open.is_ok_and(|open: i64| open == 0)
    }

    /// The store as it is at a moment, in a copy: as it should be, and nothing
    /// that has succeeded starts again. False while there is no store yet.
    fn examine(&mut self) -> bool {
        let copy = self.folder.join("copy");
        fs::create_dir(&copy).unwrap();
        let copied = copy.join("runs.db");
        let is_copied = look(&self.database)
            .is_some_and(|db| db.execute("VACUUM INTO ?1", [copied.to_str().unwrap()]).is_ok());
        let store = is_copied.then(|| Sqlite::open(&copied).ok()).flatten();
        let is_store = store.is_some();
        if let Some(store) = store {
            let report = doctor::examine(&store, &[]).unwrap();
            assert!(report.is_healthy(), "{report}");
            store.close();
            self.examine_steps(&copied);
        }
        fs::remove_dir_all(&copy).unwrap();
        is_store
    }

    fn examine_steps(&mut self, copied: &Path) {
        let db = look(copied).unwrap();
        let mut steps =
            db.prepare("SELECT id, path FROM steps WHERE state = 'succeeded' AND task IS NOT NULL").unwrap();
        let steps = steps.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let starts = starts(&self.folder);
        for step in steps.map(Result::<(String, String), _>::unwrap) {
            let Some(starts) = starts.get(&step) else { continue };
            let before = *self.done.entry(step.clone()).or_insert(*starts);
            assert_eq!(*starts, before, "{step:?} started again after its success was committed");
        }
        let failed: i64 =
            db.query_row("SELECT count(*) FROM runs WHERE state = 'failed'", [], |row| row.get(0)).unwrap();
        assert_eq!(failed, 0, "a run failed that did nothing wrong");
    }

    fn assert_ended(&self, batch: u64) {
        let store = Sqlite::open(&self.database).unwrap();
        assert_eq!(store.check().unwrap(), Vec::<String>::new());
        let all = RunFilter { at_most: usize::MAX, ..RunFilter::default() };
        let runs = store.list(&all).unwrap();
        let effects = fs::read_to_string(self.folder.join("effects")).unwrap();
        for person in &self.people {
            let mut of_key = runs.iter().filter(|run| run.key.as_deref() == Some(&person.key));
            let (Some(run), None) = (of_key.next(), of_key.next()) else {
                panic!("not one run of {}", person.key)
            };
            assert!(person.id.as_ref().is_none_or(|id| *id == run.id), "{} has another run", person.key);
            let value = run.end.as_ref().and_then(|end| end.result.as_ref());
            let value = value.map(|value| serde_json::from_slice::<u64>(&value.bytes).unwrap());
            assert_eq!(
                (run.state.to_string().as_str(), value),
                (person.state, person.result),
                "{}",
                person.key
            );
            if person.state == "cancelled" {
                let started =
                    |what: &str| effects.lines().any(|line| line.starts_with(&format!("{what} {}", run.id)));
                let undone = format!("undo{}", person.number);
                assert!(!started("start") || started(&undone), "{} was not undone", person.key);
            }
        }
        let of_batch = |key: &str| key.starts_with(&format!("{batch}/"));
        let others: Vec<_> = runs.iter().filter(|run| !run.key.as_deref().is_some_and(of_batch)).collect();
        assert!(others.is_empty(), "nobody asked for these, or they are of long ago: {others:#?}");
        assert!(store.open_requests().unwrap().is_empty());
        store.close();
        let db = look(&self.database).unwrap();
        let mut booked = db.prepare("SELECT run || '/' || step FROM bookings ORDER BY 1").unwrap();
        let booked: Vec<String> =
            booked.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert!(booked.is_sorted_by(|a, b| a < b), "booked twice: {booked:?}");
    }
}
