//! The process dies without a word: what was answered is there.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::support::{Random, Scratch, batch, create};
use crate::store::{Payload, RunRef, Sqlite, Store, StoreError};

/// Tells the test below that it is the child, and where its store is.
const STORE: &str = "WORKFLOW_STORE_OF_CHILD";

const RUNS: usize = 4;

/// This same program, running only the test below.
pub(super) fn spawn(store: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "store::sqlite::tests::crash::child"])
        .env(STORE, store)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Appends to a few runs until it is killed, and says what was answered.
#[test]
fn child() {
    let Some(path) = std::env::var_os(STORE) else { return };
    let store: &'static Sqlite = Box::leak(Box::new(Sqlite::open(path).unwrap()));
    fn next(store: &'static Sqlite, number: usize, run: RunRef, seq: u64) {
        let done = Box::new(move |result: Result<(), StoreError>| {
            result.unwrap();
            // Past the test harness, which may hold lines back.
            let line = format!("\nanswered {number} {seq}\n");
            std::io::stdout().write_all(line.as_bytes()).unwrap();
            std::io::stdout().flush().unwrap();
            next(store, number, run, seq + 1);
        });
        let mut batch = batch(run, seq);
        // Some of them beside the database.
        if seq % 16 == 7 {
            let bytes = vec![seq as u8; 70_000];
            batch.entries[0].value = Some(Payload { type_name: "Large".into(), bytes });
        }
        store.append(batch, done);
    }
    for number in 0..RUNS {
        let run = create(store, &number.to_string());
        next(store, number, run, store.journal(run).unwrap().len() as u64);
    }
    loop {
        std::thread::park();
    }
}

/// What a line says was answered: which run, which entry.
fn answered(line: &str) -> Option<(usize, u64)> {
    let (number, seq) = line.strip_prefix("answered ")?.strip_suffix('\n')?.split_once(' ')?;
    Some((number.parse().unwrap(), seq.parse().unwrap()))
}

#[test]
fn what_was_answered_survives_kill_9() {
    let kills = std::env::var("WORKFLOW_KILLS").map_or(20, |kills| kills.parse().unwrap());
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let mut random = Random(0x5eed);
    let mut lengths = [0; RUNS];
    for kill in 0..kills {
        let mut child = spawn(&path);
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut left = 1 + random.below(400);
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap() > 0 {
            if let Some((number, seq)) = answered(&line) {
                assert!(seq >= lengths[number], "an entry was written twice");
                lengths[number] = seq + 1;
                left = left.saturating_sub(1);
                if left == 0 {
                    child.kill().unwrap();
                }
            }
            line.clear();
        }
        assert!(!child.wait().unwrap().success());
        let store = Sqlite::open(&path).unwrap();
        for (number, length) in lengths.iter_mut().enumerate() {
            // That it has no gap and every value, the store checks itself.
            let found = store.journal(create(&store, &number.to_string())).unwrap().len() as u64;
            assert!(found >= *length, "kill {kill}: run {number} lost entries {found} to {length}");
            *length = found;
        }
        assert!(store.check().unwrap().is_empty());
    }
    assert!(lengths.iter().sum::<u64>() > 0);
}

#[test]
fn a_second_process_is_refused_until_the_first_is_gone() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let mut child = spawn(&path);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while !lines.next().unwrap().unwrap().starts_with("answered ") {}
    let error = Sqlite::open(&path).unwrap_err();
    assert_eq!(error, StoreError::InUse { path: path.clone(), pid: Some(child.id()) });
    assert!(error.to_string().contains(&format!("in use by process {}", child.id())), "{error}");
    child.kill().unwrap();
    child.wait().unwrap();
    // At once: there is no lease to wait out.
    Sqlite::open(&path).unwrap();
}
