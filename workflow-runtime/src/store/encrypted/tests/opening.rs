//! Which keys open a store, and how they are changed.

use std::sync::Arc;

use super::support::*;
use crate::run::Timestamp;
use crate::store::encrypted::{Cipher, Encrypted, Key, KeyRing};
use crate::store::{Batch, Memory, RunFilter, Store, StoreError, check_clear};

/// The message of an error about keys.
fn refused<T>(result: Result<T, StoreError>) -> String {
    match result {
        Err(StoreError::Key { what }) => what,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was taken"),
    }
}

fn try_open(memory: &Memory, ring: &KeyRing) -> Result<Encrypted<Memory>, StoreError> {
    Encrypted::open(Arc::new(memory.clone()), ring)
}

#[test]
fn the_key_that_is_missing_is_named() {
    let memory = Memory::new();
    whole_run(&open(&memory, &ring(1)), "a");
    let before = memory.keys().unwrap();

    let missing = refused(try_open(&memory, &ring(2).and("key 3", key(3))));
    assert!(missing.contains("the key `key 1`") && missing.contains("(`key 2`, `key 3`)"), "{missing}");
    let wrong = refused(try_open(&memory, &KeyRing::new("key 1", key(2))));
    assert!(wrong.contains("the key `key 1` does not open the store"), "{wrong}");
    let none = refused(check_clear(&memory.keys().unwrap()));
    assert!(none.contains("the key `key 1`"), "{none}");
    assert!(check_clear(&[]).is_ok());
    assert_eq!(memory.keys().unwrap(), before, "nothing is changed");

    // Two keys of one name: whichever fits.
    let both = KeyRing::new("key 1", key(1)).and("key 1", key(2));
    read_run(&open(&memory, &both), "a").unwrap();
    assert_eq!(memory.keys().unwrap(), before);
}

#[test]
fn a_store_reads_its_own_values_again() {
    let memory = Memory::new();
    whole_run(&open(&memory, &ring(1)), "a");
    let before = memory.keys().unwrap();
    read_run(&open(&memory, &ring(1).and("key 2", key(2))), "a").unwrap();
    assert_eq!(memory.keys().unwrap(), before, "the same key changes nothing");
    // The number of a run is another one in each process; its id is known
    // though nobody has asked for the run.
    let store = open(&memory, &ring(1));
    let run = memory.find("a").unwrap().remove(0).run;
    assert_eq!(store.journal(run).unwrap(), (0..4).map(stored).collect::<Vec<_>>());
}

#[test]
fn a_run_that_was_not_read_can_be_appended_to() {
    let memory = Memory::new();
    let run = create(&open(&memory, &ring(1)), new_run("a"));
    let store = open(&memory, &ring(1));
    let batch = |first_seq| Batch { run, first_seq, entries: vec![entry(first_seq)], ..Batch::default() };
    append(&store, batch(2)).unwrap();
    assert_eq!(append(&store, batch(2)), Err(StoreError::OutOfOrder { run, expected: 3, got: 2 }));
    assert_eq!(store.journal(run).unwrap(), (0..3).map(stored).collect::<Vec<_>>());
}

#[test]
fn keys_are_changed_without_the_values() {
    let memory = Memory::new();
    whole_run(&open(&memory, &ring(1)), "a");
    let values = memory.list(&RunFilter::default()).unwrap();
    whole_run(&open(&memory, &ring(2).and("key 1", key(1))), "b");
    // The old key is not needed any more, nor of any use.
    let store = open(&memory, &ring(2));
    read_run(&store, "a").unwrap();
    read_run(&store, "b").unwrap();
    refused(try_open(&memory, &ring(1)));
    assert_eq!(memory.find("a").unwrap(), values, "no value is written again");
    // What came after has a key of its own, which the old one never saw.
    let keys = memory.keys().unwrap();
    assert_eq!(keys.iter().map(|key| (key.id, &*key.with)).collect::<Vec<_>>(), [(1, "key 2"), (2, "key 2")]);
    // As often as one likes, and back.
    drop(open(&memory, &ring(3).and("key 2", key(2))));
    whole_run(&open(&memory, &ring(1).and("key 3", key(3))), "c");
    let store = open(&memory, &ring(1));
    ["a", "b", "c"].into_iter().for_each(|id| read_run(&store, id).unwrap());
    assert_eq!(memory.keys().unwrap().len(), 4);
    // The same name for another key is another key.
    drop(open(&memory, &KeyRing::new("key 1", key(9)).and("key 1", key(1))));
    refused(try_open(&memory, &ring(1)));
    read_run(&open(&memory, &KeyRing::new("key 1", key(9))), "a").unwrap();
}

/// The keys are replaced all together, or not at all; that a store does so is
/// in its conformance suite.
#[test]
fn a_change_of_keys_that_is_cut_short_has_not_begun() {
    let memory = Memory::new();
    whole_run(&open(&memory, &ring(1)), "a");
    drop(open(&memory, &ring(2).and("key 1", key(1))));
    whole_run(&open(&memory, &ring(2)), "b");
    let before = memory.keys().unwrap();
    let mut dying = Tampered::new(&memory);
    dying.read_only = true;
    assert_eq!(
        Encrypted::open(Arc::new(dying), &ring(3).and("key 2", key(2))).err(),
        Some(StoreError::Closed)
    );
    assert_eq!(memory.keys().unwrap(), before);
    for ring in [ring(2), ring(3).and("key 2", key(2)), ring(3)] {
        let store = open(&memory, &ring);
        read_run(&store, "a").unwrap();
        read_run(&store, "b").unwrap();
    }
}

#[test]
fn a_store_in_clear_stays_readable() {
    let memory = Memory::new();
    whole_run(&memory, "a");
    let run = create(&memory, new_run("b"));
    let store = open(&memory, &ring(1).and_values_in_clear());
    read_run(&store, "a").unwrap();
    // A run may have values of both kinds.
    let batch = |entries, first_seq| Batch { run, first_seq, entries, ..Default::default() };
    append(&store, batch(vec![entry(2)], 2)).unwrap();
    append(&store, Batch { end: Some(end()), ..batch(vec![entry(3)], 3) }).unwrap();
    assert_eq!(store.journal(run).unwrap(), (0..4).map(stored).collect::<Vec<_>>());
    let below = memory.journal(run).unwrap();
    assert_eq!(below[1], stored(1));
    assert_ne!(below[2], stored(2));
}

/// Whoever can write the file could have put it there.
#[test]
fn a_store_in_clear_is_refused_unless_the_ring_takes_it() {
    let memory = Memory::new();
    whole_run(&memory, "a");
    let said = refused(try_open(&memory, &ring(1)));
    assert!(said.contains("values in clear") && said.contains("`KeyRing::and_values_in_clear`"), "{said}");
    assert!(memory.keys().unwrap().is_empty() && !memory.was_encrypted().unwrap(), "nothing is changed");
    let taking = ring(1).and_values_in_clear();
    whole_run(&open(&memory, &taking), "b");
    // Nor does it pass once the store has keys, neither here nor for a reader.
    let keys = memory.keys().unwrap();
    assert_eq!(refused(try_open(&memory, &ring(1))), said);
    assert_eq!(memory.keys().unwrap(), keys);
    let reader = Cipher::open(&keys, &ring(1)).unwrap();
    assert!(reader.open_run(memory.find("a").unwrap().remove(0)).is_err());
    read_run(&open(&memory, &taking), "a").unwrap();
}

#[test]
fn once_the_last_value_in_clear_has_gone_no_ring_takes_another() {
    let memory = Memory::new();
    whole_run(&memory, "a");
    drop(open(&memory, &ring(1).and_values_in_clear()));
    memory.remove_ended_before(Timestamp(u64::MAX), 1).unwrap();
    whole_run(&open(&memory, &ring(1)), "b");
    read_run(&open(&memory, &ring(1)), "b").unwrap();
    whole_run(&memory, "forged");
    for ring in [ring(1), ring(1).and_values_in_clear(), ring(2).and("key 1", key(1)).and_values_in_clear()] {
        let store = open(&memory, &ring);
        assert!(read_run(&store, "forged").is_err());
        read_run(&store, "b").unwrap();
    }
}

#[test]
fn a_reader_has_no_need_of_the_layer() {
    let memory = Memory::new();
    let run = whole_run(&open(&memory, &ring(1)), "a");
    drop(open(&memory, &ring(2).and("key 1", key(1))));
    refused(Cipher::open(&memory.keys().unwrap(), &ring(1)));
    let before = memory.keys().unwrap();
    // In any order, and without changing anything.
    let cipher = Cipher::open(&before, &ring(7).and("key 2", key(2))).unwrap();
    assert_eq!(memory.keys().unwrap(), before);
    let found = cipher.open_run(memory.find("a").unwrap().remove(0)).unwrap();
    assert_eq!((found.params, found.end), (new_run("a").params, Some(end())));
    let journal = cipher.open_journal("a", memory.journal(run).unwrap()).unwrap();
    assert_eq!(journal, (0..4).map(stored).collect::<Vec<_>>());
    memory.request(cipher.seal_request(request("a")).unwrap()).unwrap();
    let asked = memory.open_requests().unwrap().remove(0);
    assert_ne!(asked.request, request("a"));
    assert_eq!(cipher.open_request(asked).request, request("a"));
    // The engine reads what the reader has asked for.
    assert_eq!(open(&memory, &ring(2)).open_requests().unwrap()[0].request, request("a"));
}

/// The keys below are nobody else's: an engine takes the layer as a store that
/// needs none.
#[test]
fn a_layer_needs_no_keys_and_takes_none() {
    let store = Arc::new(open(&Memory::new(), &ring(1)));
    assert!(check_clear(&store.keys().unwrap()).is_ok());
    let twice = refused(Encrypted::open(store.clone(), &ring(2)));
    assert!(twice.contains("encrypted already"), "{twice}");
    whole_run(&*store, "a");
    read_run(&*store, "a").unwrap();
}

#[test]
fn keys_are_read_from_text() {
    let read = |text: &str| Key::from_text(text).map(|key| *key.bytes());
    let hex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1F";
    let bytes: [u8; 32] = std::array::from_fn(|number| number as u8);
    assert_eq!(read(hex).unwrap(), bytes);
    assert_eq!(read(&format!(" {hex}\r\n")).unwrap(), bytes);
    assert_eq!(read("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap(), bytes);
    assert_eq!(read("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8").unwrap(), bytes);
    for text in ["", "hunter2", &hex[1..], &format!("{hex}00"), "AAECAwQ=", &"é".repeat(32)] {
        let error = refused(Key::from_text(text));
        assert!(text.is_empty() || !error.contains(text), "{error}");
        assert!(error.contains("openssl rand"), "{error}");
    }
    let error = refused(Key::from_env("WORKFLOW_KEY_THAT_IS_NOT_SET"));
    assert!(error.contains("`WORKFLOW_KEY_THAT_IS_NOT_SET` is not set"), "{error}");
    let shown = format!("{:?}", ring(0xab));
    assert!(shown.contains("key 171") && shown.contains("***") && !shown.contains("171, 171"), "{shown}");
}
