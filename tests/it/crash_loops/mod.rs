//! Processes that live for a moment, again and again: promise 10. Killed from
//! outside, or ended by one of their own steps; either way the innocent get
//! through.
//!
//! `WORKFLOW_KILLS=60 cargo test -p tests --test it crash_loops` kills 1,500
//! runs sixty times; by default it is 20 times, and 300 runs.

mod errands;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::Random;
use workflow_runtime::doctor;
use workflow_runtime::store::Sqlite;

use crate::files::{Scratch, look};
use errands::{abrupt, innocent};

const CHILD: &str = "WORKFLOW_CRASH_LOOPS_CHILD";

/// What the children run; nothing when it is not one of them that asks.
#[test]
fn child() {
    if let Some(folder) = std::env::var_os(CHILD) {
        errands::work(Path::new(&folder));
    }
}

/// A process that works on the store of a folder. It does not outlive the test.
struct Worker {
    child: Child,
    begun: PathBuf,
}

impl Worker {
    fn spawn(folder: &Path) -> Self {
        let begun = folder.join("begun");
        let _ = fs::remove_file(&begun);
        let log = fs::File::create(folder.join("child.log")).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash_loops::child", "--nocapture"])
            .env(CHILD, folder)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        Self { child: child.unwrap(), begun }
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Lets it live for so long, from when it opens its store or, on a busy
    /// machine, from when it has written something.
    fn live_for(mut self, time: Duration, written: Option<&Path>) {
        let late = Instant::now() + Duration::from_secs(60);
        let length = |database: &Path| count(database, "journal");
        let before = written.map(length);
        while !self.begun.exists() || (before.is_some() && written.map(length) == before) {
            assert!(!self.has_ended() && Instant::now() < late, "a child does not begin");
            pause();
        }
        let killed_at = Instant::now() + time;
        while Instant::now() < killed_at {
            assert!(!self.has_ended(), "a child ended by itself");
            pause();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Another process does the work, so there is nothing to steer here.
fn pause() {
    std::thread::sleep(Duration::from_millis(1));
}

fn rows<T: rusqlite::types::FromSql>(database: &Path, sql: &str) -> Vec<T> {
    let Some(db) = look(database) else { return Vec::new() };
    let Ok(mut query) = db.prepare(sql) else { return Vec::new() };
    let rows = query.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

fn count(database: &Path, of: &str) -> i64 {
    rows(database, &format!("SELECT count(*) FROM {of}")).pop().unwrap_or_default()
}

/// The state and the result of every run, by key.
fn ends(database: &Path) -> BTreeMap<String, String> {
    let ends =
        rows::<String>(database, "SELECT key || ' ' || state || ' ' || coalesce(result, '-') FROM runs");
    ends.iter()
        .filter_map(|end| end.split_once(' '))
        .map(|(key, end)| (key.to_owned(), end.to_owned()))
        .collect()
}

fn assert_healthy(database: &Path) {
    let report =
        doctor::examine(&Sqlite::open(database).unwrap(), &[innocent::GRAPH, abrupt::GRAPH]).unwrap();
    assert!(report.is_healthy() && report.not_followed.is_empty(), "{report}");
}

#[test]
fn promise_10_kills_every_few_milliseconds_fail_nothing() {
    let wanted = std::env::var("WORKFLOW_KILLS").ok().map(|kills| kills.parse::<u64>().unwrap());
    let (kills, runs) = wanted.map_or((20, 300), |kills| (kills, 1_500));
    let scratch = Scratch::new("crash-loops");
    let (folder, database) = (scratch.path(""), scratch.path("runs.db"));
    errands::start(&database, (0..runs).collect(), false);
    let mut random = Random::new(kills);
    let begun = Instant::now();
    for kill in 0..kills {
        // A quick machine may be done before.
        if count(&database, "runs WHERE ended_at IS NULL") == 0 {
            break;
        }
        let written = (kill % 2 == 0).then_some(&*database);
        Worker::spawn(&folder).live_for(Duration::from_millis(20 + random.below(131)), written);
    }
    let (killed, left) = (begun.elapsed(), count(&database, "runs WHERE ended_at IS NULL"));
    let lost = count(&database, "attempts WHERE outcome = 'lost'");
    assert!(lost > 0, "nothing was lost: the work is too short to be interrupted");
    let begun = Instant::now();
    let mut worker = Worker::spawn(&folder);
    while count(&database, "runs WHERE ended_at IS NULL") > 0 {
        assert!(!worker.has_ended(), "a child ended by itself");
        assert!(begun.elapsed() < Duration::from_secs(300), "the runs do not get to their ends");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(worker);
    println!(
        "{kills} kills in {killed:.1?}: {lost} attempts of {runs} runs were lost, {left} runs were left; \
         they ended {:.1?} later",
        begun.elapsed()
    );
    let ends = ends(&database);
    assert_eq!(ends.len() as u64, runs);
    for number in 0..runs {
        assert_eq!(
            ends[&number.to_string()],
            format!("succeeded {}", errands::expected(number)),
            "run {number}"
        );
    }
    assert_eq!(count(&database, "steps WHERE state IN ('failed', 'suspected')"), 0);
    assert_healthy(&database);
}

#[test]
fn promise_10_a_step_that_ends_its_process_is_suspected_and_the_others_succeed() {
    let wanted = std::env::var("WORKFLOW_KILLS").is_ok();
    let runs = if wanted { 1_000 } else { 100 };
    let scratch = Scratch::new("crash-loops-abrupt");
    let (folder, database) = (scratch.path(""), scratch.path("runs.db"));
    // In the middle of the others.
    let mut numbers: Vec<u64> = (0..runs).collect();
    let others = numbers.split_off(numbers.len() / 2);
    errands::start(&database, numbers, true);
    errands::start(&database, others, false);
    // A service manager, which starts it anew each time.
    let begun = Instant::now();
    let mut deaths = 0;
    let mut worker = Worker::spawn(&folder);
    let is_done = || count(&database, "runs WHERE ended_at IS NULL") == 1;
    while !is_done() || count(&database, "steps WHERE state = 'suspected'") == 0 {
        if worker.has_ended() {
            deaths += 1;
            worker = Worker::spawn(&folder);
        }
        assert!(begun.elapsed() < Duration::from_secs(300), "it does not come to rest");
        std::thread::sleep(Duration::from_millis(5));
    }
    println!("{runs} runs beside one that aborts: at rest after {deaths} deaths and {:.1?}", begun.elapsed());
    assert_eq!(deaths, u64::from(errands::LOSSES));
    // It stays so, also for the next process.
    drop(worker);
    let mut worker = Worker::spawn(&folder);
    let late = Instant::now() + Duration::from_millis(500);
    while Instant::now() < late {
        assert!(!worker.has_ended(), "it does not come to rest");
        pause();
    }
    drop(worker);
    let mut ends = ends(&database);
    assert_eq!(ends.remove("abrupt").as_deref(), Some("waiting -"));
    for number in 0..runs {
        assert_eq!(
            ends[&number.to_string()],
            format!("succeeded {}", errands::expected(number)),
            "run {number}"
        );
    }
    let suspected =
        rows::<String>(&database, "SELECT path FROM steps WHERE state IN ('failed', 'suspected')");
    assert_eq!(suspected, ["abrupt/ended"]);
    let lost = count(&database, "attempts WHERE path = 'abrupt/ended' AND outcome = 'lost'");
    assert_eq!(lost, i64::from(errands::LOSSES));
    assert_healthy(&database);
}
