//! Lines: written between the other writes, for whoever reads them.

use std::sync::mpsc;

use rusqlite::Connection;

use super::failing::hold;
use super::support::{Scratch, append, at, batch, create, wait};
use crate::store::sqlite::apply::{Tables, Work, WriteFailure};
use crate::store::{
    Durability, LogFilter, LogLevel, LogLine, Payload, RunRef, Sqlite, Store, StoreError, Transact,
    Transacted, Visitor,
};
use crate::task::transaction;

fn line(run: RunRef, seq: u64, text: &str) -> LogLine {
    let (path, level) = ("nightly/load[3]".into(), LogLevel::Warn);
    LogLine { run, path, attempt: 2, undo: false, seq, at: at(seq), level, text: text.into() }
}

fn texts(store: &Sqlite, run: RunRef) -> Vec<String> {
    let lines = store.logs(run, &LogFilter { at_most: usize::MAX, ..LogFilter::default() }).unwrap();
    lines.into_iter().map(|stored| String::from_utf8(stored.line.text).unwrap()).collect()
}

#[test]
fn people_read_them() {
    let scratch = Scratch::new();
    let store = Sqlite::open(scratch.path("runs.db")).unwrap();
    let run = create(&store, "a");
    let undo = LogLine { undo: true, level: LogLevel::Info, ..line(run, 1, "shop: undone") };
    wait(|done| store.log(vec![line(run, 0, "shop: late by=3s"), undo], done)).unwrap();
    let conn = Connection::open(store.path()).unwrap();
    let sql = "SELECT concat_ws('|', id, workflow, at, level, path, kind, attempt, line) FROM logs";
    let mut statement = conn.prepare(sql).unwrap();
    let shown: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(
        shown,
        [
            "a|nightly|2023-11-14 22:13:20.000|WARN|nightly/load[3]|attempt|2|shop: late by=3s",
            "a|nightly|2023-11-14 22:13:21.000|INFO|nightly/load[3]|undo|2|shop: undone",
        ]
    );
    let visitor = Visitor::open(store.path()).unwrap();
    assert_eq!(visitor.logs(run, &LogFilter::default()).unwrap().len(), 2);
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
}

/// However many lines are in front of it.
#[test]
fn no_commit_waits_for_lines() {
    let scratch = Scratch::new();
    let store = Sqlite::open(scratch.path("runs.db")).unwrap();
    let run = create(&store, "a");
    let go = hold(&store);
    let (said, heard) = mpsc::channel();
    for seq in 0..3_000 {
        let said = said.clone();
        store.log(vec![line(run, seq, "x")], Box::new(move |_| said.send("line").unwrap()));
    }
    let committed = said.clone();
    store.append(batch(run, 0), Box::new(move |_| committed.send("commit").unwrap()));
    go.send(()).unwrap();
    assert_eq!(heard.recv().unwrap(), "commit", "the commit is answered first");
    assert_eq!(heard.iter().take(3_000).filter(|what| *what == "line").count(), 3_000);
    assert_eq!(texts(&store, run).len(), 3_000);
}

#[test]
fn only_lines_do_not_wait_for_the_disk() {
    for (durability, usual) in [(Durability::Full, 2), (Durability::Relaxed, 1)] {
        let scratch = Scratch::new();
        let store = Sqlite::options().durability(durability).open(scratch.path("runs.db")).unwrap();
        let run = create(&store, "a");
        let synchronous = || wait(|done| store.writer.submit(Ok(Pragma), done)).unwrap();
        assert_eq!(synchronous(), usual);
        let (said, heard) = mpsc::channel();
        wait(|done| store.writer.mention(Ok(PragmaOfLines(said)), done)).unwrap();
        assert_eq!(heard.recv().unwrap(), 1);
        assert_eq!(synchronous(), usual, "every other commit does again");
        append(&store, batch(run, 0)).unwrap();
        let (said, _heard) = mpsc::channel();
        wait(|done| store.writer.mention(Ok(PragmaOfLines(said)), done)).unwrap();
        assert_eq!(synchronous_of_task(&store, run), usual, "so does what a task writes, right after them");
    }
}

fn synchronous_of_task(store: &Sqlite, run: RunRef) -> i64 {
    let (said, heard) = mpsc::channel();
    let work = Box::new(move || {
        let tx = transaction::lent()?;
        said.send(tx.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap()).unwrap();
        Some(Payload { type_name: "text".into(), bytes: Vec::new() })
    });
    let done = wait(|done| store.transact(Transact { run, key: "a".into(), work }, done));
    assert_eq!(done, Ok(Transacted::Done));
    heard.recv().unwrap()
}

fn pragma(tables: &Tables<'_>) -> i64 {
    tables.conn.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap()
}

struct Pragma;

impl Work for Pragma {
    type Outcome = i64;

    fn apply(&self, tables: &mut Tables<'_>) -> Result<i64, WriteFailure> {
        Ok(pragma(tables))
    }
}

struct PragmaOfLines(mpsc::Sender<i64>);

impl Work for PragmaOfLines {
    type Outcome = ();

    fn apply(&self, tables: &mut Tables<'_>) -> Result<(), WriteFailure> {
        self.0.send(pragma(tables)).unwrap();
        Ok(())
    }
}

#[test]
fn a_line_that_cannot_be_read_hides_no_other() {
    let scratch = Scratch::new();
    let store = Sqlite::open(scratch.path("runs.db")).unwrap();
    let run = create(&store, "a");
    wait(|done| store.log((0..3).map(|seq| line(run, seq, &seq.to_string())).collect(), done)).unwrap();
    let conn = Connection::open(store.path()).unwrap();
    conn.execute("UPDATE log_lines SET level = 'loud' WHERE seq = 1", []).unwrap();
    assert_eq!(texts(&store, run), ["0", "2"]);
    let found = store.check().unwrap();
    assert_eq!(found, ["table `log_lines`, row 2: `level` is `loud`, which is no level of a line"]);
}

#[test]
fn whoever_speaks_is_answered() {
    let scratch = Scratch::new();
    let store = Sqlite::open(scratch.path("runs.db")).unwrap();
    let run = create(&store, "a");
    // Also what is not yet due when the store is closed.
    let (said, heard) = mpsc::channel();
    store.log(vec![line(run, 0, "x")], Box::new(move |result| said.send(result).unwrap()));
    store.close();
    assert_eq!(heard.recv().unwrap(), Ok(()));
    assert_eq!(wait(|done| store.log(vec![line(run, 1, "y")], done)), Err(StoreError::Closed));
    let store = Sqlite::open(store.path()).unwrap();
    assert_eq!(texts(&store, run), ["x"]);
}
