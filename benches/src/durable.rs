//! Runs that are kept: steps a second, with what each has to make durable.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::contestant::{Boxed, Once};
use crate::measure::{many, median, ratio};
use crate::table::{Table, number};
use crate::{disk, ours};

/// Runs that are chains.
#[derive(Clone, Copy)]
pub struct Load {
    pub name: &'static str,
    pub runs: usize,
    pub steps: usize,
    pub at_a_time: usize,
    /// What the engine writes for one run, which the floors write too.
    pub written: Written,
}

#[derive(Clone, Copy, Default)]
pub struct Written {
    pub records: usize,
    /// Of a record, on average.
    pub bytes: usize,
}

pub const LOADS: [Load; 2] = [
    Load {
        name: "a run of 1,000",
        runs: 1,
        steps: 1_000,
        at_a_time: 1,
        written: Written { records: 0, bytes: 0 },
    },
    Load {
        name: "1,000 runs of 10",
        runs: 1_000,
        steps: 10,
        at_a_time: 64,
        written: Written { records: 0, bytes: 0 },
    },
];

pub struct Keeper {
    pub name: &'static str,
    /// What a commit survives, in the words of its store.
    pub durability: &'static str,
    /// One who is that much slower makes so much fewer of the many runs.
    pub fewer: usize,
    /// Makes the runs with a new store in an empty folder. What it takes is
    /// the runs alone: the store is opened before and closed after.
    pub turn: fn(Load, PathBuf) -> Boxed<Duration>,
}

const REFERENCE: &str = disk::SQLITE.name;

pub fn keepers() -> Vec<Keeper> {
    #[cfg_attr(not(feature = "peers"), allow(unused_mut, reason = "the peers are added"))]
    let mut keepers = vec![disk::FILE, disk::SQLITE, ours::DURABLE];
    #[cfg(feature = "peers")]
    keepers.extend([crate::cano::REDB, DUROXIDE, APALIS]);
    keepers
}

/// Makes the runs of a load, each of which gives how many steps it had.
pub async fn timed(once: Once, load: Load) -> Duration {
    let began = Instant::now();
    if load.runs == 1 {
        assert_eq!(once().await, load.steps as u64);
    } else {
        many(&once, load.runs, load.at_a_time).await;
    }
    began.elapsed()
}

pub async fn table(loads: &[Load], rounds: usize, folder: &Path) -> String {
    let keepers = keepers();
    let mut turns: HashMap<(usize, &str), Vec<f64>> = HashMap::new();
    for (place, load) in loads.iter().enumerate() {
        eprintln!("durable: {}", load.name);
        let load = Load { written: ours::written(*load, emptied(folder)).await, ..*load };
        for _ in 0..rounds {
            for keeper in &keepers {
                let runs = if load.runs == 1 { 1 } else { load.runs / keeper.fewer };
                let took = (keeper.turn)(Load { runs, ..load }, emptied(folder)).await;
                let a_second = (runs * load.steps) as f64 / took.as_secs_f64();
                turns.entry((place, keeper.name)).or_default().push(a_second);
            }
        }
    }
    let head = ["", "durability"].into_iter().chain(loads.iter().map(|load| load.name));
    let mut table = Table::new(head);
    for Keeper { name, durability, .. } in &keepers {
        let cells = (0..loads.len()).map(|place| {
            let (own, reference) = (&turns[&(place, *name)], &turns[&(place, REFERENCE)]);
            format!("{} ({:.2})", number(median(own)), ratio(own, reference))
        });
        table.row([(*name).to_owned(), (*durability).to_owned()].into_iter().chain(cells));
    }
    format!("### Durable: steps a second\n\nIn brackets: times the reference, `{REFERENCE}`.\n\n{table}")
}

/// An empty folder in it.
fn emptied(folder: &Path) -> PathBuf {
    let empty = folder.join("durable");
    let _ = std::fs::remove_dir_all(&empty);
    std::fs::create_dir_all(&empty).expect("a folder can be made");
    empty
}

#[cfg(feature = "peers")]
const DUROXIDE: Keeper = Keeper {
    name: "duroxide 0.1",
    durability: "SQLite WAL, NORMAL",
    fewer: 10,
    turn: |load, folder| child("bench-duroxide", load, folder),
};

#[cfg(feature = "peers")]
const APALIS: Keeper = Keeper {
    name: "apalis 1.0",
    durability: "SQLite WAL, OFF or FULL by connection",
    fewer: 10,
    turn: |load, folder| child("bench-apalis", load, folder),
};

/// Has a program beside this one make the runs; it prints how many seconds
/// they took.
#[cfg(feature = "peers")]
fn child(name: &'static str, load: Load, folder: PathBuf) -> Boxed<Duration> {
    Box::pin(async move {
        let program = std::env::current_exe().expect("it is known").with_file_name(name);
        let numbers = [load.runs, load.steps, load.at_a_time].map(|number| number.to_string());
        let output = tokio::process::Command::new(program)
            .args(numbers)
            .arg(folder)
            .output()
            .await
            .expect("it was built");
        // Last: duroxide prints its warnings there too.
        let text = String::from_utf8_lossy(&output.stdout);
        let seconds = text.lines().last().and_then(|line| line.parse().ok());
        Duration::from_secs_f64(seconds.unwrap_or_else(|| panic!("{name} failed: {output:?}")))
    })
}
