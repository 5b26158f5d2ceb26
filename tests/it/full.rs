//! A disk that takes no more, as a process with a limit on the size of its
//! files meets it (`ulimit -f`): the engine says so, loses nothing, and goes on
//! in the same process once there is room.

#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use workflow_runtime::store::{RunFilter, Sqlite, Store};
use workflow_runtime::{Context, Engine, EngineBuilder, Resources, sqlite, task, workflow};

use crate::crash::Effects;
use crate::files::{Scratch, assert_sound, look};

const CHILD: &str = "WORKFLOW_FULL_CHILD";

/// What a file may have, in the 512 bytes that `ulimit` counts in.
const LIMIT: &str = "2000";

/// How long a small run may take before it counts as waiting for room.
const PATIENCE: Duration = Duration::from_secs(2);

/// A value that fits into a row, and one whose own file would be too large.
const SMALL: u64 = 20 << 10;
const LARGE: u64 = 2 << 20;

#[derive(Resources)]
struct App {
    effects: Effects,
}

#[task]
async fn fill(bytes: u64, #[resource] effects: &Effects, #[context] cx: &Context) -> String {
    effects.note(&format!("start {}", cx.run_id()), cx);
    "x".repeat(bytes as usize)
}

#[task(transaction)]
fn book(page: &str, #[context] cx: &Context) -> sqlite::Result<u64> {
    let tx = cx.transaction();
    tx.execute_batch("CREATE TABLE IF NOT EXISTS full_bookings (run TEXT)")?;
    tx.execute("INSERT INTO full_bookings VALUES (?1)", [cx.run_id()])?;
    Ok(page.len() as u64)
}

#[task]
async fn weigh(page: &str, booked: u64) -> u64 {
    page.len() as u64 + booked
}

workflow! {
    fn filled(bytes: u64) -> Result<u64> {
        let page = fill(bytes);
        let booked = book(&page)?;
        let end = weigh(&page, booked);
        Ok(end)
    }
}

fn engine(folder: &Path) -> EngineBuilder<App> {
    let effects = Effects(folder.join("effects"));
    Engine::open(folder.join("runs.db")).resources(App { effects }).register::<filled>()
}

/// Past the test harness, which may hold lines back.
fn say(line: &str) {
    std::io::stdout().write_all(format!("\n{line}\n").as_bytes()).unwrap();
    std::io::stdout().flush().unwrap();
}

/// What the child runs; nothing when it is not one that asks.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let engine = engine(Path::new(&folder)).start().await.unwrap();
        let start = async |key: &str, bytes| engine.start(filled(bytes)).key(key).await;
        let large = start("large", LARGE).await.unwrap();
        while !large.snapshot().stopped.is_some_and(|why| why.contains("runs.db-values")) {
            tokio::task::yield_now().await;
        }
        say(&format!("no room for it: {}", large.snapshot().stopped.unwrap()));
        // Small ones go on until nothing fits any more.
        let mut number = 0;
        loop {
            let key = number.to_string();
            let run = async { start(&key, SMALL).await.unwrap().await.unwrap() };
            match tokio::time::timeout(PATIENCE, run).await {
                Ok(end) => say(&format!("done {number} {end}")),
                Err(_) => break,
            }
            number += 1;
        }
        say(&format!("no room any more: {}", large.snapshot().stopped.unwrap()));
        std::io::stdin().read_line(&mut String::new()).unwrap();
        // Each goes on where it was. Also what needs more room than there was.
        let last = number.to_string();
        for (key, bytes) in [("large", LARGE), (&*last, SMALL), ("later", 2 * LARGE)] {
            say(&format!("later {key} {}", start(key, bytes).await.unwrap().await.unwrap()));
        }
        engine.shutdown().await;
    });
}

/// A child that may not write large files, until it is allowed to.
fn spawn(folder: &Path) -> Child {
    // The limit's signal would end it. Only the soft limit is set.
    let limited = format!("trap '' XFSZ; ulimit -S -f {LIMIT}; exec \"$0\" \"$@\"");
    Command::new("sh")
        .args(["-c", &limited])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "full::child", "--nocapture"])
        .env(CHILD, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_full_disk_is_told_of_loses_nothing_and_is_got_over() {
    let scratch = Scratch::new("full");
    let (folder, database) = (scratch.path(""), scratch.path("runs.db"));
    let mut child = spawn(&folder);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut next = |beginning: &str| {
        let line = lines.find(|line| ["no room", "done", "later"].iter().any(|word| line.starts_with(word)));
        line.unwrap_or_else(|| panic!("the child ended, and never said `{beginning}`"))
    };
    let large = next("no room");
    assert!(large.starts_with("no room for it: ") && large.contains("runs.db-values"), "{large}");
    let mut done = BTreeMap::new();
    let full = loop {
        let line = next("no room any more");
        let [_, number, end] = line.split(' ').collect::<Vec<_>>()[..] else { break line };
        done.insert(number.to_owned(), end.parse::<u64>().unwrap());
    };
    assert!(full.starts_with("no room any more: ") && full.contains("runs.db"), "{full}");
    assert!(done.len() > 2, "{done:?}");
    // Somebody makes room.
    let process = child.id().to_string();
    let room = Command::new("prlimit").args(["--pid", &process, "--fsize=unlimited"]).status();
    assert!(room.unwrap().success());
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    for (key, bytes) in
        [("large".to_owned(), LARGE), (done.len().to_string(), SMALL), ("later".to_owned(), 2 * LARGE)]
    {
        assert_eq!(next("later"), format!("later {key} {}", 2 * bytes));
        done.insert(key, 2 * bytes);
    }
    assert!(child.wait().unwrap().success());
    assert_sound(&database);
    assert_eq!(ended(&database), done);
    let booked = booked(&database);
    assert_eq!(booked.len(), done.len());
    // The same process went on with all of them, so no attempt was lost.
    let effects = fs::read_to_string(folder.join("effects")).unwrap();
    for run in booked {
        assert_eq!(effects.matches(&format!("start {run}")).count(), 1, "{run} began again");
    }
}

/// The results of the runs that have ended, by their keys.
fn ended(database: &PathBuf) -> BTreeMap<String, u64> {
    let store = Sqlite::open(database).unwrap();
    let runs = store.list(&RunFilter::default()).unwrap();
    store.close();
    let result = |run: workflow_runtime::store::StoredRun| {
        let result = run.end?.result.unwrap();
        Some((run.key.unwrap(), serde_json::from_slice(&result.bytes).unwrap()))
    };
    runs.into_iter().filter_map(result).collect()
}

/// The runs that have booked, each once.
fn booked(database: &Path) -> Vec<String> {
    let db = look(database).unwrap();
    let mut runs = db.prepare("SELECT run FROM full_bookings ORDER BY 1").unwrap();
    let runs: Vec<String> = runs.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(runs.is_sorted_by(|a, b| a < b), "booked twice: {runs:?}");
    runs
}
