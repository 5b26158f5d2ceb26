//! A database of version 1 is brought up to date, and reads as before.

use rusqlite::Connection;

use super::support::{Scratch, append, at, batch, create};
use crate::run::RunState;
use crate::store::sqlite::migrate::{APPLICATION_ID, STEPS};
use crate::store::{Batch, Payload, RunEnd, RunRef, Sleep, Sqlite, Store, Unfinished};

/// What a program of version 1 left.
const LEFT: &str = r#"
INSERT INTO runs VALUES
    (3, 'a', 'nightly', 'k', -1, '[1]', 'succeeded', 1000, 5000, '"text"', 'String', NULL),
    (5, 'b', 'nightly', NULL, 7, '[]', 'waiting', 2000, NULL, NULL, NULL, NULL);
INSERT INTO journal (run, seq, at, event, value, value_type, changes) VALUES
    (3, 0, 1000, '{"event":"begun"}', NULL, NULL, '[{"path":"load","task":"load","state":"running","attempt":1}]'),
    (5, 0, 2000, '{"event":"begun"}', NULL, NULL, NULL),
    (5, 1, 3000, '{"event":"signalled","name":"x"}', x'ff00', 'Bytes', NULL);
"#;

fn old(scratch: &Scratch) -> std::path::PathBuf {
    let path = scratch.path("runs.db");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    conn.execute_batch(STEPS[0]).unwrap();
    conn.execute_batch(&format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1"))
        .unwrap();
    conn.execute_batch(LEFT).unwrap();
    // What stood in a row before stays there, however large.
    let large = "x".repeat(200_000);
    let sql = "INSERT INTO journal (run, seq, at, event, value, value_type) VALUES (5, 2, 4000, '', ?1, 'T')";
    conn.execute(sql, [large]).unwrap();
    path
}

#[test]
fn everything_in_it_reads_as_before() {
    let scratch = Scratch::new();
    let store = Sqlite::open(old(&scratch)).unwrap();
    let [a, b] = ["a", "b"].map(|id| store.find(id).unwrap().remove(0));
    assert_eq!((a.run, a.fingerprint, a.state, &a.parent), (RunRef(3), u64::MAX, RunState::Succeeded, &None));
    let result = Some(Payload { type_name: "String".into(), bytes: b"\"text\"".to_vec() });
    assert_eq!(a.end.as_ref().unwrap().result, result);
    assert_eq!(store.by_key("k").unwrap().unwrap(), a);
    assert_eq!((b.run, b.state, &b.end), (RunRef(5), RunState::Waiting, &None));
    let journal = store.journal(b.run).unwrap();
    assert_eq!(journal[0].event, r#"{"event":"begun"}"#);
    assert_eq!(journal[1].value, Some(Payload { type_name: "Bytes".into(), bytes: vec![0xff, 0] }));
    assert_eq!(journal[2].value.as_ref().unwrap().bytes.len(), 200_000);
    assert_eq!(store.journal(a.run).unwrap().len(), 1);
    assert!(store.check().unwrap().is_empty());
    // Nobody sleeps, and there is nothing of what it did not have.
    assert_eq!(store.unfinished_where(Unfinished::Awake(at(0)), None, 10).unwrap(), std::slice::from_ref(&b));
    assert_eq!(
        (store.next_wake(crate::run::Timestamp(0)).unwrap(), store.blueprint(7).unwrap()),
        (None, None)
    );
    assert!(store.requests(None, 10).unwrap().is_empty() && store.keys().unwrap().is_empty());
    // And it goes on.
    append(&store, Batch { sleep: Sleep::Until(None), ..batch(b.run, 3) }).unwrap();
    let end = RunEnd { state: RunState::Succeeded, at: at(9), result, error: None };
    append(&store, Batch { end: Some(end), ..batch(b.run, 4) }).unwrap();
    assert!(create(&store, "c").0 > 5);
    assert_eq!(store.remove_ended_before(at(10), 10).unwrap(), 2);
    store.close();
    let left = Sqlite::open(store.path()).unwrap().unfinished(None, 10).unwrap();
    assert_eq!(left.len(), 1);
}

#[test]
fn a_migrated_database_has_the_same_tables_as_a_new_one() {
    let scratch = Scratch::new();
    let (old, new) = (old(&scratch), scratch.path("new.db"));
    let schema = |path: &std::path::Path| -> Vec<String> {
        Sqlite::open(path).unwrap().close();
        let conn = Connection::open(path).unwrap();
        let mut statement = conn.prepare("SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY 1").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    assert_eq!(schema(&old), schema(&new));
}
