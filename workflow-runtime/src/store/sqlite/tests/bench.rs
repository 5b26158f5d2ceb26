//! How much the store costs over the database alone, in one run, since a
//! disk's fsync varies tenfold from hour to hour. Not a test of anything:
//! `cargo test --release -p workflow-runtime --lib store_bench -- --ignored --nocapture`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::support::{Scratch, append, at, batch, create, new_run, wait};
use crate::run::RunState;
use crate::store::{Created, Durability, NewRun, Payload, RunEnd, RunRef, Sqlite, Store};

const CALLERS: u64 = 64;
const FOR: Duration = Duration::from_millis(1_500);

/// Commits groups of the same rows with nothing around the database.
fn bare(group: u64) -> f64 {
    let scratch = Scratch::new();
    let path = scratch.path("bare.db");
    drop(Sqlite::open(&path).unwrap());
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=1;").unwrap();
    for run in 0..CALLERS {
        let row = (run.cast_signed(), format!("{run:032x}"));
        let sql = "INSERT INTO runs (run, id, workflow, fingerprint, params, state, created_at) \
                   VALUES (?1, ?2, 'nightly', 7, '[]', 'running', 0)";
        conn.execute(sql, row).unwrap();
    }
    let entry = batch(RunRef(0), 0).entries.remove(0);
    let (changes, value) = (serde_json::to_string(&entry.changes).unwrap(), entry.value.unwrap());
    let value_text = String::from_utf8(value.bytes).unwrap();
    let mut insert = conn
        .prepare("INSERT INTO journal (run, seq, at, event, value, value_type, changes) VALUES (?1,?2,?3,?4,?5,?6,?7)")
        .unwrap();
    let (start, mut rows) = (Instant::now(), 0u64);
    while start.elapsed() < FOR {
        conn.execute_batch("BEGIN IMMEDIATE").unwrap();
        for _ in 0..group {
            let (run, seq) = ((rows % CALLERS).cast_signed(), (rows / CALLERS).cast_signed());
            let at = entry.at.0.cast_signed();
            insert.execute(params![run, seq, at, entry.event, value_text, value.type_name, changes]).unwrap();
            rows += 1;
        }
        conn.execute_batch("COMMIT").unwrap();
    }
    rows as f64 / start.elapsed().as_secs_f64()
}

fn open(durability: Durability) -> (Scratch, Arc<Sqlite>) {
    let scratch = Scratch::new();
    let store = Sqlite::options().durability(durability).open(scratch.path("store.db")).unwrap();
    (scratch, Arc::new(store))
}

fn one_caller(durability: Durability) -> f64 {
    let (_scratch, store) = open(durability);
    let run = create(&*store, "0");
    let (start, mut rows) = (Instant::now(), 0);
    while start.elapsed() < FOR {
        wait(|done| store.append(batch(run, rows), done)).unwrap();
        rows += 1;
    }
    rows as f64 / start.elapsed().as_secs_f64()
}

fn threads() -> f64 {
    let (_scratch, store) = open(Durability::Full);
    let runs: Vec<_> = (0..CALLERS).map(|number| create(&*store, &number.to_string())).collect();
    let (start, rows) = (Instant::now(), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for run in runs {
            let (store, rows) = (&store, &rows);
            scope.spawn(move || {
                let mut seq = 0;
                while start.elapsed() < FOR {
                    wait(|done| store.append(batch(run, seq), done)).unwrap();
                    seq += 1;
                }
                rows.fetch_add(seq, Ordering::Relaxed);
            });
        }
    });
    rows.into_inner() as f64 / start.elapsed().as_secs_f64()
}

/// As many callers as `callers`. A worker of its own sends a caller's next
/// write when the last one is answered, like the threads of an engine.
fn driven(callers: u64) -> f64 {
    let (_scratch, store) = open(Durability::Full);
    let (sender, answered) = mpsc::channel();
    for number in 0..callers {
        sender.send((create(&*store, &number.to_string()), 0)).unwrap();
    }
    let (start, mut rows) = (Instant::now(), 0u64);
    while start.elapsed() < FOR {
        let (run, seq) = answered.recv().unwrap();
        let sender = sender.clone();
        let done = Box::new(move |result: Result<(), _>| {
            result.unwrap();
            let _ = sender.send((run, seq + 1));
        });
        store.append(batch(run, seq), done);
        rows += 1;
    }
    store.close();
    rows as f64 / start.elapsed().as_secs_f64()
}

/// Runs of 10 steps, 64 at a time, each created, run and ended: steps a second.
fn short_runs() -> f64 {
    struct Shared {
        store: Arc<Sqlite>,
        number: AtomicU64,
        until: Instant,
    }
    fn begin(shared: Arc<Shared>, steps: mpsc::Sender<u64>) {
        if Instant::now() > shared.until {
            return;
        }
        let number = shared.number.fetch_add(1, Ordering::Relaxed);
        let again = shared.clone();
        let done = Box::new(move |created: Result<Created, _>| match created.unwrap() {
            Created::New(run) => step(again, run, 0, steps),
            Created::Existing(_) => unreachable!(),
        });
        let entries = vec![batch(RunRef(0), 0).entries.remove(0)];
        shared.store.create(NewRun { entries, ..new_run(&format!("{number:032x}")) }, done);
    }
    fn step(shared: Arc<Shared>, run: RunRef, number: u64, steps: mpsc::Sender<u64>) {
        let mut batch = batch(run, number + 1);
        if number == 9 {
            let result = Some(Payload { type_name: "u64".into(), bytes: b"7".to_vec() });
            batch.end = Some(RunEnd { state: RunState::Succeeded, at: at(9), result, error: None });
        }
        let again = shared.clone();
        let done = Box::new(move |result: Result<(), _>| {
            result.unwrap();
            steps.send(1).unwrap();
            if number == 9 { begin(again, steps) } else { step(again, run, number + 1, steps) }
        });
        shared.store.append(batch, done);
    }
    let (_scratch, store) = open(Durability::Full);
    let (sender, steps) = mpsc::channel();
    let start = Instant::now();
    let shared = Arc::new(Shared { store, number: AtomicU64::new(0), until: start + FOR });
    for _ in 0..CALLERS {
        begin(shared.clone(), sender.clone());
    }
    drop(sender);
    steps.iter().sum::<u64>() as f64 / start.elapsed().as_secs_f64()
}

#[test]
#[ignore = "a measurement"]
fn store_bench() {
    type Measure = fn() -> f64;
    let measured: [(&str, Measure); 10] = [
        ("bare, one row a commit", || bare(1)),
        ("store, one caller", || one_caller(Durability::Full)),
        ("store, one caller, driven", || driven(1)),
        ("bare, 64 rows a commit", || bare(64)),
        ("store, 64 threads", threads),
        ("store, 64 callers, driven", || driven(64)),
        ("bare, 1,024 rows a commit", || bare(1_024)),
        ("store, 1,024 callers, driven", || driven(1_024)),
        ("store, runs of 10 steps, 64 at a time", short_runs),
        ("store, relaxed, one caller", || one_caller(Durability::Relaxed)),
    ];
    for round in 1..=3 {
        for (name, measure) in measured {
            println!("{round}  {name:<40} {:>9.0} rows/s", measure());
        }
    }
}

/// Runs of 5 steps, one after the other, while a condition holds: how long each
/// takes, the shortest first.
fn one_short_run_after_another(
    store: &Sqlite,
    prefix: &str,
    goes_on: impl Fn(usize) -> bool,
) -> Vec<Duration> {
    let mut times = Vec::new();
    while goes_on(times.len()) {
        let began = Instant::now();
        let run = create(store, &format!("{prefix}-{}", times.len()));
        for seq in 0..5 {
            append(store, batch(run, seq)).unwrap();
        }
        times.push(began.elapsed());
    }
    times.sort_unstable();
    times
}

/// How long a short run takes while 20,000 old ones are removed, and one with
/// 500,000 events, and how long it takes otherwise.
#[test]
#[ignore = "a measurement"]
fn store_bench_beside_removal() {
    const OLD: i64 = 20_000;
    for round in 1..=3 {
        let scratch = Scratch::new();
        let path = scratch.path("store.db");
        drop(Sqlite::open(&path).unwrap());
        let conn = Connection::open(&path).unwrap();
        let event = batch(RunRef(0), 0).entries.remove(0).event;
        let numbers = "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n <";
        conn.execute_batch(&format!(
            "INSERT INTO runs (run, id, workflow, fingerprint, params, state, created_at, ended_at) \
             {numbers} {OLD} + 1) SELECT n, printf('%032d', n), 'nightly', 7, '[]', 'succeeded', n, n FROM number; \
             INSERT INTO journal (run, seq, at, event, value, value_type) \
             {numbers} 11) SELECT run, n - 1, 1, '{event}', '{{\"id\":17}}', 'my_crate::Value' \
             FROM runs, number WHERE run <= {OLD}; \
             INSERT INTO journal (run, seq, at, event, value, value_type) \
             {numbers} 500000) SELECT {OLD} + 1, n - 1, 1, '{event}', '{{\"id\":17}}', 'my_crate::Value' FROM number; \
             PRAGMA wal_checkpoint(TRUNCATE);"
        ))
        .unwrap();
        drop(conn);
        let store = Sqlite::open(&path).unwrap();
        let tell = |name: &str, times: &[Duration]| {
            let (median, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
            println!("{round}  {name:<24} {:>7} runs, median {median:>9.2?}, p99 {p99:>9.2?}", times.len());
        };
        tell("alone", &one_short_run_after_another(&store, "before", |runs| runs < 1_500));
        let (done, began) = (AtomicBool::new(false), Instant::now());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let removed = store.remove_ended_before(at(0), usize::MAX);
                assert_eq!(removed, Ok(OLD as usize + 1));
                done.store(true, Ordering::SeqCst);
            });
            let beside = one_short_run_after_another(&store, "beside", |_| !done.load(Ordering::SeqCst));
            tell("beside the removal", &beside);
        });
        println!("{round}  the removal took {:.1?}", began.elapsed());
        tell("alone again", &one_short_run_after_another(&store, "after", |runs| runs < 1_500));
    }
}
