//! The keys that values are encrypted with.

use super::Bench;
use crate::store::{SealedKey, Store};

fn key(id: u32, with: &str) -> SealedKey {
    SealedKey { id, with: with.to_owned(), sealed: vec![0, 0xff, id as u8] }
}

fn sorted(store: &dyn Store) -> Vec<SealedKey> {
    let mut keys = store.keys().unwrap();
    keys.sort_by_key(|key| key.id);
    keys
}

pub(super) fn keys_are_replaced(bench: &Bench<'_>) {
    let store = bench.open();
    assert!(store.keys().unwrap().is_empty());
    store.put_keys(vec![key(1, "old"), key(u32::MAX, "old")]).unwrap();
    store.put_keys(Vec::new()).unwrap();
    assert_eq!(sorted(&*store), [key(1, "old"), key(u32::MAX, "old")]);
    // All of them at once: a reader sees the old ones or the new ones.
    std::thread::scope(|scope| {
        let writer = store.clone();
        let write = scope.spawn(move || {
            for round in 0..50 {
                let with = format!("{round}");
                writer.put_keys(vec![key(1, &with), key(7, &with), key(u32::MAX, &with)]).unwrap();
            }
        });
        while !write.is_finished() {
            let with: Vec<_> = store.keys().unwrap().into_iter().map(|key| key.with).collect();
            assert!(with.windows(2).all(|two| two[0] == two[1]), "{with:?}");
        }
        write.join().unwrap();
    });
    store.put_keys(vec![key(7, "new")]).unwrap();
    store.close();
    let store = bench.open();
    assert_eq!(sorted(&*store), [key(1, "49"), key(7, "new"), key(u32::MAX, "49")]);
}
