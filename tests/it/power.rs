//! The power is cut: what was acknowledged is there, and the rest is there or
//! not, but never in part.
//!
//! The store's files are copied at two moments that follow each other: when a
//! commit is acknowledged, and when the next one is. A disk that loses its
//! power in between holds anything that is made of both: each sector that was
//! on its way is old, new or torn, the file is as long as it was or as it was
//! to be, and a value is not there, half written under its other name, or
//! there. What is put between two `fsync` is kept in order: values are whole
//! before the log has anything of the commit that refers to them, and the log
//! is before any of it goes into the database. `-shm`, which is memory, is gone.
//!
//! That is a disk that does what it says: what it was asked to flush is flushed,
//! and a write harms no byte beside its own, as SQLite expects of all
//! (`SQLITE_IOCAP_POWERSAFE_OVERWRITE`). No disk that lies is simulated, nor a
//! file system that loses what it has flushed. And since a copy is made of what
//! the system has in memory, a store that forgot to flush would go unnoticed
//! here: that `synchronous` is FULL is read back when a store is opened.
//!
//! `WORKFLOW_CUTS=500 cargo test -p tests --test it power` cuts more often.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::types::Value;
use serde_json::json;
use support::Random;
use workflow_runtime::run::StepState;
use workflow_runtime::store::Sqlite;
use workflow_runtime::testing::block_on;
use workflow_runtime::{By, Engine, Operation};

use crate::deadly::Deadly;
use crate::files::{Scratch, assert_sound, beside, look, values};
use crate::storm::errands::{World, errand, page};
use crate::storm::{check_bookings, starts, wired};

/// The runs of the workload.
const RUNS: u64 = 2;

const SECTOR: usize = 512;

/// What a disk holds.
#[derive(Clone)]
struct Disk {
    database: Vec<u8>,
    log: Vec<u8>,
    values: BTreeMap<PathBuf, Vec<u8>>,
}

/// What may be on its way to a disk.
enum Writing {
    Log,
    Checkpoint,
}

impl Disk {
    fn of(database: &Path) -> Self {
        let value = |name: PathBuf| {
            let bytes = fs::read(beside(database, "-values").join(&name)).unwrap();
            (name, bytes)
        };
        Self {
            database: fs::read(database).unwrap(),
            log: fs::read(beside(database, "-wal")).unwrap(),
            values: values(database).into_iter().map(value).collect(),
        }
    }

    fn put(&self, database: &Path) {
        fs::create_dir_all(database.parent().unwrap()).unwrap();
        fs::write(database, &self.database).unwrap();
        fs::write(beside(database, "-wal"), &self.log).unwrap();
        for (name, bytes) in &self.values {
            let path = beside(database, "-values").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }

    /// What there is when the power is cut on the way to `next`.
    fn cut(&self, next: &Self, writing: &Writing, random: &mut Random) -> Self {
        match writing {
            // Values first, and the log once they are there.
            Writing::Log if random.chance(30) => {
                let mut disk = self.clone();
                for (name, bytes) in next.values.iter().filter(|(name, _)| !self.values.contains_key(*name)) {
                    match random.below(4) {
                        0 => {}
                        1 => drop(disk.values.insert(name.clone(), bytes.clone())),
                        kind => {
                            let mut half = bytes[..random.below(bytes.len() as u64) as usize].to_vec();
                            // As long as it is to be, before what is in it.
                            half.resize(if kind == 2 { half.len() } else { bytes.len() }, 0);
                            disk.values.insert(PathBuf::from("unfinished"), half);
                        }
                    }
                }
                disk
            }
            Writing::Log => Self {
                database: self.database.clone(),
                log: torn(&self.log, &next.log, random),
                values: next.values.clone(),
            },
            Writing::Checkpoint => {
                Self { database: torn(&self.database, &next.database, random), ..next.clone() }
            }
        }
    }
}

/// A file on its way from one content to another: up to a point all is
/// written, and what is behind that may be.
fn torn(old: &[u8], new: &[u8], random: &mut Random) -> Vec<u8> {
    let (short, long) = (old.len().min(new.len()), old.len().max(new.len()));
    let (length, written) = match random.below(4) {
        0 => return new.to_vec(),
        1 => (new.len(), 0),
        2 => (old.len(), random.below(old.len() as u64 + 1) as usize),
        _ => (short + random.below((long - short) as u64 + 1) as usize, random.below(long as u64) as usize),
    };
    let byte = |bytes: &[u8], at: usize| bytes.get(at).copied().unwrap_or_default();
    let mut torn = Vec::with_capacity(length);
    while torn.len() < length {
        let fate = if torn.len() < written { 1 } else { random.below(3) };
        for at in torn.len()..(torn.len() + SECTOR).min(length) {
            let (was, will_be) = (byte(old, at), byte(new, at));
            let untouched = was == will_be && at < old.len();
            torn.push(match fate {
                0 => was,
                1 => will_be,
                _ if untouched => was,
                _ => random.below(256) as u8,
            });
        }
    }
    torn
}

#[test]
fn promise_08_after_a_power_cut_what_was_acknowledged_is_there_and_nothing_is_in_part() {
    let cuts = std::env::var("WORKFLOW_CUTS").ok().map_or(6, |cuts| cuts.parse::<usize>().unwrap());
    let scratch = Scratch::new("power");
    let moments = workload(&scratch.path("runs.db"));
    assert!(moments.len() > 10, "only {} commits", moments.len());
    let (mut random, mut before, mut after) = (Random::new(7), 0, 0);
    for cut in 0..cuts {
        // All over the workload, and differently each time around.
        let (old, writing, new) = &moments[cut * 7 % moments.len()];
        let known = [old, new].map(|disk| {
            disk.put(&scratch.path("known/runs.db"));
            let known = content(&scratch.path("known/runs.db"));
            fs::remove_dir_all(scratch.path("known")).unwrap();
            known
        });
        let folder = scratch.path(&format!("cut-{cut}"));
        let database = folder.join("runs.db");
        old.cut(new, writing, &mut random).put(&database);
        assert_sound(&database);
        let found = content(&database);
        assert!(known.contains(&found), "cut {cut}: what is left is neither the one nor the other");
        if matches!(writing, Writing::Log) {
            before += usize::from(found == known[0]);
            after += usize::from(found == known[1]);
        }
        goes_on(&folder, &database);
        fs::remove_dir_all(&folder).unwrap();
    }
    // A few cuts may all be of one kind.
    if cuts >= 100 {
        assert!(before > cuts / 5 && after > cuts / 10, "{before} were as before, {after} as after");
    }
}

/// Some runs from their beginning to their end: every moment at which a commit
/// is acknowledged, with the next one.
fn workload(database: &Path) -> Vec<(Disk, Writing, Disk)> {
    let moments: Arc<Mutex<Vec<(Disk, Writing)>>> = Arc::default();
    let store = Arc::new(Sqlite::open(database).unwrap());
    let (seen, path) = (moments.clone(), database.to_owned());
    // On the thread that writes, between two commits: nothing is on its way.
    let witness = move || {
        let (mut seen, now) = (seen.lock().unwrap(), Disk::of(&path));
        // Commits that are acknowledged together are one moment.
        if seen.last().is_some_and(|(last, _)| last.log == now.log) {
            return;
        }
        seen.push((now, Writing::Log));
        if seen.len() % 9 == 0 {
            // As the store does by itself once the log is long enough.
            let shell = rusqlite::Connection::open(&path).unwrap();
            let busy: i64 = shell.query_row("PRAGMA wal_checkpoint", [], |row| row.get(0)).unwrap();
            assert_eq!(busy, 0);
            seen.last_mut().unwrap().1 = Writing::Checkpoint;
            seen.push((Disk::of(&path), Writing::Log));
        }
    };
    let store = Deadly::witnessed(store, witness);
    let folder = database.parent().unwrap();
    block_on(async {
        let engine = Engine::with_store(store.clone()).resources(World::new(folder)).start().await.unwrap();
        let mut runs = Vec::new();
        for number in 0..RUNS {
            runs.push(engine.start(errand(number)).key(number.to_string()).await.unwrap());
        }
        for run in runs {
            run.await.unwrap();
        }
        engine.shutdown().await;
    });
    let moments = std::mem::take(&mut *moments.lock().unwrap());
    let next: Vec<Disk> = moments.iter().skip(1).map(|(disk, _)| disk.clone()).collect();
    moments.into_iter().zip(next).map(|((disk, writing), next)| (disk, writing, next)).collect()
}

/// All rows of all tables, as SQLite reads them.
fn content(database: &Path) -> BTreeMap<String, Vec<Vec<Value>>> {
    let db = look(database).unwrap();
    // Where it is says nothing of what is in it.
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'opened_as'";
    let mut names = db.prepare(sql).unwrap();
    let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let table = |name: String| {
        let mut rows = db.prepare(&format!("SELECT * FROM {name} ORDER BY 1, 2")).unwrap();
        let columns = rows.column_count();
        let rows = rows.query_map([], |row| (0..columns).map(|column| row.get(column)).collect());
        let rows = rows.unwrap().map(Result::unwrap).collect();
        (name, rows)
    };
    names.into_iter().map(table).collect()
}

/// The runs get to their ends, and nothing that was done is done again.
fn goes_on(folder: &Path, database: &Path) {
    let done: BTreeSet<(String, String)> = {
        let db = look(database).unwrap();
        let mut done = db.prepare("SELECT id, path FROM steps WHERE state = 'succeeded'").unwrap();
        let done = done.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        done.map(Result::unwrap).collect()
    };
    block_on(async {
        let engine = Engine::open(database).resources(World::new(folder));
        let engine = engine.register::<errand>().start().await.unwrap();
        for number in 0..RUNS {
            let run = engine.start(errand(number)).key(number.to_string()).await.unwrap();
            while !run.state().is_ended() {
                let wire = run.snapshot().step("errand/wired").map(|step| step.state);
                if wire == Some(StepState::OutcomeUnknown) {
                    let value = json!(wired(number));
                    let set = Operation::Set { step: "errand/wired".to_owned(), value };
                    let by = By { actor: "ann".to_owned(), reason: None };
                    engine.operate(Some(run.id()), set, by).await.unwrap();
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(run.await.unwrap(), page(number).len() as u64 + wired(number));
        }
        engine.shutdown().await;
    });
    for (step, _) in starts(folder) {
        assert!(!done.contains(&step), "{step:?} started again after its success was acknowledged");
    }
    assert_eq!(check_bookings(database), 3 * RUNS as usize);
    assert_sound(database);
}
