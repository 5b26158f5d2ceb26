//! One process owns a store's files: whatever they are called, as long as they
//! are where they were, and until it lets go of them.
#![cfg(unix)]

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::crash::spawn;
use super::support::{Scratch, append, batch, create};
use crate::run::RunState;
use crate::store::sqlite::lock::Ownership;
use crate::store::{Payload, Request, RunFilter, Sqlite, Store, StoreError, Visitor};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn in_use(path: &Path) {
    let error = Sqlite::open(path).expect_err("two own the file");
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
}

fn large(run: crate::store::RunRef, seq: u64) -> crate::store::Batch {
    let mut large = batch(run, seq);
    large.entries[0].value = Some(Payload { type_name: "Large".into(), bytes: vec![b'1'; 100_000] });
    large
}

#[test]
fn every_file_of_a_store_is_for_its_user_alone() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let store = Sqlite::open(&path).unwrap();
    append(&store, large(create(&store, "a"), 0)).unwrap();
    let mut folders = vec![scratch.directory().to_owned()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let (wanted, found) = (if entry.is_dir() { 0o700 } else { 0o600 }, mode(&entry));
            assert_eq!(found, wanted, "{}: {found:o}", entry.display());
            if entry.is_dir() {
                folders.push(entry);
            } else {
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 5, "the database, its log, the memory beside them, its notice, and a value");
}

/// Whoever is given the database is given what is beside it.
#[test]
fn what_is_beside_a_database_has_its_mode() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    Sqlite::open(&path).unwrap().close();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let store = Sqlite::open(&path).unwrap();
    append(&store, large(create(&store, "a"), 0)).unwrap();
    assert_eq!(mode(&path), 0o640, "it is the user's to say");
    assert_eq!(mode(&scratch.path("runs.db-wal")), 0o640);
    let values = scratch.path("runs.db-values");
    let shelf = fs::read_dir(&values).unwrap().next().unwrap().unwrap().path();
    let value = fs::read_dir(&shelf).unwrap().next().unwrap().unwrap().path();
    assert_eq!((mode(&values), mode(&shelf), mode(&value)), (0o750, 0o750, 0o640));
}

#[test]
fn another_name_of_the_file_is_no_second_way_in() {
    let scratch = Scratch::new();
    let (path, link, moved) = (scratch.path("runs.db"), scratch.path("link.db"), scratch.path("moved.db"));
    let mut child = spawn(&path);
    while !path.exists() || !Visitor::open(&path).is_ok_and(|visitor| visitor.is_owned().unwrap()) {
        std::thread::yield_now();
    }
    fs::hard_link(&path, &link).unwrap();
    in_use(&link);
    // Nor to look: what was committed is in the log of the other name.
    let error = Visitor::open(&link).unwrap_err().to_string();
    assert!(error.contains("they are in the log of that name; open it by that name"), "{error}");
    fs::remove_file(&link).unwrap();
    // The child notices that it is gone, unless it is killed first.
    let visitor = Visitor::open(&path).unwrap();
    fs::rename(&path, &moved).unwrap();
    let request = Request {
        run: None,
        operation: "\"cancel\"".to_owned(),
        actor: "ada".to_owned(),
        reason: None,
        at: super::support::at(1),
    };
    let error = visitor.request(request).unwrap_err();
    assert!(matches!(error, StoreError::Gone { .. }), "{error}");
    drop(visitor);
    child.kill().unwrap();
    child.wait().unwrap();
    // Nor is the log that it has left.
    fs::rename(&moved, &path).unwrap();
    fs::hard_link(&path, &link).unwrap();
    let error = Sqlite::open(&link).unwrap_err().to_string();
    assert!(error.contains("they are in the log of that name; open it by that name"), "{error}");
    Sqlite::open(&path).unwrap().close();
    // Now it has none.
    Sqlite::open(&link).unwrap();
}

#[test]
fn a_file_that_goes_while_it_is_owned_is_noticed_and_nothing_more_is_written() {
    type Go = fn(&Scratch);
    let goes: [(&str, Go, &str); 5] = [
        ("removed", |s| fs::remove_file(s.path("runs.db")).unwrap(), "it was removed or moved away"),
        (
            "moved",
            |s| fs::rename(s.path("runs.db"), s.path("moved.db")).unwrap(),
            "it was removed or moved away",
        ),
        (
            "replaced",
            |s| {
                fs::copy(s.path("runs.db"), s.path("new.db")).unwrap();
                fs::rename(s.path("new.db"), s.path("runs.db")).unwrap();
            },
            "it was replaced by another file",
        ),
        ("log removed", |s| fs::remove_file(s.path("runs.db-wal")).unwrap(), "its log `"),
        (
            "log replaced",
            |s| {
                fs::remove_file(s.path("runs.db-wal")).unwrap();
                fs::write(s.path("runs.db-wal"), b"somebody's").unwrap();
            },
            "was replaced by another file",
        ),
    ];
    for (name, go, words) in goes {
        let scratch = Scratch::new();
        let path = scratch.path("runs.db");
        let store = Sqlite::open(&path).unwrap();
        let run = create(&store, "a");
        append(&store, batch(run, 0)).unwrap();
        go(&scratch);
        let error = append(&store, batch(run, 1)).unwrap_err();
        assert!(matches!(error, StoreError::Gone { .. }), "{name}: {error}");
        assert!(error.to_string().contains(words), "{name}: {error}");
        // Also where nothing is written, and once it is back.
        assert_eq!(store.foreign_writes(), Err(error.clone()), "{name}");
        assert_eq!(append(&store, batch(run, 1)), Err(error), "{name}");
        store.close();
        if name == "moved" {
            let store = Sqlite::open(scratch.path("moved.db")).unwrap();
            assert_eq!(store.journal(run).unwrap().len(), 1, "what was committed is in it");
        }
        if name == "log replaced" {
            assert_eq!(fs::read(scratch.path("runs.db-wal")).unwrap(), b"somebody's");
        }
    }
}

/// Another file of the same name would be given the log of the one before it.
#[test]
fn a_file_in_the_place_of_one_that_is_owned_is_in_use() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let store = Sqlite::open(&path).unwrap();
    let run = create(&store, "a");
    append(&store, batch(run, 0)).unwrap();
    fs::copy(&path, scratch.path("backup.db")).unwrap();
    fs::rename(scratch.path("backup.db"), &path).unwrap();
    in_use(&path);
    store.close();
    Sqlite::open(&path).unwrap();
}

/// Names that stand beside a store belong to others.
#[test]
fn a_file_called_like_a_lock_is_somebody_s() {
    for (name, lock) in
        [("Cargo", "Cargo.lock"), ("workflows", "workflows.lock"), ("runs.db", "runs.db.lock")]
    {
        let scratch = Scratch::new();
        fs::write(scratch.path(lock), "version = 4\n").unwrap();
        let held = File::open(scratch.path(lock)).unwrap();
        held.lock().unwrap();
        let store = Sqlite::open(scratch.path(name)).unwrap();
        create(&store, "a");
        store.close();
        assert_eq!(fs::read_to_string(scratch.path(lock)).unwrap(), "version = 4\n");
        let others: Vec<_> =
            scratch.files().into_keys().filter(|file| file != name && file != lock).collect();
        assert!(others.is_empty(), "nothing is left beside it: {others:?}");
        // Nor does it follow a link.
        fs::remove_file(scratch.path(lock)).unwrap();
        fs::write(scratch.path("victim"), "dear diary").unwrap();
        symlink(scratch.path("victim"), scratch.path(lock)).unwrap();
        Sqlite::open(scratch.path(name)).unwrap();
        assert_eq!(fs::read_to_string(scratch.path("victim")).unwrap(), "dear diary");
    }
}

/// A process of an earlier version owns it by another file.
#[test]
fn an_earlier_version_s_lock_is_kept_to() {
    let scratch = Scratch::new();
    let (path, lock) = (scratch.path("runs.db"), scratch.path("runs.db.lock"));
    fs::write(&lock, "4711").unwrap();
    Sqlite::open(&path).unwrap().close();
    let held = File::open(&lock).unwrap();
    held.lock().unwrap();
    let error = Sqlite::open(&path).unwrap_err();
    assert_eq!(error, StoreError::InUse { path: path.clone(), pid: Some(4711) });
    drop(held);
    Sqlite::open(&path).unwrap();
    assert_eq!(fs::read_to_string(&lock).unwrap(), "4711");
}

/// As a process is about to be started: it has all that is open here, until it
/// becomes another program.
#[test]
fn it_is_owned_no_more_though_a_process_that_is_just_being_started_has_it_open() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let store = Sqlite::open(&path).unwrap();
    create(&store, "a");
    let copy = crate::store::sqlite::handle::copy_of(&path).unwrap();
    store.close();
    let again = Sqlite::open(&path).unwrap();
    again.close();
    drop(copy);
}

/// Whoever closes a store that is being closed waits until it is.
#[test]
fn closed_twice_at_once_is_closed_for_both() {
    for _ in 0..20 {
        let scratch = Scratch::new();
        let path = scratch.path("runs.db");
        let store = Sqlite::open(&path).unwrap();
        let run = create(&store, "a");
        for seq in 0..20 {
            store.append(batch(run, seq), Box::new(|_| ()));
        }
        let one_by_one = Mutex::new(());
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    store.close();
                    let _alone = one_by_one.lock().unwrap();
                    Sqlite::open(&path).unwrap().close();
                });
            }
        });
    }
}

/// Who looks whose it is does so by a lock, for a moment.
#[test]
fn those_who_look_are_in_nobody_s_way() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    Sqlite::open(&path).unwrap().close();
    // As other processes would: a lock is an open file's.
    let lookers: [File; 4] = std::array::from_fn(|_| File::open(&path).unwrap());
    let over = AtomicBool::new(false);
    let taken = std::thread::scope(|scope| {
        for looker in &lookers {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    if looker.try_lock_shared().is_ok() {
                        looker.unlock().unwrap();
                    }
                    (0..9).for_each(|_| std::thread::yield_now());
                }
            });
        }
        let taken: Vec<_> = (0..50).map(|_| Ownership::take(&path).map(drop)).collect();
        over.store(true, Ordering::Relaxed);
        taken
    });
    taken.into_iter().for_each(|taken| taken.unwrap());
}

#[test]
fn an_empty_file_is_a_new_store() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    fs::write(&path, b"").unwrap();
    let store = Sqlite::open(&path).unwrap();
    create(&store, "a");
    store.close();
    let found = Sqlite::open(&path).unwrap().list(&RunFilter::default()).unwrap();
    assert_eq!(found[0].state, RunState::Running);
    assert_eq!(fs::metadata(&path).unwrap().nlink(), 1);
}
