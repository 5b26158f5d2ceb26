//! Values of every size, which a store may keep in different ways.

use super::Bench;
use super::support::{append, at, batch, create, ending, entry, new_run, noise, only, payload};
use crate::run::{RunState, Timestamp};
use crate::store::{Batch, Entry, NewRun, Payload, RunEnd, RunRef};

const KIB_64: usize = 64 << 10;

/// A batch of one entry with this value.
fn with_value(run: RunRef, seq: u64, bytes: &[u8]) -> Batch {
    Batch { entries: vec![Entry { value: Some(payload(bytes)), ..entry(seq) }], ..batch(run, seq, 0) }
}

pub(super) fn values_of_every_size_are_kept(bench: &Bench<'_>) {
    let store = bench.open();
    let run = create(&*store, new_run("a"));
    let sizes = [0, 1, 1_000, KIB_64 - 1, KIB_64, KIB_64 + 1, 1 << 20, 20_000_000];
    let mut seq = 0;
    for size in sizes {
        // As text and as bytes, and the same value twice.
        let (text, bytes) = (vec![b'7'; size], noise(size as u32, size));
        for value in [&text, &bytes, &text] {
            append(&*store, with_value(run, seq, value)).unwrap();
            seq += 1;
        }
    }
    let check = |journal: Vec<crate::store::StoredEntry>| {
        assert_eq!(journal.len(), sizes.len() * 3);
        for (size, entries) in sizes.into_iter().zip(journal.chunks(3)) {
            let (text, bytes) = (payload(&vec![b'7'; size]), payload(&noise(size as u32, size)));
            for (entry, value) in entries.iter().zip([&text, &bytes, &text]) {
                assert!(entry.value.as_ref() == Some(value), "a value of {size} bytes");
            }
        }
    };
    check(store.journal(run).unwrap());
    store.close();
    let store = bench.open();
    check(store.journal(only(&*store, "a").run).unwrap());
}

pub(super) fn large_values_are_kept(bench: &Bench<'_>) {
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

pub(super) fn shared_values_outlive_a_run(bench: &Bench<'_>) {
    let store = bench.open();
    let (shared, own) = (noise(1, KIB_64 * 2), noise(2, KIB_64 * 2));
    let runs = ["a", "b", "c"].map(|id| create(&*store, new_run(id)));
    for (number, run) in runs.into_iter().enumerate() {
        append(&*store, with_value(run, 0, &shared)).unwrap();
        append(&*store, with_value(run, 1, &own)).unwrap();
        let result = Some(payload(&shared));
        let end = RunEnd { state: RunState::Succeeded, at: at(number as u64), result, error: None };
        append(&*store, Batch { end: Some(end), ..batch(run, 2, 0) }).unwrap();
    }
    for (number, left) in [(1, &runs[1..]), (2, &runs[2..]), (3, &[])] {
        assert_eq!(store.remove_ended_before(at(number), 10).unwrap(), 1);
        for run in left {
            let values = store.journal(*run).unwrap().into_iter().map(|entry| entry.value.unwrap());
            assert!(values.eq([payload(&shared), payload(&own)]));
        }
    }
    // What is gone comes back when it is needed again.
    let run = create(&*store, new_run("d"));
    append(&*store, with_value(run, 0, &shared)).unwrap();
    assert!(store.journal(run).unwrap()[0].value == Some(payload(&shared)));
    assert_eq!(store.remove_ended_before(Timestamp(u64::MAX), 10).unwrap(), 0);
    assert!(store.journal(run).unwrap()[0].value == Some(payload(&shared)));
}

pub(super) fn results_can_be_replaced(bench: &Bench<'_>) {
    let store = bench.open();
    let run = create(&*store, new_run("a"));
    let results = [noise(1, KIB_64 * 2), noise(2, KIB_64 * 2), noise(2, KIB_64 * 2), vec![b'1']];
    for (seq, result) in (0..).zip(&results) {
        let mut batch = ending(run, seq, 1);
        batch.state = (seq > 0).then_some(RunState::Running);
        batch.end = batch.end.map(|end| RunEnd { result: Some(payload(result)), ..end });
        append(&*store, batch).unwrap();
        assert!(only(&*store, "a").end.unwrap().result == Some(payload(result)));
    }
}
