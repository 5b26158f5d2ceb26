//! Writes that fail: who hears of it, and what is left.

use std::sync::{Arc, mpsc};

use super::support::{Scratch, append, batch, create, wait};
use crate::store::sqlite::apply::{Tables, Work, WriteFailure};
use crate::store::sqlite::errors::sqlite_error;
use crate::store::{Payload, Sqlite, Store, StoreError};

/// SQL for the connection that writes.
struct Sql(&'static str);

impl Work for Sql {
    type Outcome = ();

    fn apply(&self, tables: &mut Tables<'_>) -> Result<(), WriteFailure> {
        let done = tables.conn.execute_batch(self.0);
        done.map_err(|error| WriteFailure::Failed(sqlite_error(tables.path(), &error)))
    }
}

pub(super) fn sql(store: &Sqlite, sql: &'static str) {
    wait(|done| store.writer.submit(Ok(Sql(sql)), done)).unwrap();
}

/// Holds the writer up until told to go on, so that what comes meanwhile is
/// one group.
pub(super) fn hold(store: &Sqlite) -> mpsc::Sender<()> {
    let (go, gone) = mpsc::channel();
    let (reached, here) = mpsc::channel();
    let done = move |_: Result<(), StoreError>| {
        reached.send(()).unwrap();
        let _ = gone.recv();
    };
    store.writer.submit(Ok(Sql("")), Box::new(done));
    here.recv().unwrap();
    go
}

/// Sends a write and keeps its answer.
pub(super) fn send(store: &Sqlite, batch: crate::store::Batch) -> mpsc::Receiver<Result<(), StoreError>> {
    let (sender, answer) = mpsc::channel();
    store.append(batch, Box::new(move |result| sender.send(result).unwrap()));
    answer
}

fn open(scratch: &Scratch) -> Sqlite {
    Sqlite::open(scratch.path("runs.db")).unwrap()
}

#[test]
fn a_bad_write_fails_alone() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let (a, b) = (create(&store, "a"), create(&store, "b"));
    let go = hold(&store);
    let first = send(&store, batch(a, 0));
    let gap = send(&store, batch(b, 5));
    // Half of it works.
    let (sender, bad) = mpsc::channel();
    let broken = Sql("UPDATE runs SET workflow = 'half'; INSERT INTO nowhere VALUES (1)");
    store.writer.submit(Ok(broken), Box::new(move |result| sender.send(result).unwrap()));
    let (second, other) = (send(&store, batch(a, 1)), send(&store, batch(b, 0)));
    go.send(()).unwrap();
    assert!(matches!(bad.recv().unwrap(), Err(StoreError::Other { .. })));
    assert!(matches!(gap.recv().unwrap(), Err(StoreError::OutOfOrder { expected: 0, got: 5, .. })));
    for answer in [first, second, other] {
        assert_eq!(answer.recv().unwrap(), Ok(()));
    }
    assert_eq!((store.journal(a).unwrap().len(), store.journal(b).unwrap().len()), (2, 1));
    assert_eq!(store.find("a").unwrap()[0].workflow, "nightly");
}

#[test]
fn a_commit_that_fails_fails_everyone_in_it() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let run = create(&store, "a");
    append(&store, batch(run, 0)).unwrap();
    let go = hold(&store);
    let first = send(&store, batch(run, 1));
    // An entry without its run, which SQLite only looks at when it commits.
    let orphan = "PRAGMA defer_foreign_keys = 1; \
                  INSERT INTO journal (run, seq, at, event) VALUES (777, 0, 0, '')";
    store.writer.submit(Ok(Sql(orphan)), Box::new(|result| assert!(result.is_err())));
    let second = send(&store, batch(run, 2));
    go.send(()).unwrap();
    assert!(first.recv().unwrap().is_err() && second.recv().unwrap().is_err());
    assert_eq!(store.journal(run).unwrap().len(), 1, "nothing of it is there");
    // What was sent after the failed ones does not leave a gap.
    let late = append(&store, batch(run, 3));
    assert_eq!(late, Err(StoreError::OutOfOrder { run, expected: 1, got: 3 }));
    append(&store, batch(run, 1)).unwrap();
}

/// On a disk that is really full, given as `WORKFLOW_SMALL_DISK`: a directory
/// on a file system of a few megabytes that nobody else uses.
#[test]
#[ignore = "it takes a disk of its own"]
fn a_real_disk_that_is_full() {
    let Some(disk) = std::env::var_os("WORKFLOW_SMALL_DISK").map(std::path::PathBuf::from) else { return };
    let (path, ballast) = (disk.join("runs.db"), disk.join("ballast"));
    let store = Sqlite::open(&path).unwrap();
    let run = create(&store, "a");
    std::fs::write(&ballast, vec![0; 512 << 10]).unwrap();
    let mut sent = Vec::new();
    while store.trouble().is_none() {
        sent.push(send(&store, batch(run, sent.len() as u64)));
    }
    assert!(matches!(store.trouble().unwrap().error, StoreError::Full { .. }));
    std::fs::remove_file(&ballast).unwrap();
    let durable = sent.iter().map(|answer| answer.recv().unwrap()).filter(|answer| answer.is_ok()).count();
    assert_eq!(durable, sent.len());
    store.close();
    let store = Sqlite::open(&path).unwrap();
    assert_eq!(store.journal(run).unwrap().len(), sent.len());
    assert!(store.check().unwrap().is_empty());
}

#[test]
fn a_value_that_is_too_large_is_named() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let run = create(&store, "a");
    let mut large = batch(run, 0);
    let bytes = vec![b' '; crate::store::sqlite::LIMIT + 1];
    large.entries[0].value = Some(Payload { type_name: "Everything".into(), bytes });
    let error = append(&store, large).unwrap_err();
    assert!(error.to_string().starts_with("a value of type `Everything` has 268435457 bytes"), "{error}");
    append(&store, batch(run, 0)).unwrap();
}

#[test]
fn an_answer_may_panic_close_or_drop_the_store() {
    let scratch = Scratch::new();
    let store = Arc::new(open(&scratch));
    let run = create(&*store, "a");
    store.append(batch(run, 0), Box::new(|_| panic!("this is expected")));
    append(&*store, batch(run, 1)).unwrap();
    // It cannot wait for itself.
    let inner = store.clone();
    let removed = wait(|done| {
        store.append(
            batch(run, 2),
            Box::new(move |_| done(inner.remove_ended_before(super::support::at(0), 1))),
        );
    });
    assert!(removed.is_err());
    let inner = store.clone();
    wait(|done| {
        store.append(
            batch(run, 3),
            Box::new(move |result| {
                inner.close();
                done(result);
            }),
        );
    })
    .unwrap();
    assert_eq!(append(&*store, batch(run, 4)), Err(StoreError::Closed));
    drop(store);
    // The thread lets go of the lock on its own time.
    let store = loop {
        match Sqlite::open(scratch.path("runs.db")) {
            Err(StoreError::InUse { .. }) => std::thread::yield_now(),
            other => break other.unwrap(),
        }
    };
    assert_eq!(store.journal(run).unwrap().len(), 4);
}
