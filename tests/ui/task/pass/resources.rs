//! Resources by the types of a struct's fields.

use std::any::TypeId;

use workflow_runtime::{Resources, RunsOn, task};

struct Pool;
struct Client(u8);

#[derive(Resources)]
struct App {
    http: Client,
    db: Pool,
}

#[derive(Resources)]
struct Two(Pool, Client);

#[derive(Resources)]
struct Nothing;

#[task]
async fn fetch(#[resource] http: &Client, #[resource] _: &Pool) -> u8 {
    http.0
}

fn runs_on<R: Resources, T: RunsOn<R>>() {}

fn main() {
    let app = App { http: Client(7), db: Pool };
    let _ = app.db;
    let found = app.find(TypeId::of::<Client>()).and_then(|found| found.downcast_ref::<Client>());
    assert_eq!(found.map(|client| client.0), Some(7));
    assert!(app.find(TypeId::of::<u8>()).is_none());
    runs_on::<App, fetch>();
    runs_on::<Two, fetch>();
    let _ = Nothing.find(TypeId::of::<u8>());
}
