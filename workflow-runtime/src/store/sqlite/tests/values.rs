//! Values beside the database: where they are, that they go, and what is told
//! when they are not what they should be.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::failing::hold;
use super::support::{Scratch, append, at, batch, create, wait};
use crate::run::{RunState, Timestamp};
use crate::store::sqlite::apply::{Tables, Work, WriteFailure};
use crate::store::{Batch, Payload, Remembered, RunEnd, RunFilter, RunRef, Sqlite, Store, StoreError};

const LARGE: usize = 70_000;

fn payload(fill: u8, size: usize) -> Payload {
    Payload { type_name: "Large".into(), bytes: vec![fill; size] }
}

fn with_value(run: RunRef, seq: u64, value: Payload) -> Batch {
    let mut batch = batch(run, seq);
    batch.entries[0].value = Some(value);
    batch
}

fn ending(run: RunRef, seq: u64, result: Payload) -> Batch {
    let end = RunEnd { state: RunState::Succeeded, at: at(9), result: Some(result), error: None };
    Batch { run, first_seq: seq, end: Some(end), ..Batch::default() }
}

/// Every file beside the database, in order.
fn files(store: &Path) -> Vec<PathBuf> {
    let entries = |path: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let mut directory = store.as_os_str().to_owned();
    directory.push("-values");
    let (shelves, mut files): (Vec<_>, Vec<_>) =
        entries(Path::new(&directory)).into_iter().partition(|path| path.is_dir());
    files.extend(shelves.iter().flat_map(|shelf| entries(shelf)));
    files.sort();
    files
}

fn open(scratch: &Scratch) -> Sqlite {
    Sqlite::open(scratch.path("runs.db")).unwrap()
}

#[test]
fn only_what_is_too_large_for_a_row_is_a_file_named_by_its_content() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let run = create(&store, "a");
    append(&store, with_value(run, 0, payload(b'1', 64 << 10))).unwrap();
    assert!(files(store.path()).is_empty());
    append(&store, with_value(run, 1, payload(b'1', (64 << 10) + 1))).unwrap();
    append(&store, ending(run, 2, payload(b'1', (64 << 10) + 1))).unwrap();
    let found = files(store.path());
    assert_eq!(found.len(), 1, "the same value is the same file: {found:?}");
    assert_eq!(std::fs::read(&found[0]).unwrap(), vec![b'1'; (64 << 10) + 1]);
    let shell = Connection::open(store.path()).unwrap();
    let name: String =
        shell.query_row("SELECT value_file FROM journal WHERE value IS NULL", [], |row| row.get(0)).unwrap();
    assert!(found[0].ends_with(format!("runs.db-values/{}/{}", &name[..2], &name[2..])), "{found:?} {name}");
    assert!(name.len() == 64 && name.bytes().all(|digit| digit.is_ascii_hexdigit()));
    let shown: String = shell.query_row("SELECT result FROM run_list", [], |row| row.get(0)).unwrap();
    assert_eq!(shown, format!("in the file {}/{}", &name[..2], &name[2..]));
}

#[test]
fn a_file_goes_with_the_last_that_refers_to_it() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let runs = ["a", "b"].map(|id| create(&store, id));
    let number = || files(store.path()).len();
    for run in runs {
        append(&store, with_value(run, 0, payload(1, LARGE))).unwrap();
    }
    append(&store, with_value(runs[0], 1, payload(2, LARGE))).unwrap();
    append(&store, ending(runs[0], 2, payload(3, LARGE))).unwrap();
    assert_eq!(number(), 3);
    // It is taken up again, so its result is none.
    let state = Some(RunState::Running);
    append(&store, Batch { state, ..batch(runs[0], 2) }).unwrap();
    assert_eq!(number(), 2);
    let remembered = |fill, until| Remembered {
        key: b"k".to_vec(),
        task: "load".into(),
        value: payload(fill, LARGE),
        until: at(until),
    };
    let remember = |fill, seq| Batch { remember: vec![remembered(fill, 5)], ..batch(runs[0], seq) };
    append(&store, remember(4, 3)).unwrap();
    append(&store, remember(1, 4)).unwrap();
    assert_eq!(number(), 2, "the later result has taken the earlier one's place");
    append(&store, ending(runs[0], 5, payload(5, LARGE))).unwrap();
    append(&store, ending(runs[1], 1, payload(5, LARGE))).unwrap();
    assert_eq!(number(), 3);
    assert_eq!(store.remove_ended_before(Timestamp(u64::MAX), 1).unwrap(), 1);
    assert_eq!(number(), 2);
    assert_eq!(store.remove_ended_before(Timestamp(u64::MAX), 1).unwrap(), 1);
    assert_eq!(number(), 1, "what is remembered stays");
    assert_eq!(store.forget(at(5), 10).unwrap(), 1);
    assert_eq!(number(), 0);
}

/// One transaction that removes the last reference to a value, and writes
/// the value again.
#[test]
fn a_file_that_is_needed_again_at_once_stays() {
    for half_fails in [false, true] {
        let scratch = Scratch::new();
        let store = open(&scratch);
        let runs = ["a", "b"].map(|id| create(&store, id));
        append(&store, with_value(runs[0], 0, payload(1, LARGE))).unwrap();
        append(&store, ending(runs[0], 1, payload(1, LARGE))).unwrap();
        let go = hold(&store);
        let remove =
            crate::store::sqlite::apply::Remove { before: Timestamp(u64::MAX), at_most: 10, rows: 100 };
        store.writer.submit(Ok(remove), Box::new(|removed| assert_eq!(removed.unwrap().runs, 1)));
        if half_fails {
            // So that each of the group gets its own transaction.
            store.writer.submit(Ok(Failing), Box::new(|result| assert!(result.is_err())));
        }
        let written = wait(|done| {
            store.append(with_value(runs[1], 0, payload(1, LARGE)), done);
            go.send(()).unwrap();
        });
        written.unwrap();
        assert!(store.journal(runs[1]).unwrap()[0].value == Some(payload(1, LARGE)));
        assert!(store.journal(runs[0]).is_err());
    }
}

struct Failing;

impl Work for Failing {
    type Outcome = ();

    fn apply(&self, _: &mut Tables<'_>) -> Result<(), WriteFailure> {
        Err(WriteFailure::Failed(StoreError::Other { message: "no".to_owned() }))
    }
}

#[test]
fn what_a_crash_has_left_goes_when_the_store_is_opened() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let run = create(&store, "a");
    append(&store, with_value(run, 0, payload(1, LARGE))).unwrap();
    let path = store.path().to_owned();
    let kept = files(&path);
    // Written, and refused.
    assert!(append(&store, with_value(run, 7, payload(2, LARGE))).is_err());
    assert_eq!(files(&path).len(), 2);
    store.close();
    let directory = kept[0].parent().unwrap().parent().unwrap();
    std::fs::write(directory.join("unfinished"), b"half").unwrap();
    // Somebody else's.
    let readme = directory.join("README");
    std::fs::write(&readme, b"by hand").unwrap();
    let store = open(&scratch);
    append(&store, batch(run, 1)).unwrap();
    assert_eq!(files(&path), [kept, vec![readme]].concat());
    assert!(store.journal(run).unwrap()[0].value == Some(payload(1, LARGE)));
}

#[test]
fn a_file_that_is_not_what_was_written_is_told_with_its_place() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let (run, other) = (create(&store, "a"), create(&store, "b"));
    append(&store, batch(run, 0)).unwrap();
    append(&store, with_value(run, 1, payload(1, LARGE))).unwrap();
    append(&store, ending(other, 0, payload(2, LARGE))).unwrap();
    assert!(store.check().unwrap().is_empty());
    let file = |fill| {
        let files = files(store.path());
        files.into_iter().find(|file| std::fs::read(file).unwrap().first() == Some(&fill)).unwrap()
    };
    let (value, result) = (file(1), file(2));
    let told = |whose: &str, file: &Path, what: &str| {
        let words = format!("{whose} is in `{}`, which {what}", file.display());
        let lines = store.check().unwrap();
        assert!(lines.iter().any(|line| line.contains(&words)), "{words}: {lines:?}");
        words
    };
    for (content, what) in [(Some(vec![3; LARGE]), "has been altered"), (None, "is missing")] {
        for file in [&value, &result] {
            match &content {
                Some(content) => std::fs::write(file, content).unwrap(),
                None => std::fs::remove_file(file).unwrap(),
            }
        }
        let words = told("the value of entry 1 of run a", &value, what);
        let error = store.journal(run).unwrap_err();
        assert!(matches!(error, StoreError::Value { .. }), "{error}");
        assert!(error.to_string().contains(&words), "{error}");
        let words = told("the result of run b", &result, what);
        let error = store.find("b").unwrap_err();
        assert!(matches!(error, StoreError::Value { .. }) && error.to_string().contains(&words), "{error}");
        // The others are not hidden.
        let listed = store.list(&RunFilter::default()).unwrap();
        assert_eq!(listed.iter().map(|run| run.run).collect::<Vec<_>>(), [run]);
    }
    // The same value again mends it.
    append(&store, with_value(run, 2, payload(1, LARGE))).unwrap();
    assert!(store.journal(run).unwrap()[1].value == Some(payload(1, LARGE)));
    std::fs::write(file(1), b"spoilt").unwrap();
    append(&store, with_value(run, 3, payload(1, LARGE))).unwrap();
    assert!(store.journal(run).unwrap()[1].value == Some(payload(1, LARGE)));
}
