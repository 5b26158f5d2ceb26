//! Real processes, really killed: promises 2, 3, 4, 6, 7 and 8.
//!
//! The test runs its own program as a child, kills it at random instants with
//! SIGKILL, looks at what the store has committed by then, and starts the next
//! one, until a child gets to the end. The tasks write down what they do
//! themselves, in a file that nothing rolls back.

use std::collections::{HashMap, HashSet};
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use workflow_runtime::store::Sqlite;
use workflow_runtime::{Context, Engine, Resources, doctor, sqlite, task, workflow};

const ITEMS: u64 = 300;

#[derive(Resources)]
struct App {
    effects: Effects,
}

/// A file that every task appends to. One write a line, so that a kill leaves
/// whole lines.
pub struct Effects(pub PathBuf);

impl Effects {
    pub fn note(&self, what: &str, cx: &Context) {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.0).unwrap();
        file.write_all(format!("{what} {} {}\n", cx.step(), cx.attempt()).as_bytes()).unwrap();
    }
}

#[task]
async fn list(count: u64, #[resource] effects: &Effects, #[context] cx: &Context) -> Vec<u64> {
    effects.note("start", cx);
    (0..count).collect()
}

#[task]
async fn double(number: u64, #[resource] effects: &Effects, #[context] cx: &Context) -> u64 {
    effects.note("start", cx);
    for _ in 0..number % 5 {
        tokio::task::yield_now().await;
    }
    effects.note("end", cx);
    number * 2
}

/// Writes where the engine does.
#[task(transaction)]
fn book(number: u64, #[resource] effects: &Effects, #[context] cx: &Context) -> sqlite::Result<u64> {
    effects.note("start", cx);
    let tx = cx.transaction();
    tx.execute_batch("CREATE TABLE IF NOT EXISTS crash_bookings (step TEXT, number INTEGER)")?;
    tx.execute("INSERT INTO crash_bookings VALUES (?1, ?2)", sqlite::params![cx.step(), number as i64])?;
    Ok(number)
}

#[task]
async fn next(sum: u64, numbers: &[u64], #[resource] effects: &Effects, #[context] cx: &Context) -> u64 {
    effects.note("start", cx);
    sum + numbers.iter().sum::<u64>()
}

workflow! {
    /// Doubles numbers, and adds them up some times.
    fn doubled(count: u64) -> Result<u64> {
        let numbers = list(count);
        #[limit(6)]
        let doubled = for number in numbers {
            let once = double(number);
            let twice = double(once);
            book(twice)?
        };
        let mut sum = next(0, &doubled);
        #[limit(20)]
        while sum < 500_000 {
            sum = next(sum, &doubled);
        }
        let end = if sum > 1 { next(sum, &doubled) } else { next(0, &[]) };
        Ok(end)
    }
}

/// What the children run; nothing when it is not one of them that asks.
#[test]
fn child() {
    let Some(folder) = std::env::var_os("WORKFLOW_CRASH_CHILD") else { return };
    let folder = PathBuf::from(folder);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let effects = Effects(folder.join("effects"));
        let engine = Engine::open(folder.join("runs.db")).resources(App { effects });
        let engine = engine.register::<doubled>().start().await.unwrap();
        let run = engine.start(doubled(ITEMS)).key("the run").await.unwrap();
        println!("result {}", run.await.unwrap());
    });
}

#[test]
fn promise_08_after_kill_9_nothing_committed_is_lost_and_nothing_finished_runs_twice() {
    let folder = std::env::temp_dir().join(format!("workflow-crash-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let wanted: u32 = std::env::var("WORKFLOW_KILLS").ok().map_or(15, |kills| kills.parse().unwrap());
    let mut kills = 0;
    let mut committed: HashMap<String, usize> = HashMap::new();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let result = loop {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let effects = (kills < wanted).then_some(30 + (random >> 40) as usize % 60);
        let printed = run_child(&folder, effects);
        healthy(&folder.join("runs.db"));
        let starts = starts(&folder);
        // Promise 3: what was committed before this child ran did not start again.
        for (path, before) in &committed {
            assert_eq!(
                starts.get(path),
                Some(before),
                "{path} started again after its success was committed"
            );
        }
        for path in succeeded(&folder.join("runs.db")) {
            // Promise 2 the other way round: what succeeded had started. Regions are no tasks.
            if let Some(count) = starts.get(&path) {
                committed.entry(path).or_insert(*count);
            }
        }
        check_bookings(&folder.join("runs.db"));
        // On one core, the test's name stands before it.
        if let Some((_, result)) = printed.lines().find_map(|line| line.split_once("result ")) {
            break result.parse::<u64>().unwrap();
        }
        kills += 1;
        assert!(kills <= wanted, "a child that nobody killed did not get to its end:\n{printed}");
    };
    assert!(kills >= wanted.min(5), "only {kills} kills: the work is too short to be interrupted");
    // 4 * (0 + 1 + … + 299) a time, until half a million is reached, and once more.
    let once = 4 * ITEMS * (ITEMS - 1) / 2;
    let turns = 500_000_u64.div_ceil(once);
    assert_eq!(result, once * (turns + 1));
    assert_eq!(
        succeeded(&folder.join("runs.db")).iter().filter(|path| path.ends_with("/once")).count() as u64,
        ITEMS
    );
    assert_eq!(check_bookings(&folder.join("runs.db")), ITEMS as usize);
    fs::remove_dir_all(&folder).unwrap();
}

/// Promise 6: a step has written once, if its transaction is noted, and not at
/// all otherwise. Returns how many have.
fn check_bookings(file: &Path) -> usize {
    let Ok(db) = rusqlite::Connection::open(file) else { return 0 };
    // The first booking makes the table.
    let booked = "SELECT runs.id || '/' || step FROM crash_bookings, runs ORDER BY 1";
    let Ok(mut booked) = db.prepare(booked) else { return 0 };
    let mut noted = db.prepare("SELECT key FROM effects ORDER BY 1").unwrap();
    let texts = |statement: &mut rusqlite::Statement<'_>| {
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.collect::<Result<Vec<_>, _>>().unwrap()
    };
    let booked = texts(&mut booked);
    assert_eq!(booked, texts(&mut noted));
    assert_eq!(booked.iter().collect::<HashSet<_>>().len(), booked.len(), "a step has written twice");
    for path in succeeded(file).iter().filter(|path| path.ends_with("/book")) {
        assert!(booked.iter().any(|key| key.ends_with(path)), "{path} succeeded, and its writes are gone");
    }
    booked.len()
}

/// Whatever a child leaves is as it should be.
fn healthy(file: &Path) {
    // The first one may have died before it had made it.
    if file.exists() {
        let report = doctor::examine(&Sqlite::open(file).unwrap(), &[doubled::GRAPH]).unwrap();
        assert!(report.is_healthy() && report.not_followed.is_empty(), "{report}");
    }
}

/// Runs a child, and kills it after so many effects.
fn run_child(folder: &Path, effects: Option<usize>) -> String {
    let before = effects_of(folder).len();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture"])
        .env("WORKFLOW_CRASH_CHILD", folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut printed = String::new();
        output.read_to_string(&mut printed).unwrap();
        printed
    });
    if let Some(effects) = effects {
        // Another process does the work, so there is nothing to steer here.
        while effects_of(folder).len() < before + effects && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_micros(200));
        }
        let _ = child.kill();
    }
    child.wait().unwrap();
    reader.join().unwrap()
}

/// How often each step has started.
fn starts(folder: &Path) -> HashMap<String, usize> {
    let mut starts = HashMap::new();
    for line in effects_of(folder) {
        if let Some(path) = line.strip_prefix("start ").and_then(|rest| rest.split(' ').next()) {
            *starts.entry(path.to_owned()).or_default() += 1;
        }
    }
    starts
}

fn effects_of(folder: &Path) -> Vec<String> {
    fs::read_to_string(folder.join("effects")).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// The tasks' steps whose success the store has.
fn succeeded(file: &Path) -> HashSet<String> {
    let Ok(db) = rusqlite::Connection::open(file) else { return HashSet::new() };
    let Ok(mut query) = db.prepare("select path from steps where state = 'succeeded'") else {
        return HashSet::new();
    };
    let paths = query.query_map([], |row| row.get::<_, String>(0)).unwrap();
    paths.map(|path| path.unwrap()).collect()
}
