//! Removing many runs: commits get through, nothing looks damaged meanwhile,
//! and the room is given back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::support::{Scratch, append, at, batch, create};
use crate::store::{RunFilter, Sqlite, Store, StoreError, Visitor};

/// A store with so many runs that ended long ago.
fn with_old_runs(scratch: &Scratch, runs: i64) -> Sqlite {
    let path = scratch.path("runs.db");
    Sqlite::open(&path).unwrap().close();
    let conn = Connection::open(&path).unwrap();
    let sql = format!(
        "INSERT INTO runs (run, id, workflow, fingerprint, params, state, created_at, ended_at) \
         WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {runs}) \
         SELECT n, printf('old-%d', n), 'nightly', 7, '[]', 'succeeded', n, n FROM number; \
         INSERT INTO journal (run, seq, at, event) \
         SELECT run, seq, 1, hex(zeroblob(100)) FROM runs, (SELECT 0 AS seq UNION SELECT 1 UNION SELECT 2);"
    );
    conn.execute_batch(&sql).unwrap();
    drop(conn);
    Sqlite::open(&path).unwrap()
}

#[test]
fn commits_get_through_while_many_runs_are_removed_and_nothing_looks_damaged() {
    let scratch = Scratch::new();
    let store = with_old_runs(&scratch, 4_000);
    let run = create(&store, "new");
    let done = AtomicBool::new(false);
    let commits = std::thread::scope(|scope| {
        let removing = scope.spawn(|| {
            let removed = store.remove_ended_before(at(0), 4_000);
            done.store(true, Ordering::SeqCst);
            removed
        });
        let visitor = scope.spawn(|| {
            let visitor = Visitor::open(store.path()).unwrap();
            while !done.load(Ordering::SeqCst) {
                assert_eq!(store.check().unwrap(), Vec::<String>::new());
                let page =
                    visitor.list(&RunFilter { at_most: 100, before: Some(run), ..RunFilter::default() });
                for old in page.unwrap() {
                    match visitor.journal(old.run) {
                        Ok(journal) => assert_eq!(journal.len(), 3),
                        Err(error) => assert!(matches!(error, StoreError::UnknownRun { .. }), "{error}"),
                    }
                }
            }
        });
        let mut commits = 0;
        while !done.load(Ordering::SeqCst) {
            append(&store, batch(run, commits)).unwrap();
            commits += 1;
        }
        assert_eq!(removing.join().unwrap(), Ok(4_000));
        visitor.join().unwrap();
        commits
    });
    // In one transaction there would be hardly any.
    assert!(commits >= 20, "{commits} commits beside 4,000 removals");
    assert_eq!(store.journal(run).unwrap().len() as u64, commits);
    let left = store.list(&RunFilter { at_most: 10, ..RunFilter::default() }).unwrap();
    assert_eq!(left.iter().map(|run| &*run.id).collect::<Vec<_>>(), ["new"]);
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
}

fn pages(store: &Sqlite, pragma: &str) -> i64 {
    let conn = Connection::open(store.path()).unwrap();
    conn.pragma_query_value(None, pragma, |row| row.get(0)).unwrap()
}

#[test]
fn the_room_of_removed_runs_is_given_back() {
    let scratch = Scratch::new();
    let store = with_old_runs(&scratch, 4_000);
    let before = pages(&store, "page_count");
    assert_eq!(store.remove_ended_before(at(0), 10_000), Ok(4_000));
    let late = Instant::now() + Duration::from_secs(30);
    while pages(&store, "page_count") > before / 4 {
        assert!(Instant::now() < late, "{} of {before} pages", pages(&store, "page_count"));
        std::thread::yield_now();
    }
    store.close();
    let store = Sqlite::open(store.path()).unwrap();
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
}

#[test]
fn a_small_file_of_an_earlier_version_is_made_to_give_room_back() {
    let scratch = Scratch::new();
    let store = with_old_runs(&scratch, 100);
    store.close();
    let conn = Connection::open(store.path()).unwrap();
    conn.execute_batch("PRAGMA auto_vacuum = 0; VACUUM;").unwrap();
    drop(conn);
    assert_eq!(pages(&store, "auto_vacuum"), 0);
    let store = Sqlite::open(store.path()).unwrap();
    assert_eq!(pages(&store, "auto_vacuum"), 2);
    assert_eq!(store.list(&RunFilter { at_most: 200, ..RunFilter::default() }).unwrap().len(), 100);
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
}
