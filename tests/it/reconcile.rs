//! What became of a lost `at_most_once` attempt: `reconcile` finds out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::failing_store::{FailingStore, Fault};
use workflow_runtime::run::StepState;
use workflow_runtime::testing::{block_on, crash_everywhere};
use workflow_runtime::{Context, Engine, Resources, task, workflow};

/// The world, which no crash takes back.
#[derive(Clone, Default)]
struct Bank(Arc<Mutex<Books>>);

#[derive(Default)]
struct Books {
    /// What was wired, by the key it was wired under, and how often.
    wired: HashMap<String, (u64, u32)>,
    asked: Vec<(String, u32)>,
    /// Whether the answer is refused once.
    busy: bool,
}

#[derive(Resources)]
struct App {
    bank: Bank,
}

#[task(at_most_once, reconcile = check_transfer)]
async fn wire(
    to: &str,
    cents: u64,
    #[resource] bank: &Bank,
    #[context] cx: &Context,
) -> Result<u64, std::io::Error> {
    let _ = to;
    let mut books = bank.0.lock().unwrap();
    let wired = books.wired.entry(cx.idempotency_key()).or_insert((cents, 0));
    wired.1 += 1;
    Ok(wired.0 * 2)
}

#[task(retry(attempts = 3, backoff = fixed("1m")))]
async fn check_transfer(
    #[context] cx: &Context,
    to: &str,
    cents: u64,
    #[resource] bank: &Bank,
) -> Result<Option<u64>, std::io::Error> {
    assert_eq!((to, cents), ("ada", 21));
    let mut books = bank.0.lock().unwrap();
    books.asked.push((cx.idempotency_key(), cx.attempt()));
    if std::mem::take(&mut books.busy) {
        return Err(std::io::Error::other("busy"));
    }
    Ok(books.wired.get(&cx.idempotency_key()).map(|(cents, _)| cents * 2))
}

#[task]
async fn tell(wired: u64) -> String {
    format!("{wired} cents")
}

workflow! {
    fn payment(to: String, cents: u64) -> Result<String> {
        let wired = wire(&to, cents)?;
        let told = tell(wired);
        Ok(told)
    }
}

#[test]
fn promise_05_a_lost_transfer_is_looked_into_and_made_exactly_once() {
    let bank = Bank::default();
    let (engines, before, after) = (bank.clone(), bank.clone(), bank.clone());
    let app = move || Engine::in_memory().resources(App { bank: engines.clone() });
    let asked = Arc::new(Mutex::new(0));
    let asked_there = asked.clone();
    let report = crash_everywhere(app, || payment("ada".to_owned(), 21))
        .before_each(move || *before.0.lock().unwrap() = Books::default())
        .check(move |result| {
            assert_eq!(result.as_deref().unwrap(), "42 cents");
            let books = after.0.lock().unwrap();
            let wired: Vec<_> = books.wired.values().collect();
            assert_eq!(wired, [&(21, 1)], "once, whatever happens");
            assert!(books.asked.iter().all(|(key, _)| books.wired.contains_key(key)));
            *asked_there.lock().unwrap() += books.asked.len();
        })
        .run();
    assert!(report.commits() >= 3);
    assert!(*asked.lock().unwrap() >= 2, "found done, and found not done");
}

#[test]
fn a_reconciliation_is_tried_again_as_its_own_task_says() {
    let bank = Bank::default();
    let store = FailingStore::new();
    block_on(async {
        // It wires, and what it says of that is not written.
        store.after(1, Fault::Fail);
        let engine = Engine::with_store(store.clone()).resources(App { bank: bank.clone() });
        let run =
            engine.start().await.unwrap().start(payment("ada".to_owned(), 21)).key("one").await.unwrap();
        run.await.unwrap_err();
    });
    assert_eq!(bank.0.lock().unwrap().wired.len(), 1);
    bank.0.lock().unwrap().busy = true;
    block_on(async {
        let engine = Engine::with_store(store.reopen()).resources(App { bank: bank.clone() });
        let engine = engine.register::<payment>().start().await.unwrap();
        let run = engine.start(payment("ada".to_owned(), 21)).key("one").await.unwrap();
        assert_eq!(run.clone().await.unwrap(), "42 cents");
        run.trace().assert_state("payment/wired", StepState::Succeeded { cached: false });
    });
    let books = bank.0.lock().unwrap();
    assert_eq!(books.asked.iter().map(|(_, attempt)| *attempt).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(books.wired.values().map(|(_, times)| *times).collect::<Vec<_>>(), [1]);
}
