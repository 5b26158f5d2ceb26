//! Tasks that happen once: `reconcile`, `transaction` and `cache`.

use std::collections::HashMap;

use workflow_runtime::{Context, Provides, Resources, RunsOn, Task, sqlite, task};

pub struct Bank;

mod tasks {
    #[workflow_runtime::task]
    pub async fn check(order: &str, cents: u64) -> std::io::Result<Option<String>> {
        Ok(Some(format!("{order} {cents}")))
    }
}

#[task(at_most_once, reconcile = tasks::check)]
async fn wire(order: &str, cents: u64) -> Result<String, std::io::Error> {
    Ok(format!("{order} {cents}"))
}

#[task(at_most_once, reconcile = is_open)]
async fn open() {}

#[task(blocking, timeout = "1s")]
fn is_open(#[resource] bank: &Bank) -> Option<()> {
    let _ = bank;
    None
}

#[task(transaction, retry(attempts = 3), deadline = "1m", undo = unbook, concurrency = 2)]
fn book(args: &str, #[context] cx: &Context) -> sqlite::Result<i64> {
    cx.transaction().query_row("SELECT ?1", [args.len() as i64], |row| row.get(0))
}

#[task(transaction)]
fn unbook(booked: &i64, #[context] context: &Context) {
    let _ = (booked, context.transaction());
}

#[task(cache = "24h")]
async fn nothing() {}

/// Names that the macro uses itself.
#[task(cache = "24h")]
async fn hidden(args: &[&str], key: Option<&u64>, arg0: HashMap<String, u64>, r#type: u8) -> u64 {
    let _ = (args, key, arg0, r#type);
    7
}

#[task(cache = "1h", blocking, retry(attempts = 2))]
fn fallible(text: &str, #[resource] bank: &Bank, #[context] cx: &Context) -> Result<u64, std::io::Error> {
    let _ = (text, bank, cx);
    Ok(7)
}

#[derive(Resources)]
struct App(Bank);

fn runs_on<R: Resources, T: RunsOn<R>>() {}

fn main() {
    runs_on::<App, open>();
    fn bank<R: Provides<Bank>>() {}
    bank::<App>();
    let wire = <wire as Task>::DEF;
    assert!(wire.at_most_once);
    assert_eq!(wire.reconcile.unwrap().task.name, "check");
    assert!(<book as Task>::DEF.transaction && !<book as Task>::DEF.blocking);
    let key = |text| <fallible as Task>::cache_key(&text).unwrap().unwrap();
    assert_eq!(key("a"), key("a"));
    assert_ne!(key("a"), key("b"));
    assert!(<nothing as Task>::cache_key(&()).is_some());
    assert!(<wire as Task>::cache_key(&("", 7)).is_none());
}
