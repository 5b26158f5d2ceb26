//! What keeping runs costs at least, by hand: a writer thread that commits the
//! records of all who wait, together. As many commits a run as the engine has,
//! and as many records of the same size; nothing is encoded, indexed or read.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::mpsc;

use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use crate::contestant::{Once, once};
use crate::durable::{Keeper, Load, timed};

pub const FILE: Keeper = Keeper {
    name: "floor: file",
    durability: "fdatasync a commit",
    fewer: 1,
    turn: |load, folder| Box::pin(timed(runs(load, file(load, folder)), load)),
};

pub const SQLITE: Keeper = Keeper {
    name: "floor: SQLite",
    durability: "WAL, FULL",
    fewer: 1,
    turn: |load, folder| Box::pin(timed(runs(load, sqlite(load, folder)), load)),
};

/// So many records, and who waits for them.
type Waiting = (usize, oneshot::Sender<()>);

/// Runs that commit before they begin and after each step.
fn runs(load: Load, mut commit: impl FnMut(usize) + Send + 'static) -> Once {
    let (writer, waiting) = mpsc::channel::<Waiting>();
    std::thread::spawn(move || {
        while let Ok(first) = waiting.recv() {
            let group: Vec<Waiting> = [first].into_iter().chain(waiting.try_iter()).collect();
            commit(group.iter().map(|(records, _)| records).sum());
            for (_, waits) in group {
                let _ = waits.send(());
            }
        }
    });
    once(move || {
        let writer = writer.clone();
        async move {
            let commits = load.steps + 1;
            let until = |commit| load.written.records * commit / commits;
            for commit in 0..commits {
                let (waits, committed) = oneshot::channel();
                writer.send((until(commit + 1) - until(commit), waits)).expect("the writer goes on");
                committed.await.expect("the writer answers");
            }
            load.steps as u64
        }
    })
}

fn file(load: Load, folder: PathBuf) -> impl FnMut(usize) + Send + 'static {
    let mut file = File::create(folder.join("records")).expect("a file can be made");
    move |records| {
        file.write_all(&vec![b'x'; records * load.written.bytes]).expect("the disk has room");
        file.sync_data().expect("the disk syncs");
    }
}

fn sqlite(load: Load, folder: PathBuf) -> impl FnMut(usize) + Send + 'static {
    let database = Connection::open(folder.join("records.db")).expect("a file can be made");
    let schema = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
        CREATE TABLE journal (position INTEGER PRIMARY KEY, run INTEGER, seq INTEGER, record BLOB)";
    database.execute_batch(schema).expect("the file can be written");
    let record = vec![b'x'; load.written.bytes];
    let mut number = 0;
    move |records| {
        database.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
        let mut insert = database
            .prepare_cached("INSERT INTO journal (run, seq, record) VALUES (?1, ?2, ?3)")
            .expect("the table is there");
        for _ in 0..records {
            number += 1;
            insert.execute(params![number, number, record]).expect("the disk has room");
        }
        database.execute_batch("COMMIT").expect("the disk syncs");
    }
}
