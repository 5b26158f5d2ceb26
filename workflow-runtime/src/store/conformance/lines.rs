//! Lines that attempts said. A store may keep none.

use super::Bench;
use super::support::{append, at, batch, create, ending, line, log, new_run};
use crate::run::Timestamp;
use crate::store::{LogFilter, LogLevel, LogLine, RunRef, Store, StoredLine};

fn all(store: &dyn Store, run: RunRef) -> Vec<LogLine> {
    let lines = store.logs(run, &LogFilter::default()).unwrap().into_iter();
    lines.map(|stored| stored.line).collect()
}

pub(super) fn lines_are_kept_in_order(bench: &Bench<'_>) {
    let store = bench.open();
    let [a, b] = ["a", "b"].map(|id| create(&*store, new_run(id)));
    let levels = [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace];
    let said: Vec<_> =
        (0..).zip(levels).map(|(seq, level)| LogLine { level, ..line(a, "a/x", 1, seq) }).collect();
    log(&*store, said.clone()).unwrap();
    // Those of another run, of none, of an attempt to undo, and odd ones.
    let other = LogLine { undo: true, at: Timestamp(0), ..line(b, "b/träge[17]/\u{1f4e6}", u32::MAX, 7) };
    let odd = LogLine { text: vec![0xff, 0, b'\n'], ..line(b, "", 0, 0) };
    log(&*store, vec![other.clone(), line(RunRef(i64::MAX), "c/x", 1, 0), odd.clone()]).unwrap();
    log(&*store, vec![LogLine { text: Vec::new(), ..line(a, "a/x", 1, 5) }]).unwrap();
    log(&*store, Vec::new()).unwrap();
    append(&*store, batch(a, 0, 2)).unwrap();
    store.close();
    let store = bench.open();
    let found = all(&*store, a);
    if found.is_empty() {
        return;
    }
    assert_eq!(found[..5], said);
    assert_eq!((found.len(), found[5].text.len()), (6, 0));
    assert_eq!(all(&*store, b), [other, odd]);
    assert!(all(&*store, RunRef(i64::MAX)).is_empty());
}

pub(super) fn lines_are_filtered(bench: &Bench<'_>) {
    let store = bench.open();
    let run = create(&*store, new_run("a"));
    let paths = ["w/load", "w/load[0]/get", "w/loads", "w/LOAD", "w/load", "w/load/get"];
    let said = (0..).zip(paths).map(|(seq, path)| line(run, path, 1 + seq as u32 / 4, seq)).collect();
    log(&*store, said).unwrap();
    let seqs = |filter: LogFilter| -> Vec<u64> {
        store.logs(run, &filter).unwrap().iter().map(|stored| stored.line.seq).collect()
    };
    if all(&*store, run).is_empty() {
        return;
    }
    let of = |path: &str| LogFilter { path: Some(path.to_owned()), ..LogFilter::default() };
    assert_eq!(seqs(of("w/load")), [0, 1, 4, 5], "what is within a step belongs to it");
    assert_eq!(seqs(of("w/load[0]")), [1]);
    assert_eq!(seqs(of("w")), [0, 1, 2, 3, 4, 5]);
    assert!(seqs(of("w/lo")).is_empty() && seqs(of("")).is_empty() && seqs(of("w/l%")).is_empty());
    assert_eq!(seqs(LogFilter { attempt: Some(2), ..LogFilter::default() }), [4, 5]);
    assert_eq!(seqs(LogFilter { attempt: Some(2), ..of("w/load/get") }), [5]);
    // Page by page.
    let (mut after, mut pages) = (None, Vec::new());
    loop {
        let page = store.logs(run, &LogFilter { after, at_most: 4, ..LogFilter::default() }).unwrap();
        let Some(StoredLine { number, .. }) = page.last() else { break };
        after = Some(*number);
        pages.push(page.len());
        // What is said meanwhile comes after what was read.
        if pages.len() == 1 {
            log(&*store, vec![line(run, "w/late", 1, 6)]).unwrap();
        }
    }
    assert_eq!(pages, [4, 3]);
}

pub(super) fn lines_go_with_their_run(bench: &Bench<'_>) {
    let store = bench.open();
    let [a, b] = ["a", "b"].map(|id| create(&*store, new_run(id)));
    log(&*store, vec![line(a, "a/x", 1, 0), line(b, "b/x", 1, 0), line(a, "a/x", 1, 1)]).unwrap();
    append(&*store, ending(a, 0, 1)).unwrap();
    assert_eq!(store.remove_ended_before(at(100), 10).unwrap(), 1);
    assert!(all(&*store, a).is_empty());
    // Code that could not be stopped may still say something.
    log(&*store, vec![line(a, "a/x", 1, 2)]).unwrap();
    assert!(all(&*store, a).is_empty());
    let left = all(&*store, b);
    assert!(left.is_empty() || left == [line(b, "b/x", 1, 0)], "{left:?}");
}
