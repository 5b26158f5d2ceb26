//! What the disk shows: the database, its log, and the values beside it.

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;

use super::support::*;
use crate::run::Timestamp;
use crate::store::encrypted::{Cipher, Encrypted};
use crate::store::{Batch, Entry, NewRun, Payload, RunEnd, Sqlite, Store, StoreError, Visitor};

fn sqlite(scratch: &Scratch, byte: u8) -> Result<Encrypted<Sqlite>, StoreError> {
    Encrypted::open(Arc::new(Sqlite::open(scratch.path("runs.db"))?), &ring(byte))
}

/// A value that does not fit into a row.
fn large() -> Payload {
    Payload { type_name: "Cat".into(), bytes: MARKER.repeat(10_000) }
}

fn write_everything(store: &dyn Store) {
    whole_run(store, "0-small");
    let run = create(store, NewRun { params: large().bytes, ..new_run("1-large") });
    let entries = vec![Entry { value: Some(large()), ..entry(2) }];
    let end = Some(RunEnd { result: Some(large()), ..end() });
    let remember = vec![crate::store::Remembered { value: large(), ..remembered(b"large") }];
    append(store, Batch { run, first_seq: 2, entries, end, remember, ..Batch::default() }).unwrap();
    store.request(request("0-small")).unwrap();
}

/// The files in which the marker stands.
fn shown(scratch: &Scratch) -> Vec<PathBuf> {
    let shows = |bytes: &[u8]| bytes.windows(MARKER.len()).any(|window| window == MARKER);
    scratch.files().into_iter().filter(|(_, bytes)| shows(bytes)).map(|(path, _)| path).collect()
}

#[test]
fn no_file_shows_a_value() {
    let scratch = Scratch::new("clear");
    write_everything(&Sqlite::open(scratch.path("runs.db")).unwrap());
    assert!(shown(&scratch).len() >= 2, "what is looked for is found where it is: {:?}", shown(&scratch));

    let scratch = Scratch::new("shown");
    let store = sqlite(&scratch, 1).unwrap();
    write_everything(&store);
    let files = scratch.files();
    assert!(files.iter().any(|(path, bytes)| path.ends_with("runs.db-wal") && bytes.len() > 100_000));
    assert!(
        files.iter().any(|(path, bytes)| path.parent() != Some(&scratch.path("")) && bytes.len() > 100_000)
    );
    assert_eq!(shown(&scratch), [] as [PathBuf; 0], "while it is open");
    read_run(&store, "0-small").unwrap();
    store.close();
    assert_eq!(shown(&scratch), [] as [PathBuf; 0], "once it is closed");

    let store = sqlite(&scratch, 1).unwrap();
    let found = store.find("1-large").unwrap().remove(0);
    assert_eq!((found.params, found.end.unwrap().result), (large().bytes, Some(large())));
    assert_eq!(store.journal(found.run).unwrap()[2].value, Some(large()));
    assert_eq!(store.remembered(b"large", Timestamp(0)).unwrap(), Some(large()));
}

/// Of every column that holds a value.
#[test]
fn a_byte_that_was_changed_in_the_file_is_told() {
    let columns = [
        ("UPDATE runs SET params = ?1", "SELECT params FROM runs", "run 0-small: its parameters"),
        ("UPDATE runs SET result = ?1", "SELECT result FROM runs", "run 0-small: its result"),
        (
            "UPDATE journal SET value = ?1 WHERE seq = 3",
            "SELECT value FROM journal WHERE seq = 3",
            "run 0-small: the value of entry 3 of its journal",
        ),
        ("UPDATE remembered SET value = ?1", "SELECT value FROM remembered", "a remembered result"),
    ];
    for (number, (write, read, place)) in columns.into_iter().enumerate() {
        let scratch = Scratch::new(&format!("byte-{number}"));
        let store = sqlite(&scratch, 1).unwrap();
        whole_run(&store, "0-small");
        store.close();
        let database = Connection::open(scratch.path("runs.db")).unwrap();
        let mut value: Vec<u8> = database.query_row(read, [], |row| row.get(0)).unwrap();
        *value.last_mut().unwrap() ^= 1;
        database.execute(write, [value]).unwrap();
        drop(database);
        let error = read_run(&sqlite(&scratch, 1).unwrap(), "0-small").unwrap_err();
        assert!(
            matches!(error, StoreError::Unreadable { .. }) && error.to_string().contains(place),
            "{error}"
        );
    }
}

/// Marker, keys and all that is encrypted, replaced by rows in clear: the file is
/// then one that was never encrypted, and the program knows better.
#[test]
fn a_file_that_was_made_one_in_clear_is_refused() {
    let scratch = Scratch::new("replaced");
    let store = sqlite(&scratch, 1).unwrap();
    whole_run(&store, "0-small");
    store.close();
    drop(store);
    let database = Connection::open(scratch.path("runs.db")).unwrap();
    let sql = format!(
        "PRAGMA application_id = {}; DELETE FROM keys; DELETE FROM requests; DELETE FROM log_lines; \
         DELETE FROM remembered; DELETE FROM effects; UPDATE runs SET params = '[1]', result = '2'; \
         UPDATE journal SET value = '3' WHERE value IS NOT NULL;",
        u32::from_be_bytes(*b"Wkfl")
    );
    database.execute_batch(&sql).unwrap();
    drop(database);
    let before = scratch.files();
    let error = sqlite(&scratch, 1).map(drop).unwrap_err();
    assert!(error.to_string().contains("the store has values in clear"), "{error}");
    let after = scratch.files();
    assert_eq!(after.len(), before.len());
    let store = Sqlite::open(scratch.path("runs.db")).unwrap();
    assert!(store.keys().unwrap().is_empty(), "nothing is changed");
}

#[test]
fn the_views_work() {
    let scratch = Scratch::new("views");
    let store = sqlite(&scratch, 1).unwrap();
    write_everything(&store);
    let database = Connection::open(scratch.path("runs.db")).unwrap();
    for view in ["run_list", "steps", "attempts", "step_changes", "request_list"] {
        let mut statement = database.prepare(&format!("SELECT * FROM {view}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            (0..columns).for_each(|column| assert!(row.get_ref(column).is_ok()));
        }
    }
    let asked: String =
        database.query_row("SELECT operation FROM request_list", [], |row| row.get(0)).unwrap();
    assert_eq!(asked, "signal", "what was asked for can be seen, and not with what");
}

/// The command line beside a running engine.
#[test]
fn another_process_reads_with_the_same_key() {
    let scratch = Scratch::new("visitor");
    let store = sqlite(&scratch, 1).unwrap();
    write_everything(&store);
    let visitor = Visitor::open(scratch.path("runs.db")).unwrap();
    let cipher = Cipher::open(&visitor.keys().unwrap(), &ring(1)).unwrap();
    let run = cipher.open_run(visitor.find("0-small").unwrap().remove(0)).unwrap();
    assert_eq!(run.params, new_run("0-small").params);
    let journal = cipher.open_journal(&run.id, visitor.journal(run.run).unwrap()).unwrap();
    assert_eq!(journal, (0..4).map(stored).collect::<Vec<_>>());
    let number = visitor.request(cipher.seal_request(request("0-small")).unwrap()).unwrap();
    let asked = store.open_requests().unwrap().into_iter().find(|asked| asked.number == number);
    assert_eq!(asked.unwrap().request, request("0-small"));
    assert_eq!(shown(&scratch), [] as [PathBuf; 0]);
}

#[test]
fn a_file_that_needs_a_key_is_left_as_it_is() {
    let scratch = Scratch::new("untouched");
    let store = sqlite(&scratch, 1).unwrap();
    whole_run(&store, "0-small");
    store.close();
    drop(store);
    let database = |scratch: &Scratch| std::fs::read(scratch.path("runs.db")).unwrap();
    let before = database(&scratch);
    let error = sqlite(&scratch, 2).map(drop).unwrap_err();
    assert!(error.to_string().contains("`key 1`"), "{error}");
    assert!(database(&scratch) == before);
    // And nobody holds it.
    read_run(&sqlite(&scratch, 1).unwrap(), "0-small").unwrap();
}
