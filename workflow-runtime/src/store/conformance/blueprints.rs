//! The blueprints that runs follow.

use super::Bench;
use super::support::{append, at, batch, create, ending, existing, new_run, only};
use crate::run::{RunState, Timestamp};
use crate::store::{Batch, NewRun};

pub(super) fn blueprints_are_kept(bench: &Bench<'_>) {
    let store = bench.open();
    let hash = u64::MAX - 7;
    let with = |id: &str, blueprint: &str| NewRun {
        fingerprint: hash,
        blueprint: Some(blueprint.into()),
        ..new_run(id)
    };
    assert_eq!(store.blueprint(hash).unwrap(), None);
    create(&*store, with("a", "{\"name\":\"Zürich\"}"));
    create(&*store, with("b", "{\"name\":\"Zürich\"}"));
    existing(&*store, NewRun { fingerprint: 5, ..with("a", "another") });
    assert_eq!(store.blueprint(hash).unwrap().as_deref(), Some("{\"name\":\"Zürich\"}"));
    assert_eq!(store.blueprint(5).unwrap(), None, "nothing is written for a run that is there");
    create(&*store, NewRun { fingerprint: 6, ..new_run("c") });
    assert_eq!(store.blueprint(6).unwrap(), None, "not every run has one");
    let large = format!("\"{}\"", "step ".repeat(50_000));
    create(&*store, NewRun { fingerprint: 8, ..with("d", &large) });
    store.close();
    let store = bench.open();
    assert!(store.blueprint(8).unwrap() == Some(large));
    create(&*store, with("e", "{\"name\":\"Zürich\"}"));
    assert!(store.blueprint(hash).unwrap().is_some());
}

pub(super) fn another_blueprint_is_followed(bench: &Bench<'_>) {
    let store = bench.open();
    let with = |id: &str, hash: u64| NewRun {
        fingerprint: hash,
        blueprint: Some(format!("\"{hash}\"").into()),
        ..new_run(id)
    };
    let (run, other) = (create(&*store, with("a", 1)), create(&*store, with("b", 1)));
    let follow =
        |hash: u64, batch: Batch| Batch { blueprint: Some((hash, format!("\"{hash}\"").into())), ..batch };
    assert!(append(&*store, follow(9, batch(run, 5, 1))).is_err());
    assert_eq!((store.blueprint(9).unwrap(), only(&*store, "a").fingerprint), (None, 1));
    append(&*store, follow(2, batch(run, 0, 1))).unwrap();
    append(&*store, follow(2, batch(run, 1, 1))).unwrap();
    append(&*store, follow(3, ending(run, 2, 1))).unwrap();
    append(&*store, follow(1, Batch { state: Some(RunState::Running), ..batch(run, 3, 1) })).unwrap();
    append(&*store, follow(3, ending(run, 4, 1))).unwrap();
    assert_eq!((only(&*store, "a").fingerprint, only(&*store, "b").fingerprint), (3, 1));
    // The beginning of its journal is read with those it followed then.
    let there = || [1, 2, 3].map(|hash| store.blueprint(hash).unwrap().is_some());
    append(&*store, ending(other, 0, 1)).unwrap();
    assert_eq!(store.remove_ended_before(at(2), 10).unwrap(), 1, "the other one is gone");
    assert_eq!(there(), [true; 3]);
    assert_eq!(store.blueprint(2).unwrap().as_deref(), Some("\"2\""));
    assert_eq!(store.remove_ended_before(Timestamp(u64::MAX), 10).unwrap(), 1);
    assert_eq!(there(), [false; 3]);
}
