//! What whole processes do. Each measurement is a process of its own, which is
//! this program with other arguments.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::Semaphore;
use workflow_runtime::store::Durability;
use workflow_runtime::{Engine, task, workflow};

use crate::durable::LOADS;
use crate::shape::{ITEMS, Shape};
use crate::table::{Table, number};
use crate::{floor, ours};

const RUNS: u32 = 100_000;

/// As many permits as attempts have begun.
static BEGUN: Semaphore = Semaphore::const_new(0);

/// An attempt that is there when its process ends.
#[task]
async fn hold() -> u64 {
    BEGUN.add_permits(1);
    std::future::pending().await
}

#[task]
async fn begin() -> u64 {
    BEGUN.add_permits(1);
    1
}

workflow! {
    fn held() -> Result<u64> {
        let held = hold();
        Ok(held)
    }
}

workflow! {
    fn first() -> Result<u64> {
        let begun = begin();
        Ok(begun)
    }
}

async fn begun(attempts: u32) {
    BEGUN.acquire_many(attempts).await.expect("it is never closed").forget();
}

/// What a process of its own does: prints numbers, with spaces in between.
pub async fn child(kind: &str, folder: &Path) {
    let file = folder.join("runs.db");
    let began = Instant::now();
    let since = || began.elapsed().as_secs_f64();
    match kind {
        "fill" => {
            // Not what is measured, so it need not wait for the disk.
            let engine =
                Engine::open(file).durability(Durability::Relaxed).start().await.expect("a new file");
            for lane in 0..64 {
                let engine = engine.clone();
                tokio::spawn(async move {
                    for _ in (lane..RUNS).step_by(64) {
                        drop(engine.start(held()).await.expect("the engine is not shut down"));
                    }
                });
            }
            begun(RUNS).await;
        }
        "read" => {
            let rows = decoded(&file);
            println!("{} {rows}", since());
        }
        "recover" => {
            let _engine = Engine::open(file).register::<held>().start().await.expect("the file is there");
            let started = since();
            begun(RUNS).await;
            println!("{started} {}", since());
        }
        "first" => {
            let engine = Engine::open(file).start().await.expect("the file is there");
            drop(engine.start(first()).await.expect("the engine is not shut down"));
            begun(1).await;
            println!("{}", since());
        }
        "nothing" => println!("{}", peak()),
        "floor" | "ours" => {
            let contestant = if kind == "ours" { ours::OURS } else { floor::TRACKED };
            let once = (contestant.prepare)(Shape::Items).await.expect("both run every shape");
            assert_eq!(once().await, Shape::Items.value());
            println!("{}", peak());
        }
        other => panic!("there is no child `{other}`"),
    }
    // At once, as in a crash: nothing is shut down.
    std::process::exit(0);
}

/// Reads every run and its journal, and decodes what is JSON: how many rows.
fn decoded(file: &Path) -> usize {
    let file = Connection::open(file).expect("it can be read");
    let mut count = 0;
    for sql in [
        "SELECT params, id, workflow FROM runs",
        "SELECT event, value, changes FROM journal ORDER BY run, seq",
    ] {
        let mut select = file.prepare(sql).expect("the tables are there");
        let mut rows = select.query([]).expect("they can be read");
        while let Some(row) = rows.next().expect("they can be read") {
            let text: String = row.get(0).expect("it is JSON");
            let value: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
            std::hint::black_box(value);
            count += 1;
        }
    }
    count
}

/// The most memory that the process ever had, in bytes.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: Option<f64> = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    kib.map_or(f64::NAN, |kib| kib * 1024.0)
}

/// What a child prints.
fn numbers(kind: &str, folder: &Path) -> Vec<f64> {
    eprintln!("scenario: {kind}");
    let program = std::env::current_exe().expect("it is known");
    let output = Command::new(program).args(["--child", kind]).arg(folder).output().expect("it runs");
    assert!(output.status.success(), "{kind} failed: {output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().map(|word| word.parse().expect("a child prints numbers")).collect()
}

/// What can be chosen by a filter.
pub const ALL: [&str; 4] = ["recovery", "first step", "memory of a map", "build cost"];

pub async fn table(chosen: &[&str], folder: &Path, smallest: Option<&Path>) -> String {
    let mut table = Table::new(["", ""]);
    let mut row = |name: &str, figure: String| table.row([name, &figure]);
    let empty = |name: &str| {
        let empty = folder.join(name);
        let _ = std::fs::remove_dir_all(&empty);
        std::fs::create_dir_all(&empty).expect("a folder can be made");
        empty
    };
    if chosen.contains(&"recovery") {
        let folder = empty("recovery");
        numbers("fill", &folder);
        let read = numbers("read", &folder);
        let recover = numbers("recover", &folder);
        row(
            "reading and decoding the rows of 100,000 unfinished runs",
            format!("{:.2} s, {} rows", read[0], number(read[1])),
        );
        row("an engine over them has started", format!("{:.2} s", recover[0]));
        let ratio = recover[1] / read[0];
        row(
            "all of them go on: committed, and their steps running",
            format!("{:.2} s, {ratio:.1} times the reading", recover[1]),
        );
    }
    if chosen.contains(&"first step") {
        let folder = empty("first");
        ours::kept(LOADS[1], folder.clone()).await;
        let mut times: Vec<f64> = (0..9).flat_map(|_| numbers("first", &folder)).collect();
        times.sort_by(f64::total_cmp);
        row(
            "from the start of a process to the first step, in a file of 1,000 runs",
            format!("{:.1} ms", times[4] * 1e3),
        );
    }
    if chosen.contains(&"memory of a map") {
        let nothing = numbers("nothing", folder)[0];
        for kind in ["floor", "ours"] {
            let peak = numbers(kind, folder)[0];
            let an_item = (peak - nothing) / ITEMS as f64;
            let name = format!("peak memory of `for` over 100,000 in memory, {kind}");
            row(&name, format!("{:.0} MiB, {an_item:.0} bytes an item", peak / f64::from(1 << 20)));
        }
    }
    if let Some(program) = smallest {
        let stripped = program.with_extension("stripped");
        let strip = Command::new("strip").arg("-o").arg(&stripped).arg(program).status();
        let size = |path: &Path| {
            std::fs::metadata(path).map_or(f64::NAN, |file| file.len() as f64 / f64::from(1 << 20))
        };
        row("a program with one durable workflow, with SQLite", format!("{:.1} MiB", size(program)));
        if strip.is_ok_and(|status| status.success()) {
            row("the same, stripped", format!("{:.1} MiB", size(&stripped)));
        }
    }
    if chosen.contains(&"build cost") {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/build-cost.sh");
        let output = Command::new(script).args(["1000", "3"]).output().expect("bash runs");
        let text = String::from_utf8_lossy(&output.stdout);
        for (command, cost) in
            text.lines().filter_map(|line| Some((line.get(..14)?, line.rsplit_once(": ")?.1)))
        {
            let a_step: f64 = cost.trim_end_matches(" ms a step").parse().unwrap_or(f64::NAN);
            row(
                &format!("CPU time of `cargo {}` for 100 steps more", command.trim()),
                format!("{:.2} s", a_step / 10.0),
            );
        }
    }
    format!("### Whole processes\n\n{table}")
}
