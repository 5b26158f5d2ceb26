//! The layer is a store like any other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::support::{Scratch, ring};
use crate::store::encrypted::Encrypted;
use crate::store::{Durability, Memory, Sqlite, conformance};

#[test]
fn over_memory() {
    let stores: Mutex<HashMap<String, Memory>> = Mutex::default();
    conformance::check_layer(|name| {
        let mut stores = stores.lock().unwrap();
        let store = stores.entry(name.to_owned()).or_default().clone();
        Box::new(Encrypted::open(Arc::new(store), &ring(1)).unwrap())
    });
}

#[test]
fn over_sqlite() {
    let scratch = Scratch::new("conforms");
    let names = Mutex::new(Vec::<String>::new());
    conformance::check_layer(|name| {
        let mut names = names.lock().unwrap();
        let number = names.iter().position(|known| known == name).unwrap_or(names.len());
        if number == names.len() {
            names.push(name.to_owned());
        }
        let path = scratch.path(&format!("{number}.db"));
        let store = Sqlite::options().durability(Durability::Relaxed).open(path).unwrap();
        Box::new(Encrypted::open(Arc::new(store), &ring(1)).unwrap())
    });
}
