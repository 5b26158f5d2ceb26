//! The expansion means the same whatever the user's names mean.

#![no_implicit_prelude]
#![allow(dead_code, non_camel_case_types)]

extern crate serde;
extern crate workflow_runtime;

// What the prelude holds, meaning something else here.
struct Result;
struct Option;
struct Some;
struct None;
struct Ok;
struct Err;
struct Vec;
struct Box;
struct String;
struct Clone;
struct Iterator;
struct IntoIterator;
struct Send;
struct Duration;
mod std {}
mod core {}
mod alloc {}
type usize = ();
type bool = ();

mod tasks {
    use ::workflow_runtime::task;

    #[task]
    pub async fn fetch(id: u64) -> ::std::result::Result<u64, ::std::io::Error> {
        ::std::result::Result::Ok(id)
    }

    #[task]
    pub async fn list() -> ::std::vec::Vec<u64> {
        ::std::vec::Vec::new()
    }
}

use tasks::{fetch, list};

::workflow_runtime::workflow! {
    fn hygiene(first: u64) -> Result<u64> {
        let one = fetch(first)?;
        let all = list();
        let many = for item in all {
            fetch(item)?
        };
        let chosen = if one > 3 {
            fetch(one)?
        } else {
            one
        };
        let mut turns = fetch(one)?;
        #[limit(3)]
        while turns < 3 {
            turns = fetch(turns)?;
        }
        let matched = match turns {
            0 => fetch(1)?,
            other if other > 2 => fetch(other)?,
            _ => one,
        };
        let answer = select! {
            number = signal::<u64>("number").within("3d")? => fetch(number)?,
            _ = sleep("1h") => one,
        };
        let waited = signal::<u64>("waited").within("1m");
        let total = sum(&many, chosen, matched + answer, waited.is_ok(), &(one + 1));
        Ok(total)
    }
}

#[::workflow_runtime::task]
async fn sum(many: &[u64], chosen: u64, matched: u64, _waited: ::core::primitive::bool, more: &u64) -> u64 {
    let _ = many;
    chosen + matched + *more
}

fn main() {
    let _ = hygiene(1);
    let _ = hygiene::GRAPH;
}
