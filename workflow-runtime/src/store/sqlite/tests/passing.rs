//! Faults that pass: what a run has decided waits for as long as they last, and
//! is then written once; who can ask again is told.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::failing::{hold, send, sql};
use super::support::{Random, Scratch, append, at, batch, create, new_run, wait};
use crate::store::{
    LogFilter, LogLevel, LogLine, Payload, Request, Sqlite, Store, StoreError, Tick, Transact, Transacted,
};
use crate::task::transaction;

/// What another thread does is polled for.
fn until(what: &str, reached: impl Fn() -> bool) {
    let late = Instant::now() + Duration::from_secs(20);
    while !reached() {
        assert!(Instant::now() < late, "never {what}");
        std::thread::yield_now();
    }
}

fn is_open(answer: &mpsc::Receiver<Result<(), StoreError>>) -> bool {
    matches!(answer.try_recv(), Err(mpsc::TryRecvError::Empty))
}

/// A store whose file another program holds locked until this is dropped.
fn locked(scratch: &Scratch) -> (Sqlite, Connection) {
    let store = Sqlite::open(scratch.path("runs.db")).unwrap();
    sql(&store, "PRAGMA busy_timeout = 5");
    let shell = Connection::open(store.path()).unwrap();
    (store, shell)
}

#[test]
fn a_lock_of_another_program_is_waited_out_however_long_it_lasts() {
    let scratch = Scratch::new();
    let (store, shell) = locked(&scratch);
    let (a, b) = (create(&store, "a"), create(&store, "b"));
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    let first = send(&store, batch(a, 0));
    until("in trouble", || store.trouble().is_some());
    let rest = [send(&store, batch(a, 1)), send(&store, batch(b, 0)), send(&store, batch(a, 2))];
    // Longer than anybody who can ask again waits.
    until("long in trouble", || store.trouble().unwrap().lasts > Duration::from_millis(400));
    assert!(matches!(store.trouble().unwrap().error, StoreError::Busy { .. }));
    assert!(is_open(&first) && rest.iter().all(is_open), "none of it is given up");
    shell.execute_batch("ROLLBACK").unwrap();
    assert_eq!(first.recv().unwrap(), Ok(()));
    rest.iter().for_each(|answer| assert_eq!(answer.recv().unwrap(), Ok(())));
    assert_eq!((store.journal(a).unwrap().len(), store.journal(b).unwrap().len()), (3, 1));
    append(&store, batch(b, 1)).unwrap();
    assert_eq!(store.trouble(), None);
}

#[test]
fn who_can_ask_again_is_told_after_a_while_and_has_changed_nothing() {
    let scratch = Scratch::new();
    let (store, shell) = locked(&scratch);
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    let created = wait(|done| store.create(new_run("a"), done));
    assert!(matches!(created, Err(StoreError::Busy { .. })));
    let request = Request {
        run: None,
        operation: "\"cancel\"".to_owned(),
        actor: "ada".to_owned(),
        reason: None,
        at: at(1),
    };
    assert!(matches!(store.request(request), Err(StoreError::Busy { .. })));
    let tick = Tick { schedule: "nightly".to_owned(), at: at(1) };
    assert!(matches!(store.mark(tick), Err(StoreError::Busy { .. })));
    shell.execute_batch("ROLLBACK").unwrap();
    // Also where nobody wants anything to be written.
    until("well again", || store.trouble().is_none());
    assert!(store.find("a").unwrap().is_empty() && store.open_requests().unwrap().is_empty());
    assert!(store.schedules().unwrap().is_empty());
    create(&store, "a");
}

#[test]
fn a_full_disk_loses_nothing_and_is_got_over() {
    let scratch = Scratch::new();
    let store = Sqlite::open(scratch.path("runs.db")).unwrap();
    let runs = ["a", "b", "c"].map(|id| create(&store, id));
    sql(&store, "PRAGMA max_page_count = 64");
    let (mut sent, mut random, mut answers) = ([0; 3], Random(7), Vec::new());
    while store.trouble().is_none() {
        // A few at once, so that some fail together.
        for _ in 0..8 {
            let number = random.below(3);
            answers.push(send(&store, batch(runs[number], sent[number])));
            sent[number] += 1;
        }
    }
    let full = store.trouble().unwrap().error;
    assert!(matches!(full, StoreError::Full { .. }) && full.to_string().contains("make room"), "{full}");
    let length = |run| store.journal(run).unwrap().len() as u64;
    assert!(runs.map(length) != sent, "some of it waits");
    sql(&store, "PRAGMA max_page_count = 100000");
    answers.iter().for_each(|answer| assert_eq!(answer.recv().unwrap(), Ok(())));
    assert_eq!(runs.map(length), sent, "each once, and in order");
    store.close();
    let store = Sqlite::open(scratch.path("runs.db")).unwrap();
    assert_eq!(runs.map(|run| store.journal(run).unwrap().len() as u64), sent);
    assert!(store.check().unwrap().is_empty());
}

/// As where there is room for small values, or for no more open files.
#[test]
fn a_value_that_has_no_room_waits_alone_with_what_follows_it_in_its_run() {
    let scratch = Scratch::new();
    let store = Sqlite::open(scratch.path("runs.db")).unwrap();
    let (a, b) = (create(&store, "a"), create(&store, "b"));
    // In the way of the directory.
    let blocked = scratch.path("runs.db-values");
    std::fs::write(&blocked, "").unwrap();
    let mut large = batch(a, 0);
    large.entries[0].value = Some(Payload { type_name: "Text".into(), bytes: vec![b'7'; 100_000] });
    let go = hold(&store);
    let waiting = [send(&store, large), send(&store, batch(a, 1))];
    let others = [send(&store, batch(b, 0)), send(&store, batch(b, 1))];
    go.send(()).unwrap();
    others.iter().for_each(|answer| assert_eq!(answer.recv().unwrap(), Ok(())));
    for seq in 2..20 {
        append(&store, batch(b, seq)).unwrap();
    }
    let trouble = store.trouble().unwrap();
    assert!(
        trouble.only == Some(vec![a]) && trouble.error.to_string().contains("runs.db-values"),
        "{trouble:?}"
    );
    assert!(waiting.iter().all(is_open));
    std::fs::remove_file(&blocked).unwrap();
    waiting.iter().for_each(|answer| assert_eq!(answer.recv().unwrap(), Ok(())));
    assert_eq!(store.journal(a).unwrap()[0].value.as_ref().unwrap().bytes.len(), 100_000);
    assert_eq!(store.journal(a).unwrap().len(), 2);
    // It is answered first, and then known to be well.
    let by = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while let Some(trouble) = store.trouble() {
        assert!(std::time::Instant::now() < by, "{trouble:?}");
        std::thread::yield_now();
    }
}

fn transact(
    store: &Sqlite,
    run: crate::store::RunRef,
    sql: &'static str,
) -> mpsc::Receiver<Result<Transacted, StoreError>> {
    let work = Box::new(move || {
        transaction::lent().unwrap().execute_batch(sql).unwrap();
        Some(Payload { type_name: "text".into(), bytes: Vec::new() })
    });
    let (sender, answer) = mpsc::channel();
    let transact = Transact { run, key: sql.to_owned(), work };
    store.transact(transact, Box::new(move |done| sender.send(done).unwrap()));
    answer
}

#[test]
fn a_transaction_of_a_task_waits_to_begin_and_what_cannot_be_committed_is_told() {
    let scratch = Scratch::new();
    let (store, shell) = locked(&scratch);
    let run = create(&store, "a");
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting = transact(&store, run, "CREATE TABLE ledger (cents INTEGER, note TEXT)");
    until("in trouble", || store.trouble().is_some());
    assert!(waiting.try_recv().is_err());
    shell.execute_batch("ROLLBACK").unwrap();
    assert_eq!(waiting.recv().unwrap(), Ok(Transacted::Done));
    sql(&store, "PRAGMA max_page_count = 1");
    let large = "INSERT INTO ledger VALUES (1, hex(zeroblob(10000)))";
    let full = transact(&store, run, large);
    // The task's own statement meets it, or the commit does.
    drop(full.recv().unwrap());
    sql(&store, "PRAGMA max_page_count = 100000");
    assert_eq!(transact(&store, run, large).recv().unwrap(), Ok(Transacted::Done));
    let conn = Connection::open(store.path()).unwrap();
    assert_eq!(conn.query_row("SELECT count(*) FROM ledger", [], |row| row.get(0)), Ok(1));
}

#[test]
fn lines_wait_as_well() {
    let scratch = Scratch::new();
    let (store, shell) = locked(&scratch);
    let run = create(&store, "a");
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (said, heard) = mpsc::channel();
    for seq in 0..600 {
        let (path, said) = ("a/b".into(), said.clone());
        let line = LogLine {
            run,
            path,
            attempt: 1,
            undo: false,
            seq,
            at: at(seq),
            level: LogLevel::Info,
            text: seq.to_string().into(),
        };
        store.log(vec![line], Box::new(move |kept| said.send(kept).unwrap()));
    }
    until("in trouble", || store.trouble().is_some());
    assert!(heard.try_recv().is_err());
    shell.execute_batch("ROLLBACK").unwrap();
    assert!(heard.iter().take(600).all(|kept| kept.is_ok()));
    let lines = store.logs(run, &LogFilter { at_most: 1_000, ..LogFilter::default() }).unwrap();
    let numbers: Vec<u64> = lines.iter().map(|stored| stored.line.seq).collect();
    assert!(numbers.iter().copied().eq(0..600), "once, and in order");
}

#[test]
fn a_store_in_trouble_can_be_closed_and_says_what_was_not_written() {
    let scratch = Scratch::new();
    let (store, shell) = locked(&scratch);
    let run = create(&store, "a");
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    let lost = send(&store, batch(run, 0));
    until("in trouble", || store.trouble().is_some());
    store.close();
    assert!(matches!(lost.recv().unwrap(), Err(StoreError::Busy { .. })));
    shell.execute_batch("ROLLBACK").unwrap();
    drop((shell, store));
    let store = Sqlite::open(scratch.path("runs.db")).unwrap();
    assert!(store.journal(run).unwrap().is_empty());
    append(&store, batch(run, 0)).unwrap();
}
