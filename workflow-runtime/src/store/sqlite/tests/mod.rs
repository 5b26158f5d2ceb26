//! What the SQLite store does beyond what every store does.

mod bench;
mod crash;
mod damage;
mod failing;
mod lines;
mod migrating;
mod moved;
mod opening;
mod owning;
mod passing;
mod plans;
mod removing;
pub(super) mod support;
mod transact;
mod values;
mod views;
mod visitor;

use self::support::Scratch;
use super::*;
use crate::store::conformance;

#[test]
fn it_conforms() {
    let scratch = Scratch::new();
    conformance::check(|name| Box::new(Sqlite::open(scratch.path(name)).unwrap()));
}

#[test]
fn it_conforms_when_it_is_relaxed() {
    let scratch = Scratch::new();
    let options = Sqlite::options().durability(Durability::Relaxed);
    conformance::check(|name| Box::new(options.open(scratch.path(name)).unwrap()));
}
