//! Another process's look at a store.

use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;

use super::crash::spawn;
use super::support::{Scratch, append, at, batch, create, new_run, wait};
use crate::store::sqlite::migrate::{APPLICATION_ID, STEPS};
use crate::store::{
    Answer, Batch, NewRun, Owner, Payload, Request, RunFilter, SealedKey, Sqlite, Store, StoreError, Tick,
    Visitor,
};

fn request(actor: &str) -> Request {
    let (run, reason) = (Some("a".to_owned()), Some("late".to_owned()));
    Request { run, operation: "\"cancel\"".to_owned(), actor: actor.to_owned(), reason, at: at(1) }
}

#[test]
fn it_reads_what_the_owner_reads() {
    let scratch = Scratch::new();
    let store = Sqlite::open(scratch.path("runs.db")).unwrap();
    let tick = Tick { schedule: "nightly".to_owned(), at: at(7) };
    let keyed = NewRun {
        key: Some("k".to_owned()),
        blueprint: Some("{}".into()),
        tick: Some(tick),
        ..new_run("keyed")
    };
    wait(|done| store.create(keyed, done)).unwrap();
    let run = create(&store, "a");
    append(&store, batch(run, 0)).unwrap();
    let mut large = batch(run, 1);
    large.entries[0].value = Some(Payload { type_name: "Large".into(), bytes: vec![b'1'; 100_000] });
    append(&store, large).unwrap();
    store.put_keys(vec![SealedKey { id: 1, with: "file".to_owned(), sealed: vec![1, 2] }]).unwrap();
    let number = store.request(request("ada")).unwrap();
    // While the store is open, and when nobody has it.
    let check = |visitor: &Visitor, store: &dyn Store| {
        let all = RunFilter::default();
        assert_eq!(visitor.list(&all), store.list(&all));
        assert_eq!(visitor.find("a").unwrap().len(), 1);
        assert_eq!(visitor.by_key("k").unwrap().unwrap().id, "keyed");
        assert_eq!(visitor.journal(run), store.journal(run));
        assert_eq!(visitor.blueprint(7), Ok(Some("{}".to_owned())));
        assert_eq!(visitor.requests(None, 5), store.requests(None, 5));
        assert_eq!(visitor.open_requests(), store.open_requests());
        assert_eq!(visitor.schedules(), store.schedules());
        assert_eq!(visitor.keys(), store.keys());
        assert_eq!(visitor.unfinished(None, 5), store.unfinished(None, 5));
    };
    let visitor = Visitor::open(store.path()).unwrap();
    check(&visitor, &store);
    assert_eq!(visitor.answer_to(number), Ok(None));
    store.answer(number, Answer { at: at(2), result: Err("it has ended".to_owned()) }).unwrap();
    assert_eq!(visitor.answer_to(number).unwrap().unwrap().result, Err("it has ended".to_owned()));
    let path = store.path().to_owned();
    store.close();
    assert_eq!(visitor.list(&RunFilter::default()).unwrap().len(), 2);
    drop(visitor);
    let alone = Visitor::open(&path).unwrap();
    assert_eq!(alone.journal(run).unwrap()[1].value.as_ref().unwrap().bytes.len(), 100_000);
    // It is in nobody's way.
    check(&alone, &Sqlite::open(&path).unwrap());
}

#[test]
fn it_knows_whether_there_is_an_owner_and_disturbs_none() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let store = Sqlite::open(&path).unwrap();
    let visitor = Visitor::open(&path).unwrap();
    let this = Owner { pid: Some(std::process::id()) };
    assert_eq!(visitor.owner(), Ok(Some(this)));
    store.close();
    assert_eq!(visitor.owner(), Ok(None));
    let mut child = spawn(&path);
    while visitor.owner().unwrap().is_none_or(|owner| owner.pid != Some(child.id())) {
        assert!(child.try_wait().unwrap().is_none(), "whoever looks keeps nobody out");
        std::thread::yield_now();
    }
    assert!(matches!(Sqlite::open(&path), Err(StoreError::InUse { .. })));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(visitor.owner(), Ok(None));
    // What the dead one had in its log is there.
    assert!(!visitor.unfinished(None, 10).unwrap().is_empty());
}

#[test]
fn its_requests_arrive_while_the_owner_writes_at_full_speed_and_while_there_is_none() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let store = Sqlite::open(&path).unwrap();
    let runs = ["a", "b", "c", "d"].map(|id| create(&store, id));
    let visitor = Visitor::open(&path).unwrap();
    let (stop, mut last) = (AtomicBool::new(false), store.foreign_writes().unwrap());
    std::thread::scope(|scope| {
        for run in runs {
            let (store, stop) = (&store, &stop);
            scope.spawn(move || {
                let mut seq = 0;
                while !stop.load(Ordering::Relaxed) {
                    append(store, batch(run, seq)).unwrap();
                    seq += 1;
                }
            });
        }
        for actor in ["ada", "bob", "eve"] {
            let quiet = store.foreign_writes().unwrap();
            assert_eq!(quiet, last, "the owner's own commits do not count");
            visitor.request(request(actor)).unwrap();
            last = store.foreign_writes().unwrap();
            assert_ne!(last, quiet);
        }
        stop.store(true, Ordering::Relaxed);
    });
    store.close();
    visitor.request(request("zoe")).unwrap();
    drop(visitor);
    let store = Sqlite::open(&path).unwrap();
    let open = store.open_requests().unwrap();
    let actors: Vec<_> = open.iter().map(|open| open.request.actor.as_str()).collect();
    assert_eq!(actors, ["ada", "bob", "eve", "zoe"]);
    assert_eq!(open[0].request, request("ada"));
}

#[test]
fn it_opens_only_what_it_understands_and_changes_nothing() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let refused = |path: &std::path::Path, words: &str| {
        let error = Visitor::open(path).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        error
    };
    refused(&path, "there is no such file");
    refused(scratch.directory(), "it is a directory");
    assert!(!path.exists(), "nothing is created");
    std::fs::write(&path, b"").unwrap();
    refused(&path, "it is empty");
    std::fs::write(&path, b"Dear diary,\n".repeat(100)).unwrap();
    let before = scratch.files();
    assert!(matches!(refused(&path, "it is no SQLite database"), StoreError::NotOurs { .. }));
    assert!(scratch.files() == before, "something was touched");
}

#[test]
fn a_store_of_another_version_is_refused() {
    let scratch = Scratch::new();
    let path = scratch.path("old.db");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    conn.execute_batch(STEPS[0]).unwrap();
    conn.execute_batch(&format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1"))
        .unwrap();
    let error = Visitor::open(&path).unwrap_err();
    assert_eq!(error, StoreError::OlderSchema { path: path.clone(), found: 1, needed: STEPS.len() as i64 });
    assert!(error.to_string().contains("start the program that owns it once"), "{error}");
    drop(conn);
    // Brought up to date by an owner, it is read; and refused when a newer
    // program has been there meanwhile.
    let store = Sqlite::open(&path).unwrap();
    let visitor = Visitor::open(&path).unwrap();
    append(&store, Batch { run: create(&store, "a"), ..Batch::default() }).unwrap();
    store.close();
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    assert!(matches!(visitor.request(request("ada")), Err(StoreError::NewerSchema { found: 99, .. })));
    assert!(matches!(Visitor::open(&path), Err(StoreError::NewerSchema { found: 99, .. })));
}
