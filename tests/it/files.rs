//! The files of a store, as whoever comes after a crash finds them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::{Connection, OpenFlags};
use workflow_runtime::doctor;
use workflow_runtime::store::{Sqlite, Store};

/// A folder that goes with the test, unless it fails.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("workflow-{name}-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            drop(fs::remove_dir_all(&self.0));
        }
    }
}

pub fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// The values beside a database, by where they are in their folder.
pub fn values(database: &Path) -> BTreeSet<PathBuf> {
    let folder = beside(database, "-values");
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.clone()];
    while let Some(next) = folders.pop() {
        let Ok(entries) = fs::read_dir(&next) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(&folder).unwrap().to_owned());
            }
        }
    }
    found
}

/// Copies a store that nobody writes to. What is in memory, `-shm`, is not
/// copied.
pub fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
    if beside(from, "-wal").exists() {
        fs::copy(beside(from, "-wal"), beside(to, "-wal")).unwrap();
    }
    for value in values(from) {
        let target = beside(to, "-values").join(&value);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(beside(from, "-values").join(&value), target).unwrap();
    }
}

/// A look from outside that changes nothing, not even the log.
pub fn look(database: &Path) -> Option<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(database, flags).ok()
}

/// The store is in order, every value is there, and none that nobody needs.
pub fn assert_sound(database: &Path) {
    let store = Sqlite::open(database).unwrap();
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
    let report = doctor::examine(&store, &[]).unwrap();
    assert!(report.is_healthy() && report.not_followed.is_empty(), "{report}");
    store.close();
    let db = look(database).unwrap();
    let columns = [
        ("journal", "value_file"),
        ("runs", "result_file"),
        ("effects", "value_file"),
        ("remembered", "value_file"),
    ];
    let mut needed = BTreeSet::new();
    for (table, column) in columns {
        let mut names = db.prepare(&format!("SELECT DISTINCT {column} FROM {table}")).unwrap();
        let names = names.query_map([], |row| row.get::<_, Option<String>>(0)).unwrap();
        needed.extend(names.filter_map(Result::unwrap).map(|name| Path::new(&name[..2]).join(&name[2..])));
    }
    assert_eq!(values(database), needed);
}
