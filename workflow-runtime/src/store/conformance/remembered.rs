//! Results that later runs may use.

use super::Bench;
use super::support::{append, at, batch, create, ending, new_run, noise, payload};
use crate::run::Timestamp;
use crate::store::{Batch, Payload, Remembered};

fn remembered(key: &[u8], bytes: &[u8], until: u64) -> Remembered {
    Remembered { key: key.to_vec(), task: "embed".into(), value: payload(bytes), until: at(until) }
}

pub(super) fn results_are_remembered(bench: &Bench<'_>) {
    let store = bench.open();
    let run = create(&*store, new_run("a"));
    let large = noise(3, 100_000);
    let remember =
        vec![remembered(b"k\0\xff", b"1", 10), remembered(b"k\0", b"\xff", 20), remembered(b"", &large, 30)];
    append(&*store, Batch { remember, ..batch(run, 0, 1) }).unwrap();
    let value = |key: &[u8], second: u64| store.remembered(key, at(second)).unwrap();
    assert_eq!(value(b"k\0\xff", 9), Some(payload(b"1")));
    assert_eq!(value(b"k\0\xff", 10), None, "at its time it may not be used any more");
    assert_eq!(value(b"k\0", 10), Some(payload(b"\xff")));
    assert!(value(b"", 29) == Some(payload(&large)) && value(b"k", 0).is_none());
    // A later result takes the place of an earlier one, with its time.
    let with = |remember| Batch { remember, ..batch(run, 1, 0) };
    append(&*store, with(vec![remembered(b"k\0\xff", b"2", 5), remembered(b"", &large, 40)])).unwrap();
    assert_eq!((value(b"k\0\xff", 4), value(b"k\0\xff", 5)), (Some(payload(b"2")), None));
    assert!(value(b"", 39) == Some(payload(&large)));
    append(&*store, with(vec![remembered(b"", b"small", 40)])).unwrap();
    assert_eq!(value(b"", 39), Some(payload(b"small")));
    // It outlives the run that it comes from.
    append(&*store, ending(run, 1, 1)).unwrap();
    assert_eq!(store.remove_ended_before(Timestamp(u64::MAX), 10).unwrap(), 1);
    store.close();
    let store = bench.open();
    let text = Payload { type_name: "Noise".into(), bytes: b"small".to_vec() };
    assert_eq!(store.remembered(b"", at(39)).unwrap(), Some(text));
}

pub(super) fn remembered_with_the_batch(bench: &Bench<'_>) {
    let store = bench.open();
    let run = create(&*store, new_run("a"));
    let remember = vec![remembered(b"k", b"1", 10)];
    assert!(append(&*store, Batch { remember: remember.clone(), ..batch(run, 7, 1) }).is_err());
    assert_eq!(store.remembered(b"k", at(0)).unwrap(), None);
    append(&*store, Batch { remember, ..batch(run, 0, 1) }).unwrap();
    assert!(store.remembered(b"k", at(0)).unwrap().is_some());
}

pub(super) fn old_results_are_forgotten(bench: &Bench<'_>) {
    let store = bench.open();
    let run = create(&*store, new_run("a"));
    let large = noise(4, 100_000);
    let remember = (0..10).map(|number| {
        let bytes = if number < 5 { &large[..] } else { b"1" };
        remembered(&[number], bytes, 10 + u64::from(number))
    });
    append(&*store, Batch { remember: remember.collect(), ..batch(run, 0, 1) }).unwrap();
    assert_eq!(store.forget(at(9), 10).unwrap(), 0);
    assert_eq!(store.forget(at(13), 2).unwrap(), 2, "no more than asked for");
    assert_eq!(store.forget(at(13), 10).unwrap(), 2);
    assert_eq!(store.forget(at(13), 10).unwrap(), 0);
    assert!(
        store.remembered(&[4], at(13)).unwrap() == Some(payload(&large)),
        "another one has the same value"
    );
    assert_eq!(store.forget(Timestamp(u64::MAX), 100).unwrap(), 6);
    assert_eq!(store.remembered(&[9], at(0)).unwrap(), None);
}
