//! What is refused when a store is opened, and that nothing is touched then.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::support::{Scratch, append, batch, create};
use crate::store::sqlite::lock::Ownership;
use crate::store::sqlite::migrate::{self, STEPS};
use crate::store::sqlite::open;
use crate::store::{Durability, Payload, Sqlite, Store, StoreError, Visitor};

fn refused(path: &Path) -> StoreError {
    let error = Sqlite::open(path).expect_err("it is not fit to be opened");
    let words = error.to_string();
    assert!(words.contains(&path.display().to_string()), "{words}");
    assert!(!words.ends_with('.') && !words.contains("  "), "{words}");
    error
}

/// Refused, and every file in the directory is as it was.
fn refused_untouched(scratch: &Scratch, path: &Path) -> StoreError {
    let before = scratch.files();
    let error = refused(path);
    assert!(scratch.files() == before, "something was touched");
    error
}

fn closed_store(path: &Path) {
    let store = Sqlite::open(path).unwrap();
    let run = create(&store, "a");
    append(&store, batch(run, 0)).unwrap();
    store.close();
}

#[test]
fn a_second_opening() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let store = Sqlite::open(&path).unwrap();
    let error = refused(&path);
    assert_eq!(error, StoreError::InUse { path: path.clone(), pid: Some(std::process::id()) });
    assert!(error.to_string().contains("in use by this process"), "{error}");
    store.close();
    Sqlite::open(&path).unwrap();
}

#[cfg(unix)]
#[test]
fn another_name_of_the_same_file() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let _store = Sqlite::open(&path).unwrap();
    let link = scratch.path("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(Sqlite::open(&link), Err(StoreError::InUse { .. })));
}

/// As where a deployment has put a link before the first start.
#[cfg(unix)]
#[test]
fn a_link_to_where_nothing_is_yet() {
    use std::os::unix::fs::symlink;

    let scratch = Scratch::new();
    let (path, link) = (scratch.path("runs.db"), scratch.path("link.db"));
    // Relative, and by way of another one.
    symlink("second.db", &link).unwrap();
    symlink(&path, scratch.path("second.db")).unwrap();
    let store = Sqlite::open(&link).unwrap();
    for name in [&link, &path] {
        let again = Sqlite::open(name);
        assert!(matches!(again, Err(StoreError::InUse { .. })), "two own the file: {again:?}");
    }
    // What is beside it is beside the file, where every later opening looks.
    let run = create(&store, "a");
    let mut large = batch(run, 0);
    let value = Payload { type_name: "String".into(), bytes: vec![b' '; 100_000] };
    large.entries.iter_mut().for_each(|entry| entry.value = Some(value.clone()));
    append(&store, large).unwrap();
    store.close();
    assert_eq!(Sqlite::open(&link).unwrap().journal(run).unwrap()[0].value, Some(value));

    symlink("nowhere/runs.db", scratch.path("lost.db")).unwrap();
    let lost = Sqlite::open(scratch.path("lost.db")).unwrap_err().to_string();
    assert!(lost.contains("nowhere/runs.db` cannot be used: its directory does not exist"), "{lost}");
    symlink("round.db", scratch.path("round.db")).unwrap();
    refused(&scratch.path("round.db"));
}

/// To read a pipe is to wait for somebody who writes to it.
#[cfg(unix)]
#[test]
fn what_is_no_ordinary_file() {
    let scratch = Scratch::new();
    let pipe = scratch.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    for path in [pipe.as_path(), Path::new("/dev/null")] {
        let error = refused(path);
        assert!(error.to_string().contains("it is no ordinary file"), "{error}");
        assert_eq!(Visitor::open(path).unwrap_err(), error);
    }
}

#[test]
fn a_newer_schema() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    closed_store(&path);
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let error = refused_untouched(&scratch, &path);
    assert_eq!(error, StoreError::NewerSchema { path, found: 99, supported: STEPS.len() as i64 });
}

#[test]
fn a_newer_schema_that_only_the_log_tells() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    closed_store(&path);
    let conn = Connection::open(&path).unwrap();
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    conn.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(conn);
    let before = scratch.files();
    assert!(!before["runs.db-wal"].is_empty());
    assert!(matches!(refused(&path), StoreError::NewerSchema { found: 99, .. }));
    let after = scratch.files();
    assert!(["runs.db", "runs.db-wal"].iter().all(|name| before[*name] == after[*name]));
}

#[test]
fn another_program_s_database() {
    let scratch = Scratch::new();
    let check = |name: &str, sql: &str| {
        let path = scratch.path(name);
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(refused(&path), StoreError::NotOurs { .. }), "{name}");
        assert!(std::fs::read(&path).unwrap() == before, "{name}");
    };
    check("tables.db", "CREATE TABLE notes (text)");
    check("version.db", "PRAGMA user_version = 3");
    check("application.db", "PRAGMA application_id = 77; CREATE TABLE notes (text)");
    check("runs.db", "CREATE TABLE runs (run)");
}

#[test]
fn what_is_no_database() {
    let scratch = Scratch::new();
    let check = |name: &str, content: &[u8]| {
        let path = scratch.path(name);
        std::fs::write(&path, content).unwrap();
        refused_untouched(&scratch, &path)
    };
    assert!(matches!(check("text", b"Dear diary,\n"), StoreError::NotOurs { .. }));
    assert!(matches!(check("long text", &b"Dear diary,\n".repeat(1_000)), StoreError::NotOurs { .. }));
    assert!(matches!(check("byte", b"S"), StoreError::NotOurs { .. }));
    assert!(matches!(check("stub", b"SQLite format 3\0"), StoreError::Damaged { .. }));
    let directory = refused_untouched(&scratch, scratch.directory());
    assert!(directory.to_string().contains("it is a directory"), "{directory}");
    let nowhere = refused_untouched(&scratch, &scratch.path("no/where/runs.db"));
    assert!(nowhere.to_string().contains("create it first"), "{nowhere}");
    // An empty file is as good as none.
    std::fs::write(scratch.path("empty"), b"").unwrap();
    Sqlite::open(scratch.path("empty")).unwrap();
}

#[test]
fn a_read_only_file() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    closed_store(&path);
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&path, permissions).unwrap();
    let error = refused_untouched(&scratch, &path);
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
}

#[test]
fn a_log_without_its_database() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    std::fs::write(scratch.path("runs.db-wal"), b"the only copy").unwrap();
    let error = refused_untouched(&scratch, &path);
    assert!(error.to_string().contains("runs.db-wal"), "{error}");
}

#[test]
fn a_name_that_looks_like_an_address_is_a_file() {
    let scratch = Scratch::new();
    let path = scratch.path("file:runs.db?mode=memory");
    closed_store(&path);
    assert!(std::fs::metadata(&path).unwrap().len() > 0);
}

#[test]
fn pragmas_are_what_they_should_be() {
    let scratch = Scratch::new();
    let check = |durability, wanted: i64| {
        let options = Sqlite::options().durability(durability);
        let owned = Ownership::take(&scratch.path("runs.db")).unwrap();
        let opened = open::open(owned, &options).unwrap();
        let ask = |name: &str| -> String {
            let sql = format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}");
            opened.conn.query_row(&sql, [], |row| row.get(0)).unwrap()
        };
        assert_eq!(ask("synchronous"), wanted.to_string());
        assert_eq!((ask("journal_mode").as_str(), ask("foreign_keys").as_str()), ("wal", "1"));
        drop(opened);
    };
    check(Durability::Full, 2);
    check(Durability::Relaxed, 1);
    check(Durability::Full, 2);
    // What SQLite does not take is told, not ignored.
    let conn = Connection::open_in_memory().unwrap();
    let error = open::set(Path::new("a.db"), &conn, "journal_mode", "wal", "wal").unwrap_err();
    assert!(error.to_string().contains("keeps `journal_mode` at memory"), "{error}");
    let error = open::set(Path::new("a.db"), &conn, "no_such_pragma", "1", "1").unwrap_err();
    assert!(error.to_string().contains("keeps `no_such_pragma` at None"), "{error}");
}

#[test]
fn a_schema_goes_forward_a_step_at_a_time() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    closed_store(&path);
    let mut conn = Connection::open(&path).unwrap();
    let latest = STEPS.len() as i64;
    let with = |more: &[&'static str]| [STEPS, more].concat();
    let steps = with(&["CREATE TABLE extra (number)", "CREATE TABLE more (number); nonsense"]);
    assert!(migrate::migrate(&mut conn, &steps).is_err());
    assert_eq!(migrate::version(&conn).unwrap(), latest + 1, "the step that failed is undone");
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name IN ('extra', 'more')";
    assert_eq!(conn.query_row(tables, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    migrate::migrate(&mut conn, &with(&["", "CREATE TABLE more (number)"])).unwrap();
    assert_eq!(migrate::version(&conn).unwrap(), latest + 2);
    // Nothing to do.
    migrate::migrate(&mut conn, STEPS).unwrap();
    assert_eq!(migrate::version(&conn).unwrap(), latest + 2);
}
