//! What every store has to do: the suite that [`Sqlite`](super::Sqlite) and
//! [`Memory`](super::Memory) pass, for whoever writes another.
//!
//! ```
//! use workflow_runtime::store::{Memory, Store, conformance};
//! # use std::collections::HashMap;
//! # use std::sync::Mutex;
//!
//! let stores: Mutex<HashMap<String, Memory>> = Mutex::default();
//! conformance::check(|name| {
//!     let mut stores = stores.lock().unwrap();
//!     Box::new(stores.entry(name.to_owned()).or_default().clone())
//! });
//! ```

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

use super::{
    Batch, Created, Entry, NewRun, Payload, RunEnd, RunFilter, RunRef, StepChange, Store, StoreError,
    StoredEntry, StoredRun,
};
use crate::error::{Cause, Failure, StepError};
use crate::run::{RunState, StepState, Timestamp, Wait};

/// How long a check waits for an answer before it says that none came.
const PATIENCE: Duration = Duration::from_secs(60);

/// A check, and its name.
type Check = (&'static str, fn(&Bench<'_>));

const CHECKS: [Check; 18] = [
    ("a run is found as it was created", created_is_found),
    ("a key names one run", a_key_names_one_run),
    ("an id names one run", an_id_names_one_run),
    ("a key names one run under concurrency", a_key_under_concurrency),
    ("a journal keeps its order", a_journal_keeps_its_order),
    ("a journal has no gap", a_journal_has_no_gap),
    ("a batch that contradicts itself is refused", contradictions_are_refused),
    ("a run that is not there is told", unknown_runs_are_told),
    ("nothing is lost when a store is closed", nothing_is_lost_when_closed),
    ("unfinished runs are listed", unfinished_runs_are_listed),
    ("an ended run leaves the unfinished ones", ended_runs_leave),
    ("an ended run can be taken up again", ended_runs_can_go_on),
    ("old runs are removed", old_runs_are_removed),
    ("runs are found by a prefix, and listed", runs_are_listed),
    ("any text and any bytes are kept", odd_text_is_kept),
    ("a value of 10 MB is kept", large_values_are_kept),
    ("many threads write many runs", many_threads),
    ("every write is answered once", every_write_is_answered_once),
];

/// Checks a store, and panics with the name of the first check that it fails.
///
/// `open` opens the store of a name: an empty one at first, and for the same
/// name the same one again. A store is closed before the next one of its name
/// is opened.
///
/// # Panics
/// When the store fails a check.
pub fn check(open: impl Fn(&str) -> Box<dyn Store>) {
    for (name, check) in CHECKS {
        let bench = Bench { open: &open, name };
        // The check's own message has been printed by then.
        let passed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&bench)));
        assert!(passed.is_ok(), "the store fails the check that {name}");
    }
}

/// Opens the store of one check.
struct Bench<'a> {
    open: &'a dyn Fn(&str) -> Box<dyn Store>,
    name: &'static str,
}

impl Bench<'_> {
    fn open(&self) -> Arc<dyn Store> {
        Arc::from((self.open)(self.name))
    }
}

fn created_is_found(bench: &Bench<'_>) {
    let store = bench.open();
    let new = NewRun { key: Some("a key".to_owned()), entries: vec![entry(0), entry(1)], ..new_run("0-a") };
    let run = create(&*store, new.clone());
    let expected = StoredRun {
        run,
        id: new.id,
        workflow: new.workflow,
        key: new.key,
        fingerprint: new.fingerprint,
        params: new.params,
        created_at: new.created_at,
        state: new.state,
        end: None,
    };
    assert_eq!(only(&*store, "0-a"), expected);
    assert_eq!(store.by_key("a key").unwrap(), Some(expected));
    assert_eq!(store.by_key("another key").unwrap(), None);
    assert_eq!(store.journal(run).unwrap(), [stored(0), stored(1)]);
}

fn a_key_names_one_run(bench: &Bench<'_>) {
    let store = bench.open();
    let keyed = |id: &str| NewRun { key: Some("the key".to_owned()), ..new_run(id) };
    let first = create(&*store, keyed("a"));
    let found = existing(&*store, NewRun { workflow: "another".to_owned(), ..keyed("b") });
    assert_eq!((found.run, found.id.as_str()), (first, "a"));
    assert!(store.find("b").unwrap().is_empty(), "nothing is written for a key that is taken");
    // Runs without a key do not share one.
    assert_ne!(create(&*store, new_run("c")), create(&*store, new_run("d")));
    // An ended run keeps its key.
    append(&*store, ending(first, 0, 1)).unwrap();
    assert!(existing(&*store, keyed("e")).end.is_some());
}

fn an_id_names_one_run(bench: &Bench<'_>) {
    let store = bench.open();
    let run = create(&*store, new_run("a"));
    let found = existing(&*store, NewRun { entries: vec![entry(0)], ..new_run("a") });
    assert_eq!(found.run, run);
    assert!(store.journal(run).unwrap().is_empty());
}

fn a_key_under_concurrency(bench: &Bench<'_>) {
    let store = bench.open();
    let (threads, rounds) = (8, 20);
    let barrier = Arc::new(Barrier::new(threads));
    let created = std::thread::scope(|scope| {
        let spawn = |thread: usize| {
            let (store, barrier) = (store.clone(), barrier.clone());
            scope.spawn(move || {
                let try_round = |round: usize| {
                    let key = Some(format!("key {round}"));
                    let run = NewRun { key, ..new_run(&format!("{round}-{thread}")) };
                    barrier.wait();
                    matches!(try_create(&*store, run).unwrap(), Created::New(_))
                };
                (0..rounds).map(try_round).collect::<Vec<_>>()
            })
        };
        let threads: Vec<_> = (0..threads).map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    for round in 0..rounds {
        let winners = created.iter().filter(|created| created[round]).count();
        assert_eq!(winners, 1, "of {threads} that asked for the same key at once");
    }
}

fn a_journal_keeps_its_order(bench: &Bench<'_>) {
    let store = bench.open();
    let run = create(&*store, new_run("a"));
    let (sender, answers) = mpsc::channel();
    let mut seq = 0;
    // Sent without waiting, in batches of different sizes, an empty one too.
    for size in [1, 3, 0, 2, 1].into_iter().cycle().take(200) {
        let sender = sender.clone();
        let done = Box::new(move |result: Result<(), StoreError>| sender.send(result).unwrap());
        store.append(batch(run, seq, size), done);
        seq += size;
    }
    for _ in 0..200 {
        answers.recv_timeout(PATIENCE).unwrap().unwrap();
    }
    assert_eq!(store.journal(run).unwrap(), (0..seq).map(stored).collect::<Vec<_>>());
}

fn a_journal_has_no_gap(bench: &Bench<'_>) {
    let store = bench.open();
    let run = create(&*store, new_run("a"));
    let refused = |first, expected| {
        let got = append(&*store, batch(run, first, 1));
        assert_eq!(got, Err(StoreError::OutOfOrder { run, expected, got: first }));
    };
    refused(1, 0);
    append(&*store, batch(run, 0, 2)).unwrap();
    refused(0, 2);
    refused(1, 2);
    refused(3, 2);
    refused(u64::MAX, 2);
    append(&*store, batch(run, 2, 1)).unwrap();
    assert_eq!(store.journal(run).unwrap().len(), 3);
    store.close();
    // Whoever opens the store next knows where the journal ends.
    let store = bench.open();
    let run = only(&*store, "a").run;
    let got = append(&*store, batch(run, 4, 1));
    assert_eq!(got, Err(StoreError::OutOfOrder { run, expected: 3, got: 4 }));
    append(&*store, batch(run, 3, 1)).unwrap();
}

fn contradictions_are_refused(bench: &Bench<'_>) {
    let store = bench.open();
    let ended = NewRun { state: RunState::Failed, ..new_run("a") };
    assert!(try_create(&*store, ended).is_err(), "a new run has not ended");
    let run = create(&*store, new_run("a"));
    let state = Batch { state: Some(RunState::Cancelled), ..batch(run, 0, 1) };
    assert!(append(&*store, state).is_err(), "an end is more than a state");
    let mut end = ending(run, 0, 1);
    end.end = end.end.map(|end| RunEnd { state: RunState::Running, ..end });
    assert!(append(&*store, end).is_err(), "a run that runs has not ended");
    assert!(store.journal(run).unwrap().is_empty());
}

fn unknown_runs_are_told(bench: &Bench<'_>) {
    let store = bench.open();
    for run in [RunRef(0), RunRef(-1), RunRef(77), RunRef(i64::MAX)] {
        assert_eq!(append(&*store, batch(run, 0, 1)), Err(StoreError::UnknownRun { run }));
        assert_eq!(store.journal(run), Err(StoreError::UnknownRun { run }));
    }
}

fn nothing_is_lost_when_closed(bench: &Bench<'_>) {
    let store = bench.open();
    let (answered, writes) = (Arc::new(AtomicUsize::new(0)), 300);
    let run = create(&*store, new_run("a"));
    for seq in 0..writes {
        let answered = answered.clone();
        let done = Box::new(move |result: Result<(), StoreError>| {
            result.unwrap();
            answered.fetch_add(1, Ordering::SeqCst);
        });
        store.append(batch(run, seq, 1), done);
    }
    store.close();
    assert_eq!(answered.load(Ordering::SeqCst) as u64, writes, "closing waits for what is queued");
    store.close();
    assert_eq!(append(&*store, batch(run, writes, 1)), Err(StoreError::Closed));
    assert_eq!(try_create(&*store, new_run("b")), Err(StoreError::Closed));
    assert_eq!(store.journal(run), Err(StoreError::Closed));
    assert_eq!(store.unfinished(None, 10), Err(StoreError::Closed));
    assert_eq!(store.list(&RunFilter::default()), Err(StoreError::Closed));
    assert_eq!(store.remove_ended_before(Timestamp(u64::MAX), 10), Err(StoreError::Closed));
    drop(store);
    let store = bench.open();
    let run = only(&*store, "a").run;
    assert_eq!(store.journal(run).unwrap(), (0..writes).map(stored).collect::<Vec<_>>());
}

fn unfinished_runs_are_listed(bench: &Bench<'_>) {
    let store = bench.open();
    assert!(store.unfinished(None, 10).unwrap().is_empty());
    let runs: Vec<_> = (0..25).map(|number| create(&*store, new_run(&format!("{number:02}")))).collect();
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let page = store.unfinished(after, 10).unwrap();
        assert!(page.len() <= 10);
        let Some(last) = page.last() else { break };
        after = Some(last.run);
        found.extend(page.iter().map(|run| run.run));
    }
    assert_eq!(found, runs, "each once, the oldest first");
}

fn ended_runs_leave(bench: &Bench<'_>) {
    let store = bench.open();
    let runs: Vec<_> = ["a", "b", "c"].map(|id| create(&*store, new_run(id))).into();
    append(&*store, Batch { state: Some(RunState::Waiting), ..batch(runs[0], 0, 1) }).unwrap();
    let succeeded = ending(runs[1], 0, 1);
    append(&*store, succeeded.clone()).unwrap();
    let failed = RunEnd { state: RunState::Failed, at: at(9), result: None, error: Some(step_error()) };
    append(&*store, Batch { end: Some(failed.clone()), ..batch(runs[2], 0, 0) }).unwrap();
    let left = store.unfinished(None, 10).unwrap();
    assert_eq!(
        left.iter().map(|run| (run.run, run.state)).collect::<Vec<_>>(),
        [(runs[0], RunState::Waiting)]
    );
    let end = |id| only(&*store, id).end;
    assert_eq!((end("b"), end("c")), (succeeded.end, Some(failed)));
    let got = append(&*store, batch(runs[1], 1, 1));
    assert_eq!(got, Err(StoreError::Ended { run: runs[1] }), "nothing follows the end");
    store.close();
    let store = bench.open();
    assert_eq!(store.unfinished(None, 10).unwrap().len(), 1);
    let run = only(&*store, "b").run;
    assert_eq!(append(&*store, batch(run, 1, 1)), Err(StoreError::Ended { run }));
}

fn ended_runs_can_go_on(bench: &Bench<'_>) {
    let store = bench.open();
    let run = create(&*store, new_run("a"));
    append(&*store, ending(run, 0, 2)).unwrap();
    let again = |first| Batch { state: Some(RunState::Running), ..batch(run, first, 1) };
    assert!(append(&*store, again(3)).is_err(), "its journal still has no gap");
    append(&*store, again(2)).unwrap();
    let found = only(&*store, "a");
    assert_eq!((found.state, found.end), (RunState::Running, None));
    assert_eq!(store.unfinished(None, 10).unwrap().len(), 1);
    append(&*store, batch(run, 3, 1)).unwrap();
    append(&*store, ending(run, 4, 1)).unwrap();
    assert!(store.unfinished(None, 10).unwrap().is_empty());
    assert_eq!(store.journal(run).unwrap().len(), 5);
}

fn old_runs_are_removed(bench: &Bench<'_>) {
    let store = bench.open();
    let end = |id: &str, second: u64| {
        let run = create(&*store, NewRun { key: Some(id.to_owned()), ..new_run(id) });
        let end = RunEnd { state: RunState::Cancelled, at: at(second), result: None, error: None };
        append(&*store, Batch { end: Some(end), ..batch(run, 0, 3) }).unwrap();
        run
    };
    let (late, early, middle) = (end("late", 30), end("early", 10), end("middle", 20));
    let unfinished = create(&*store, new_run("unfinished"));
    append(&*store, batch(unfinished, 0, 1)).unwrap();
    let last = end("last", 40);
    assert_eq!(store.remove_ended_before(at(10), 10).unwrap(), 0);
    assert_eq!(store.remove_ended_before(at(30), 1).unwrap(), 1, "no more than asked for");
    assert_eq!(store.journal(early), Err(StoreError::UnknownRun { run: early }), "the first first");
    assert_eq!(store.journal(middle).unwrap().len(), 3);
    assert_eq!(store.remove_ended_before(at(30), 10).unwrap(), 1);
    assert_eq!(store.remove_ended_before(at(30), 10).unwrap(), 0);
    assert_eq!(store.journal(late).unwrap().len(), 3);
    assert_eq!(store.remove_ended_before(Timestamp(u64::MAX), 10).unwrap(), 2);
    assert_eq!(store.journal(unfinished).unwrap().len(), 1);
    assert!(store.find("early").unwrap().is_empty());
    // The key is free, and nobody gets the number of a run that is gone.
    let again = create(&*store, NewRun { key: Some("late".to_owned()), ..new_run("late again") });
    assert!(![late, early, middle, last].contains(&again));
    assert!(store.journal(again).unwrap().is_empty());
}

fn runs_are_listed(bench: &Bench<'_>) {
    let store = bench.open();
    let create_one = |(id, workflow): (&str, &str)| {
        create(&*store, NewRun { workflow: workflow.to_owned(), ..new_run(id) })
    };
    let ids =
        [("018f-aa", "sum"), ("018f-ab", "sum"), ("018e-aa", "load"), ("018f%_", "load"), ("018F", "sum")];
    let runs = ids.map(create_one);
    append(&*store, ending(runs[1], 0, 1)).unwrap();
    let ids = |runs: Vec<StoredRun>| runs.into_iter().map(|run| run.id).collect::<Vec<_>>();
    let find = |prefix| ids(store.find(prefix).unwrap());
    assert_eq!(find("018f-aa"), ["018f-aa"]);
    assert_eq!(find("018f-a"), ["018f-ab", "018f-aa"]);
    assert_eq!(find("018f"), ["018f%_", "018f-ab", "018f-aa"], "the newest first, and case counts");
    assert_eq!(find("018f%"), ["018f%_"], "nothing stands for anything else");
    assert!(find("018f-aaa").is_empty() && find("18f").is_empty() && find("'; --").is_empty());
    assert_eq!(find("").len(), 5);
    let all = RunFilter::default;
    let list = |filter| ids(store.list(&filter).unwrap());
    assert_eq!(list(RunFilter { at_most: 2, ..all() }), ["018F", "018f%_"]);
    assert_eq!(list(RunFilter { before: Some(runs[3]), at_most: 2, ..all() }), ["018e-aa", "018f-ab"]);
    assert_eq!(list(RunFilter { workflow: Some("load".to_owned()), ..all() }), ["018f%_", "018e-aa"]);
    assert_eq!(list(RunFilter { states: vec![RunState::Succeeded], ..all() }), ["018f-ab"]);
    let two = vec![RunState::Succeeded, RunState::Queued];
    assert_eq!(list(RunFilter { states: two.clone(), ..all() }).len(), 5);
    let workflow = Some("sum".to_owned());
    let id_prefix = Some("018f".to_owned());
    let filter = RunFilter { id_prefix, workflow, states: two, before: Some(runs[1]), ..all() };
    assert_eq!(list(filter), ["018f-aa"]);
    assert!(list(RunFilter { at_most: 0, ..all() }).is_empty());
}

/// What has made a mess of one program or another.
const ODD: [&str; 12] = [
    "",
    " ",
    "a\0b",
    "'; DROP TABLE runs; --",
    "\"quoted\" \\ and %_*?",
    "line\r\nbreak\u{2028}",
    "Zürich 東京 🚀👩‍👩‍👧",
    "e\u{301} is not é",
    "\u{feff}mark",
    "\u{202e}backwards",
    "\u{10ffff}",
    "NULL",
];

fn odd_text_is_kept(bench: &Bench<'_>) {
    let store = bench.open();
    for (number, odd) in ODD.into_iter().enumerate() {
        let odd = odd.to_owned();
        let value = |bytes: &[u8]| Some(Payload { type_name: odd.clone().into(), bytes: bytes.to_vec() });
        let change = StepChange { path: odd.clone(), task: Some(odd.clone().into()), ..change() };
        let with = |bytes: &[u8]| Entry {
            event: odd.clone(),
            value: value(bytes),
            changes: vec![change.clone()],
            ..entry(0)
        };
        let entries = vec![with(odd.as_bytes()), with(b""), with(b"\xff\xfe"), with(b"\0"), with(b"null")];
        let new = NewRun {
            workflow: odd.clone(),
            key: Some(odd.clone()),
            fingerprint: u64::MAX - number as u64,
            params: odd.clone().into_bytes(),
            entries: entries.clone(),
            ..new_run(&format!("{odd}{number}"))
        };
        let run = create(&*store, new.clone());
        let found = store.by_key(&odd).unwrap().unwrap();
        assert_eq!((found.run, &found.id, &found.workflow), (run, &new.id, &odd));
        assert_eq!((found.fingerprint, &found.params), (new.fingerprint, &new.params));
        assert_eq!(store.find(&new.id).unwrap().len(), 1, "{odd:?}");
        let listed = store.list(&RunFilter { workflow: Some(odd.clone()), ..RunFilter::default() });
        assert_eq!(listed.unwrap(), [found]);
        for (stored, entry) in store.journal(run).unwrap().into_iter().zip(entries) {
            assert_eq!((stored.event, stored.value), (entry.event, entry.value), "{odd:?}");
        }
    }
}

fn large_values_are_kept(bench: &Bench<'_>) {
    let store = bench.open();
    let text = format!("\"{}\"", "0123456789".repeat(1_000_000)).into_bytes();
    let bytes: Vec<u8> =
        (0..10_000_000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let payload = |bytes: &Vec<u8>| Some(Payload { type_name: "Large".into(), bytes: bytes.clone() });
    let run = create(&*store, NewRun { params: text.clone(), ..new_run("a") });
    let entries =
        vec![Entry { value: payload(&text), ..entry(0) }, Entry { value: payload(&bytes), ..entry(1) }];
    let end = RunEnd { state: RunState::Succeeded, at: at(1), result: payload(&bytes), error: None };
    append(&*store, Batch { entries, end: Some(end), ..batch(run, 0, 0) }).unwrap();
    let journal = store.journal(run).unwrap();
    assert!(journal[0].value == payload(&text) && journal[1].value == payload(&bytes));
    let found = only(&*store, "a");
    assert!(found.params == text && found.end.unwrap().result == payload(&bytes));
}

fn many_threads(bench: &Bench<'_>) {
    let store = bench.open();
    let (threads, runs, batches) = (8, 5, 20);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let store = store.clone();
            scope.spawn(move || {
                for number in 0..runs {
                    let run = create(&*store, new_run(&format!("{thread}-{number}")));
                    for seq in 0..batches {
                        append(&*store, batch(run, seq, 1)).unwrap();
                        // Reading goes on beside the writing.
                        assert_eq!(store.journal(run).unwrap().len() as u64, seq + 1);
                    }
                    append(&*store, ending(run, batches, 1)).unwrap();
                }
            });
        }
    });
    assert!(store.unfinished(None, 10).unwrap().is_empty());
    let all = store.list(&RunFilter { at_most: 1_000, ..RunFilter::default() }).unwrap();
    assert_eq!(all.len(), threads * runs);
    assert_eq!(all.iter().map(|run| run.run).collect::<HashSet<_>>().len(), all.len());
    for run in all {
        let journal = store.journal(run.run).unwrap();
        assert_eq!(journal, (0..=batches).map(stored).collect::<Vec<_>>());
    }
}

fn every_write_is_answered_once(bench: &Bench<'_>) {
    let store = bench.open();
    let run = create(&*store, NewRun { key: Some("key".to_owned()), ..new_run("a") });
    let counts: Vec<_> = (0..400).map(|_| Arc::new(AtomicUsize::new(0))).collect();
    let mut seq = 0;
    for (number, count) in counts.iter().enumerate() {
        if number == 300 {
            // The rest comes while the store is being closed, or after that.
            let store = store.clone();
            std::thread::spawn(move || store.close());
        }
        let count = count.clone();
        let counted = move || {
            count.fetch_add(1, Ordering::SeqCst);
        };
        match number % 4 {
            0 | 1 => {
                store.append(batch(run, seq, 1), Box::new(move |_| counted()));
                seq += 1;
            }
            2 => store.append(batch(run, u64::MAX, 1), Box::new(move |_| counted())),
            _ => {
                let taken = NewRun { key: Some("key".to_owned()), ..new_run(&format!("{number}")) };
                store.create(taken, Box::new(move |_| counted()));
            }
        }
    }
    store.close();
    drop(store);
    let deadline = std::time::Instant::now() + PATIENCE;
    while counts.iter().any(|count| count.load(Ordering::SeqCst) == 0) {
        assert!(std::time::Instant::now() < deadline, "a write was never answered");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(counts.iter().all(|count| count.load(Ordering::SeqCst) == 1), "a write was answered twice");
}

// What the checks are made of.

fn at(second: u64) -> Timestamp {
    Timestamp(1_700_000_000_000_000_000).after(Duration::from_secs(second))
}

fn new_run(id: &str) -> NewRun {
    NewRun {
        id: id.to_owned(),
        workflow: "sum".to_owned(),
        key: None,
        fingerprint: 0xfedc_ba98_7654_3210,
        params: br#"[1,"two"]"#.to_vec(),
        created_at: at(0),
        state: RunState::Queued,
        entries: Vec::new(),
    }
}

fn change() -> StepChange {
    StepChange {
        path: "load[3]".to_owned(),
        task: Some("load".into()),
        state: StepState::Waiting(Wait::Backoff { until: at(60) }),
        attempt: 2,
        failure: Some(failure()),
    }
}

fn failure() -> Failure {
    Failure { cause: Cause::Timeout, messages: vec!["too slow".to_owned(), "no answer".to_owned()] }
}

fn step_error() -> StepError {
    StepError::new("load[3]".to_owned(), 2, failure())
}

/// An entry that is told from the others; every third brings a value.
fn entry(seq: u64) -> Entry {
    let bytes = format!("{{\"number\":{seq}}}").into_bytes();
    let value = seq.is_multiple_of(3).then(|| Payload { type_name: "Numbered".into(), bytes });
    Entry { at: at(seq), event: format!("{{\"event\":{seq}}}"), value, changes: vec![change()] }
}

fn stored(seq: u64) -> StoredEntry {
    let Entry { at, event, value, changes: _ } = entry(seq);
    StoredEntry { seq, at, event, value }
}

fn batch(run: RunRef, first_seq: u64, size: u64) -> Batch {
    let entries = (0..size).map(|number| entry(first_seq.saturating_add(number))).collect();
    Batch { run, first_seq, entries, state: None, end: None }
}

fn ending(run: RunRef, first_seq: u64, size: u64) -> Batch {
    let result = Some(Payload { type_name: "u64".into(), bytes: b"42".to_vec() });
    let end = RunEnd { state: RunState::Succeeded, at: at(first_seq + size), result, error: None };
    Batch { end: Some(end), ..batch(run, first_seq, size) }
}

fn wait<T: Send + 'static>(ask: impl FnOnce(super::Done<T>)) -> T {
    let (sender, answer) = mpsc::channel();
    ask(Box::new(move |result| drop(sender.send(result))));
    answer.recv_timeout(PATIENCE).expect("a write was not answered")
}

fn try_create(store: &dyn Store, run: NewRun) -> Result<Created, StoreError> {
    wait(|done| store.create(run, done))
}

fn create(store: &dyn Store, run: NewRun) -> RunRef {
    match try_create(store, run).unwrap() {
        Created::New(run) => run,
        Created::Existing(run) => panic!("there is a run already: {run:?}"),
    }
}

fn existing(store: &dyn Store, run: NewRun) -> StoredRun {
    match try_create(store, run).unwrap() {
        Created::Existing(run) => *run,
        Created::New(run) => panic!("a second run was created: {run:?}"),
    }
}

fn append(store: &dyn Store, batch: Batch) -> Result<(), StoreError> {
    wait(|done| store.append(batch, done))
}

fn only(store: &dyn Store, id: &str) -> StoredRun {
    let mut found = store.find(id).unwrap();
    assert_eq!(found.len(), 1, "one run is found by `{id}`");
    found.remove(0)
}
