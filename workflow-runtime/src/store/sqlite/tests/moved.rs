//! A database that has another name than before: what is in a log that stayed
//! behind is not missed without a word, and what has all of its commits opens
//! without one.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::support::{Scratch, append, batch, create};
use crate::store::{Sqlite, Store, StoreError, Visitor};

/// How many entries the run has that is in the log alone.
const ENTRIES: u64 = 3;

/// Two folders: a database in the first whose process was killed, and which has
/// a run in its log, and a name in the second.
struct Killed {
    scratch: Scratch,
    old: PathBuf,
    new: PathBuf,
}

impl Killed {
    fn new() -> Self {
        let scratch = Scratch::new();
        for folder in ["old", "new"] {
            fs::create_dir(scratch.path(folder)).unwrap();
        }
        let (old, new) = (scratch.path("old/runs.db"), scratch.path("new/moved.db"));
        kill(&old);
        Self { scratch, old, new }
    }

    /// What is refused is refused to those who look, too, and nothing has
    /// changed by that.
    #[track_caller]
    fn refused(&self, help: &str) {
        let there = fs::read(&self.new).unwrap();
        let errors = [Sqlite::open(&self.new).unwrap_err(), Visitor::open(&self.new).unwrap_err()];
        for error in errors {
            assert!(matches!(error, StoreError::LogElsewhere { .. }), "{error}");
            let words = error.to_string();
            let [old, new] = [&self.old, &self.new].map(|path| path.display());
            let said = format!("`{new}` lacks its last commits: it was opened as `{old}`");
            assert!(words.contains(&said), "{words}");
            let help = help.replace("OLD", &old.to_string()).replace("NEW", &new.to_string());
            assert!(words.contains(&help), "{words}");
        }
        assert_eq!(fs::read(&self.new).unwrap(), there);
    }
}

fn log(path: &Path) -> PathBuf {
    path.with_extension("db-wal")
}

/// Makes a store whose last commits are in its log, as a process leaves it that
/// is killed.
fn kill(path: &Path) {
    let store = Sqlite::open(path).unwrap();
    let run = create(&store, "a");
    (0..ENTRIES).for_each(|seq| append(&store, batch(run, seq)).unwrap());
    let left = [path.to_owned(), log(path)].map(|path| (fs::read(&path).unwrap(), path));
    store.close();
    left.into_iter().for_each(|(bytes, path)| fs::write(path, bytes).unwrap());
}

/// It opens, and nothing is missing.
#[track_caller]
fn is_whole(path: &Path) {
    let visitor = Visitor::open(path).unwrap();
    assert_eq!(visitor.find("a").unwrap().len(), 1);
    drop(visitor);
    let store = Sqlite::open(path).unwrap();
    let run = store.find("a").unwrap().remove(0).run;
    assert_eq!(store.journal(run).unwrap().len() as u64, ENTRIES);
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
    store.close();
}

#[test]
fn one_that_was_moved_without_its_log_is_refused_and_whole_once_that_has_come_along() {
    let killed = Killed::new();
    fs::rename(&killed.old, &killed.new).unwrap();
    killed.refused("bring that along with `mv OLD-wal NEW-wal`, or remove it");
    fs::rename(log(&killed.old), log(&killed.new)).unwrap();
    is_whole(&killed.new);
    // And from there on under its new name.
    kill_again(&killed.new);
    is_whole(&killed.new);
}

/// What is committed by the new name is in that one's log.
fn kill_again(path: &Path) {
    let store = Sqlite::open(path).unwrap();
    create(&store, "b");
    let left = [path.to_owned(), log(path)].map(|path| (fs::read(&path).unwrap(), path));
    store.close();
    left.into_iter().for_each(|(bytes, path)| fs::write(path, bytes).unwrap());
}

#[test]
fn one_that_was_moved_twice_is_missing_what_it_was_given_last() {
    let mut killed = Killed::new();
    fs::rename(&killed.old, &killed.new).unwrap();
    fs::rename(log(&killed.old), log(&killed.new)).unwrap();
    kill_again(&killed.new);
    (killed.old, killed.new) = (killed.new, killed.old);
    fs::rename(&killed.old, &killed.new).unwrap();
    killed.refused("bring that along with `mv OLD-wal NEW-wal`");
    // Whoever does not want it says so.
    fs::remove_file(log(&killed.old)).unwrap();
    is_whole(&killed.new);
}

/// To another disk, which is to copy it and to remove it.
#[test]
fn one_that_was_moved_to_another_disk_is_refused() {
    let killed = Killed::new();
    fs::copy(&killed.old, &killed.new).unwrap();
    fs::remove_file(&killed.old).unwrap();
    killed.refused("bring that along with `mv OLD-wal NEW-wal`");
}

#[test]
fn a_copy_without_its_log_is_refused_and_whole_once_that_was_copied_too() {
    let killed = Killed::new();
    fs::copy(&killed.old, &killed.new).unwrap();
    killed.refused("copy that too, with `cp OLD-wal NEW-wal`");
    fs::copy(log(&killed.old), log(&killed.new)).unwrap();
    is_whole(&killed.new);
    is_whole(&killed.old);
}

/// Its log has commits that the file has not, as while it works.
#[test]
fn a_copy_of_one_that_is_open_is_refused() {
    let scratch = Scratch::new();
    let (old, new) = (scratch.path("runs.db"), scratch.path("copy.db"));
    let store = Sqlite::open(&old).unwrap();
    create(&store, "a");
    fs::copy(&old, &new).unwrap();
    let error = Sqlite::open(&new).unwrap_err().to_string();
    assert!(error.contains("copy the store again while no process has it open"), "{error}");
    // It still works, and is still owned.
    create(&store, "b");
    assert!(matches!(Sqlite::open(&old), Err(StoreError::InUse { .. })));
}

#[test]
fn a_hard_link_anywhere_is_refused_and_the_old_name_opens() {
    let killed = Killed::new();
    fs::hard_link(&killed.old, &killed.new).unwrap();
    killed.refused("open it by that name");
    is_whole(&killed.old);
    // Then it has no log.
    is_whole(&killed.new);
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_is_the_same_name() {
    let killed = Killed::new();
    std::os::unix::fs::symlink(&killed.old, &killed.new).unwrap();
    is_whole(&killed.new);
}

#[test]
fn a_folder_that_was_renamed_or_copied_opens_also_where_another_store_has_its_place() {
    for copied in [false, true] {
        for replaced in [false, true] {
            let killed = Killed::new();
            let folder = killed.scratch.path("elsewhere");
            if copied {
                fs::create_dir(&folder).unwrap();
                fs::copy(&killed.old, folder.join("runs.db")).unwrap();
                fs::copy(log(&killed.old), folder.join("runs.db-wal")).unwrap();
            } else {
                fs::rename(killed.scratch.path("old"), &folder).unwrap();
                fs::create_dir(killed.scratch.path("old")).unwrap();
            }
            if replaced {
                for file in [killed.old.clone(), log(&killed.old)] {
                    let _ = fs::remove_file(file);
                }
                kill(&killed.old);
            }
            is_whole(&folder.join("runs.db"));
        }
    }
}

/// As where its folder is mounted a second time, or a container has it by
/// another path: the log is the same by either name.
#[test]
fn a_folder_that_is_there_twice_opens_by_either_name() {
    let killed = Killed::new();
    fs::hard_link(&killed.old, &killed.new).unwrap();
    fs::hard_link(log(&killed.old), log(&killed.new)).unwrap();
    drop(Visitor::open(&killed.new).unwrap());
    is_whole(&killed.new);
}

#[test]
fn a_backup_opens_whatever_has_become_of_its_original() {
    let killed = Killed::new();
    is_whole(&killed.old);
    let backup = killed.scratch.path("backup.db");
    let conn = Connection::open(&killed.old).unwrap();
    conn.execute("VACUUM INTO ?1", [backup.display().to_string()]).unwrap();
    drop(conn);
    let copied = killed.scratch.path("copied.db");
    fs::copy(&killed.old, &copied).unwrap();
    // It goes on, and is killed.
    kill_again(&killed.old);
    for backup in [backup, copied] {
        fs::copy(&backup, &killed.new).unwrap();
        is_whole(&killed.new);
        // In the place of the original, too.
        let again = killed.scratch.path("old/again.db");
        fs::copy(&backup, &again).unwrap();
        is_whole(&again);
        fs::remove_file(&again).unwrap();
    }
}

/// A log is emptied long before it is removed: that it is there says nothing.
#[test]
fn one_whose_old_log_has_nothing_that_is_missing_opens() {
    let killed = Killed::new();
    let left = fs::read(log(&killed.old)).unwrap();
    is_whole(&killed.old);
    fs::write(log(&killed.old), left).unwrap();
    fs::rename(&killed.old, &killed.new).unwrap();
    is_whole(&killed.new);
}

/// What stands behind the last commit of a log is no commit.
#[test]
fn a_log_that_is_cut_off_or_no_log_keeps_nothing_from_opening() {
    for content in [&b"no log at all, and yet longer than a header of one"[..], &[0; 100], &[]] {
        let killed = Killed::new();
        fs::rename(&killed.old, &killed.new).unwrap();
        fs::write(log(&killed.old), content).unwrap();
        let store = Sqlite::open(&killed.new).unwrap();
        assert!(store.find("a").unwrap().is_empty());
    }
    let killed = Killed::new();
    fs::rename(&killed.old, &killed.new).unwrap();
    let mut bytes = fs::read(log(&killed.old)).unwrap();
    // Every frame is damaged: none is a commit.
    bytes.iter_mut().skip(32 + 24).step_by(4_096).for_each(|byte| *byte ^= 1);
    fs::write(log(&killed.old), bytes).unwrap();
    Sqlite::open(&killed.new).unwrap();
}

#[test]
fn what_an_earlier_version_has_left_opens_by_any_name() {
    let killed = Killed::new();
    is_whole(&killed.old);
    Connection::open(&killed.old).unwrap().execute_batch("DELETE FROM opened_as").unwrap();
    fs::rename(&killed.old, &killed.new).unwrap();
    is_whole(&killed.new);
}
