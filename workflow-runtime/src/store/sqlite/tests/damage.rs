//! Files and rows that are not what was written: errors that say where, and
//! never a panic.

use std::path::Path;

use rusqlite::Connection;

use super::support::{Random, Scratch, append, at, batch, create};
use crate::store::{RunFilter, Sqlite, Store, StoreError, Unfinished};

/// The files of a store that was not closed: its log holds everything.
fn unclosed(scratch: &Scratch, entries: u64) -> (Vec<u8>, Vec<u8>) {
    let path = scratch.path("original.db");
    let store = Sqlite::open(&path).unwrap();
    let run = create(&store, "a");
    for seq in 0..entries {
        append(&store, batch(run, seq)).unwrap();
    }
    (std::fs::read(&path).unwrap(), std::fs::read(scratch.path("original.db-wal")).unwrap())
}

/// Opens what is left and reads everything. How many entries there are, or
/// why that cannot be said.
fn read_all(path: &Path) -> Result<u64, StoreError> {
    let store = Sqlite::open(path)?;
    store.unfinished(None, 10)?;
    let runs = store.list(&RunFilter::default())?;
    let mut entries = 0;
    for run in runs {
        entries += store.journal(run.run)?.len() as u64;
    }
    // It may find what reading does not come across.
    store.check()?;
    Ok(entries)
}

#[test]
fn a_torn_log_leaves_a_prefix() {
    let scratch = Scratch::new();
    let (database, log) = unclosed(&scratch, 40);
    let path = scratch.path("torn.db");
    let mut random = Random(11);
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..60 {
        let mut torn = log.clone();
        if round % 2 == 0 {
            torn.truncate(random.below(log.len()));
        } else {
            let at = random.below(log.len());
            torn[at] ^= 1 << random.below(8);
        }
        std::fs::write(&path, &database).unwrap();
        std::fs::write(scratch.path("torn.db-wal"), &torn).unwrap();
        let entries = read_all(&path).unwrap();
        assert!(entries <= 40);
        seen.insert(entries);
        for name in ["torn.db-wal", "torn.db-shm"] {
            drop(std::fs::remove_file(scratch.path(name)));
        }
    }
    assert!(seen.len() > 10, "cuts of every length were tried: {seen:?}");
}

#[test]
fn a_truncated_or_overwritten_file_never_panics() {
    let scratch = Scratch::new();
    let path = scratch.path("original.db");
    let store = Sqlite::open(&path).unwrap();
    let run = create(&store, "a");
    for seq in 0..200 {
        append(&store, batch(run, seq)).unwrap();
    }
    store.close();
    let database = std::fs::read(&path).unwrap();
    assert_eq!(read_all(&path), Ok(200));
    let damaged = scratch.path("damaged.db");
    let mut random = Random(12);
    let mut errors = 0;
    for round in 0..120 {
        let mut bytes = database.clone();
        match round % 3 {
            0 => bytes.truncate(1 + random.below(database.len() - 1)),
            1 => {
                let at = random.below(database.len());
                bytes[at] ^= 1 << random.below(8);
            }
            _ => {
                // A page of something else, as after a disk's mistake.
                let page = 4_096 * random.below(database.len() / 4_096);
                bytes[page..page + 4_096].iter_mut().for_each(|byte| *byte = random.below(256) as u8);
            }
        }
        std::fs::write(&damaged, &bytes).unwrap();
        if let Err(error) = read_all(&damaged) {
            errors += 1;
            let clear = matches!(
                error,
                StoreError::Damaged { .. } | StoreError::NotOurs { .. } | StoreError::NewerSchema { .. }
            );
            assert!(clear || error.to_string().contains("damaged.db"), "{error:?}");
        }
        for name in ["damaged.db-wal", "damaged.db-shm"] {
            drop(std::fs::remove_file(scratch.path(name)));
        }
    }
    assert!(errors > 40, "{errors}");
}

#[test]
fn a_file_cut_at_a_page_is_told() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let store = Sqlite::open(&path).unwrap();
    create(&store, "a");
    store.close();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..8_192]).unwrap();
    assert!(matches!(Sqlite::open(&path), Err(StoreError::Damaged { .. })));
    assert!(std::fs::read(&path).unwrap() == bytes[..8_192]);
}

#[test]
fn a_row_that_cannot_be_read_is_named_and_hides_no_other() {
    let scratch = Scratch::new();
    let mut number = 0;
    let mut check = |sql: &str, place: &str, what: &str| {
        number += 1;
        let path = scratch.path(&format!("{number}.db"));
        let store = Sqlite::open(&path).unwrap();
        let run = create(&store, "a");
        for seq in 0..3 {
            append(&store, batch(run, seq)).unwrap();
        }
        let other = create(&store, "b");
        append(&store, batch(other, 0)).unwrap();
        let shell = Connection::open(&path).unwrap();
        shell.execute_batch(&format!("PRAGMA foreign_keys = 0; {sql}")).unwrap();
        let read = || {
            store.find("a")?;
            store.journal(run)
        };
        let error = read().expect_err(sql);
        assert!(matches!(error, StoreError::Damaged { .. }), "{sql}: {error}");
        let words = error.to_string();
        assert!(words.contains(place) && words.contains(what), "{sql}: {words}");
        let lines = store.check().unwrap();
        assert!(lines.iter().any(|line| line.contains(place) && line.contains(what)), "{sql}: {lines:?}");
        // The others are as they were, on a page that has room for one run too.
        let pages = [
            store.list(&RunFilter { at_most: 1, ..RunFilter::default() }),
            store.unfinished(Some(run), 1),
            store.unfinished_where(Unfinished::Awake(at(0)), Some(run), 1),
            store.find("b"),
        ];
        for page in pages {
            assert_eq!(page.unwrap().first().map(|run| run.run), Some(other), "{sql}");
        }
        if error.to_string().contains("table `runs`") {
            for page in [store.unfinished(None, 1), store.unfinished_where(Unfinished::Awake(at(0)), None, 1)]
            {
                // Whoever has ended, if only by a mistake, is in neither.
                assert_eq!(page.unwrap().first().map(|run| run.run), Some(other), "{sql}");
            }
            let all = store.list(&RunFilter::default()).unwrap();
            assert_eq!(all.len(), 1, "{sql}");
        }
        assert_eq!(store.journal(other).unwrap().len(), 1);
        let mut journals = Vec::new();
        store.journals(&[run, other], &mut |_, journal| journals.push(journal));
        assert_eq!(journals, [store.journal(run), store.journal(other)], "{sql}");
        // Writing meets the same rows.
        drop(append(&store, batch(run, 3)));
        drop(super::support::wait(|done| store.create(super::support::new_run("a"), done)));
    };
    let (runs, journal) = ("table `runs`, row 1: ", "table `journal`, row 2: ");
    let mut check_run = |change: &str, what: &str| {
        check(&format!("UPDATE runs SET {change} WHERE run = 1"), runs, what);
    };
    check_run("state = 'dancing'", "`state` is `dancing`");
    check_run("state = 'failed'", "`state` and `ended_at` do not agree");
    check_run("ended_at = 1", "`state` and `ended_at` do not agree");
    check_run("created_at = -1", "`created_at` is -1");
    check_run("params = 7", "`params` is integer, not a value");
    check_run("result = 'x'", "`result` and `result_type`");
    check_run("error = '{}'", "`error` cannot be read: missing field");
    check_run("workflow = CAST(x'ff' AS TEXT)", "`workflow` is not UTF-8");
    check_run("parent = 'x'", "`parent` and `parent_how`");
    check("UPDATE journal SET seq = 7 WHERE seq = 1 AND run = 1", "row 3: ", "`seq` is 2 where 1 follows");
    check("UPDATE journal SET seq = -7 WHERE seq = 1", journal, "`seq` is -7 where 0 follows");
    check("DELETE FROM journal WHERE seq = 0 AND run = 1", journal, "`seq` is 1 where 0 follows");
    check("UPDATE journal SET at = -1 WHERE seq = 1", journal, "`at` is -1");
    check("UPDATE journal SET event = CAST(x'c328' AS TEXT) WHERE seq = 1", journal, "`event` is not UTF-8");
    check("UPDATE journal SET value = 1.5 WHERE seq = 1", journal, "`value` is real, not a value");
    check("UPDATE journal SET value = NULL WHERE seq = 1", journal, "`value` and `value_type`");
    check("UPDATE journal SET value_file = 'x' WHERE seq = 1", journal, "`value` and `value_file`");
    let nowhere = "UPDATE journal SET value = NULL, value_file = '../../etc/passwd' WHERE seq = 1";
    check(nowhere, journal, "`value_file` is `../../etc/passwd`, which names no value");
}

/// Somebody's shell may do anything while the store is open.
#[test]
fn a_table_that_is_gone_is_an_error() {
    let scratch = Scratch::new();
    let store = Sqlite::open(scratch.path("runs.db")).unwrap();
    let run = create(&store, "a");
    Connection::open(store.path()).unwrap().execute_batch("DROP TABLE journal").unwrap();
    let error = append(&store, batch(run, 0)).unwrap_err();
    assert!(error.to_string().contains("no such table"), "{error}");
    assert!(store.journal(run).is_err());
}
