//! What tasks write, and what is noted of it.

use rusqlite::Connection;

use super::support::{Scratch, append, at, batch, create, wait};
use super::*;
use crate::run::RunState;
use crate::store::RunEnd;
use crate::store::sqlite::values::INLINE;
use crate::task::transaction;

fn given(text: &str) -> Payload {
    Payload { type_name: "text".into(), bytes: text.as_bytes().to_vec() }
}

/// Has some SQL done under a key. An error of SQLite's gives nothing back.
fn transact(store: &dyn Store, run: RunRef, key: &str, sql: &'static str) -> Result<Transacted, StoreError> {
    let work = Box::new(move || {
        let tx = transaction::lent().unwrap();
        tx.execute_batch(sql).is_ok().then(|| given(sql))
    });
    wait(|done| store.transact(Transact { run, key: key.to_owned(), work }, done))
}

fn open(scratch: &Scratch) -> (Sqlite, RunRef) {
    let store = Sqlite::open(scratch.path("runs.db")).unwrap();
    let run = create(&store, "run");
    let table = transact(&store, run, "table", "CREATE TABLE ledger (cents INTEGER UNIQUE)");
    assert_eq!(table, Ok(Transacted::Done));
    (store, run)
}

/// What is in the ledger, as another program sees it.
fn ledger(scratch: &Scratch) -> Vec<i64> {
    let conn = Connection::open(scratch.path("runs.db")).unwrap();
    let mut cents = conn.prepare("SELECT cents FROM ledger ORDER BY cents").unwrap();
    cents.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn it_is_done_once_under_its_key() {
    let scratch = Scratch::new();
    let (store, run) = open(&scratch);
    let add = "INSERT INTO ledger VALUES (7)";
    assert_eq!(transact(&store, run, "a", add), Ok(Transacted::Done));
    assert_eq!(transact(&store, run, "a", add), Ok(Transacted::Before(given(add))));
    assert_eq!(ledger(&scratch), [7]);
    assert_eq!(store.effect(run, "a"), Ok(Some(given(add))));
    assert_eq!(store.effect(run, "b"), Ok(None));

    drop(store);
    let store = Sqlite::open(scratch.path("runs.db")).unwrap();
    assert_eq!(transact(&store, run, "a", add), Ok(Transacted::Before(given(add))));
    assert_eq!(store.check(), Ok(Vec::new()));
}

#[test]
fn what_gives_nothing_back_leaves_nothing() {
    let scratch = Scratch::new();
    let (store, run) = open(&scratch);
    let fails = "INSERT INTO ledger VALUES (7); INSERT INTO nowhere VALUES (7)";
    assert_eq!(transact(&store, run, "a", fails), Ok(Transacted::Nothing));
    let work = Box::new(|| {
        transaction::lent().unwrap().execute_batch("INSERT INTO ledger VALUES (8)").unwrap();
        panic!("on the way")
    });
    let panicked = wait(|done| store.transact(Transact { run, key: "b".to_owned(), work }, done));
    assert_eq!(panicked, Ok(Transacted::Nothing));
    assert_eq!(ledger(&scratch), [0_i64; 0]);
    // The thread goes on, and lends nothing to what it writes itself.
    append(&store, batch(run, 0)).unwrap();
    assert_eq!(transact(&store, run, "a", "INSERT INTO ledger VALUES (9)"), Ok(Transacted::Done));
    assert_eq!(ledger(&scratch), [9]);
}

#[test]
fn a_transaction_that_is_ended_by_hand_leaves_nothing() {
    let scratch = Scratch::new();
    let (store, run) = open(&scratch);
    for (number, sql) in [
        "INSERT INTO ledger VALUES (1); ROLLBACK",
        "INSERT INTO ledger VALUES (2); ROLLBACK; BEGIN; INSERT INTO ledger VALUES (3)",
        "INSERT INTO ledger VALUES (4); INSERT OR ROLLBACK INTO ledger VALUES (4)",
        "INSERT INTO ledger VALUES (5); COMMIT",
        "ROLLBACK; INSERT INTO ledger VALUES (6)",
    ]
    .into_iter()
    .enumerate()
    {
        // What SQLite refuses at once gives nothing back; the rest would.
        let work = Box::new(move || {
            let tx = transaction::lent().unwrap();
            for statement in sql.split("; ") {
                let _ = tx.execute_batch(statement);
            }
            Some(given("done"))
        });
        let ended = wait(|done| store.transact(Transact { run, key: number.to_string(), work }, done));
        assert_eq!(ended, Ok(Transacted::Ended), "{sql}");
        assert_eq!(ledger(&scratch), [0_i64; 0], "{sql}");
        assert_eq!(store.effect(run, &number.to_string()), Ok(None));
    }
    let savepoint =
        "SAVEPOINT a; INSERT INTO ledger VALUES (1); ROLLBACK TO a; INSERT INTO ledger VALUES (2)";
    assert_eq!(transact(&store, run, "a", savepoint), Ok(Transacted::Done));
    assert_eq!(ledger(&scratch), [2]);
}

#[test]
fn a_commit_that_fails_is_told_and_can_be_tried_again() {
    let scratch = Scratch::new();
    let (store, run) = open(&scratch);
    let child = "CREATE TABLE child (cents INTEGER REFERENCES ledger (cents) DEFERRABLE INITIALLY DEFERRED)";
    assert_eq!(transact(&store, run, "child", child), Ok(Transacted::Done));
    let orphan = transact(&store, run, "a", "INSERT INTO child VALUES (7)");
    assert!(orphan.as_ref().unwrap_err().to_string().contains("FOREIGN KEY"), "{orphan:?}");
    assert_eq!(
        transact(&store, run, "a", "INSERT INTO child VALUES (7); INSERT INTO ledger VALUES (7)"),
        Ok(Transacted::Done)
    );
}

#[test]
fn it_keeps_its_place_among_other_writes_and_is_answered_when_the_store_closes() {
    let scratch = Scratch::new();
    let (store, run) = open(&scratch);
    let (order, told) = std::sync::mpsc::channel();
    let tell = |what: &'static str| {
        let order = order.clone();
        move || order.send(what).unwrap()
    };
    let (before, during, after) = (tell("before"), tell("during"), tell("after"));
    store.append(batch(run, 0), Box::new(move |result| result.map(|()| before()).unwrap()));
    let work = Box::new(|| Some(given("")));
    let done = Box::new(move |result: Result<_, _>| result.map(|_| during()).unwrap());
    store.transact(Transact { run, key: "a".to_owned(), work }, done);
    store.append(batch(run, 1), Box::new(move |result| result.map(|()| after()).unwrap()));
    store.close();
    assert_eq!(told.try_iter().collect::<Vec<_>>(), ["before", "during", "after"]);
    assert_eq!(transact(&store, run, "b", ""), Err(StoreError::Closed));
}

#[test]
fn a_large_result_is_beside_the_database_and_goes_with_the_run() {
    let scratch = Scratch::new();
    let (store, run) = open(&scratch);
    let large = "x".repeat(INLINE + 1);
    let there = large.clone();
    let work = Box::new(move || Some(given(&there)));
    wait(|done| store.transact(Transact { run, key: "a".to_owned(), work }, done)).unwrap();
    let values = || walk(&scratch.path("runs.db-values"));
    assert_eq!(values(), 1);
    drop(store);
    let store = Sqlite::open(scratch.path("runs.db")).unwrap();
    assert_eq!(store.effect(run, "a"), Ok(Some(given(&large))));
    assert_eq!(store.check(), Ok(Vec::new()));

    let end = RunEnd { state: RunState::Succeeded, at: at(1), result: None, error: None };
    append(&store, Batch { run, end: Some(end), ..Batch::default() }).unwrap();
    assert_eq!(store.remove_ended_before(at(2), 10), Ok(1));
    assert_eq!(store.effect(run, "a"), Ok(None));
    assert_eq!(values(), 0);
}

/// How many files there are.
fn walk(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { walk(&path) } else { 1 }).sum()
}
