//! What operators ask for is done once, however often the process dies on the
//! way: what is done and the answer that says so are one commit.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use workflow_runtime::run::{RunState, Timestamp};
use workflow_runtime::store::{Request, RunFilter, Store, StoredRequest, StoredRun};
use workflow_runtime::testing::block_on;
use workflow_runtime::{Engine, Operation, task, workflow};

use crate::failing_store::FailingStore;

#[task]
async fn add(a: u64, b: u64) -> u64 {
    a + b
}

#[task]
async fn even(n: u64) -> Result<u64, std::io::Error> {
    if n.is_multiple_of(2) { Ok(n) } else { Err(std::io::Error::other("odd")) }
}

workflow! {
    fn sums(n: u64) -> Result<u64> {
        let first = signal::<u64>("number");
        #[after(first)]
        let second = signal::<u64>("number");
        let sum = add(first, second);
        let all = add(sum, n);
        Ok(all)
    }
}

workflow! {
    fn evens(n: u64) -> Result<u64> {
        let m = even(n)?;
        let second = signal::<u64>("number");
        let sum = add(m, second);
        Ok(sum)
    }
}

fn ask(store: &FailingStore, run: Option<&str>, operation: &Operation) -> i64 {
    let operation = serde_json::to_string(operation).unwrap();
    let request = Request {
        run: run.map(str::to_owned),
        operation,
        actor: "bob".to_owned(),
        reason: None,
        at: Timestamp(1),
    };
    store.memory.request(request).unwrap()
}

async fn engine(store: &Arc<FailingStore>) -> Engine {
    Engine::with_store(store.clone()).register::<sums>().register::<evens>().start().await.unwrap()
}

/// Lets everything happen that does not wait. Requests are looked for in real
/// time, by a thread of their own.
async fn settle(store: &FailingStore, done: impl Fn(&FailingStore) -> bool) {
    for _ in 0..1_000 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if done(store) {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("nothing happens: {:?}", store.memory.requests(None, 9));
}

fn answered(store: &FailingStore, number: i64) -> Option<Result<String, String>> {
    let found: Vec<StoredRequest> = store.memory.requests(None, 99).unwrap();
    found.into_iter().find(|asked| asked.number == number)?.answer.map(|answer| answer.result)
}

/// One process in which every answer that is not part of a commit is lost.
/// It ends once the request is done.
fn dies_before_the_answer(store: &Arc<FailingStore>, done: impl Fn(&FailingStore) -> bool) {
    let mortal = store.reopen();
    mortal.fail_answers();
    block_on(async {
        let _engine = engine(&mortal).await;
        settle(&mortal, done).await;
    });
}

/// The next process, and what it answers.
fn goes_on(store: &Arc<FailingStore>, number: i64) -> Result<String, String> {
    block_on(async {
        let store = store.reopen();
        let _engine = engine(&store).await;
        settle(&store, |store| answered(store, number).is_some()).await;
        answered(&store, number).unwrap()
    })
}

fn runs(store: &FailingStore) -> Vec<StoredRun> {
    store.memory.list(&RunFilter::default()).unwrap()
}

fn run(store: &FailingStore, id: &str) -> StoredRun {
    store.memory.find(id).unwrap().pop().unwrap()
}

fn heard(store: &FailingStore, id: &str, what: &str) -> usize {
    let journal = store.memory.journal(run(store, id).run).unwrap();
    journal.iter().filter(|entry| entry.event.contains(what)).count()
}

fn start(workflow: &str, n: u64) -> Operation {
    Operation::Start { workflow: workflow.to_owned(), params: [("n".to_owned(), json!(n))].into(), key: None }
}

/// A run that waits, of a store that nobody has open.
fn started(store: &Arc<FailingStore>, workflow: &str, n: u64) -> String {
    let number = ask(store, None, &start(workflow, n));
    goes_on(store, number).unwrap()
}

#[test]
fn a_start_starts_one_run() {
    let store = FailingStore::new();
    let number = ask(&store, None, &start("sums", 1));
    dies_before_the_answer(&store, |store| runs(store).len() == 1);
    let id = goes_on(&store, number).unwrap();
    assert_eq!(runs(&store).iter().map(|run| &run.id).collect::<Vec<_>>(), [&id]);
}

#[test]
fn a_rerun_and_a_fork_make_one_run() {
    for operation in [Operation::Rerun, Operation::Fork { from: "sums/first".to_owned() }] {
        let store = FailingStore::new();
        let id = started(&store, "sums", 1);
        let number = ask(&store, Some(&id), &operation);
        dies_before_the_answer(&store, |store| runs(store).len() == 2);
        let made = goes_on(&store, number).unwrap();
        assert_eq!(runs(&store).len(), 2, "{operation:?}");
        assert_eq!(run(&store, &made).parent.unwrap().id, id);
    }
}

#[test]
fn a_signal_is_sent_once() {
    let store = FailingStore::new();
    let id = started(&store, "sums", 1);
    let signal = Operation::Signal { name: "number".to_owned(), value: json!(10) };
    let number = ask(&store, Some(&id), &signal);
    dies_before_the_answer(&store, |store| heard(store, &id, "signalled") == 1);
    assert_eq!(goes_on(&store, number), Ok(id.clone()));
    assert_eq!(heard(&store, &id, "signalled"), 1);
    assert!(run(&store, &id).end.is_none());
}

#[test]
fn what_was_done_is_not_refused_afterwards() {
    let store = FailingStore::new();
    let id = started(&store, "sums", 1);
    for (operation, heard_as) in [
        (Operation::Pause, "paused"),
        (Operation::Resume, "resumed"),
        (Operation::Set { step: "sums/first".to_owned(), value: json!(3) }, "set"),
        (Operation::Cancel, "cancel_requested"),
    ] {
        let number = ask(&store, Some(&id), &operation);
        dies_before_the_answer(&store, |store| heard(store, &id, heard_as) > 0);
        assert_eq!(goes_on(&store, number), Ok(id.clone()), "{operation:?}");
        assert_eq!(heard(&store, &id, heard_as), 1, "{operation:?}");
    }
    assert_eq!(run(&store, &id).state, RunState::Cancelled);
}

#[test]
fn a_failed_run_is_taken_up_once() {
    let retry = Operation::Retry { step: None };
    let set = Operation::Set { step: "evens/m".to_owned(), value: json!(4) };
    for (operation, lives) in [(retry, 1), (set, 1)] {
        let store = FailingStore::new();
        let id = started(&store, "evens", 1);
        let number = ask(&store, Some(&id), &operation);
        dies_before_the_answer(&store, |store| heard(store, &id, "taken_up") > 0);
        assert_eq!(goes_on(&store, number), Ok(id.clone()), "{operation:?}");
        assert_eq!(heard(&store, &id, "taken_up"), lives, "{operation:?}");
    }
}

/// A look that failed is repeated: the request does not wait for the next one.
#[test]
fn requests_do_not_wait_for_the_next_one() {
    let store = FailingStore::new();
    let number = ask(&store, None, &start("sums", 1));
    block_on(async {
        let store = store.reopen();
        let _engine = engine(&store).await;
        store.fail_looks(1);
        settle(&store, |store| answered(store, number).is_some()).await;
        let number = ask(&store, None, &start("sums", 1));
        store.fail_looks(2);
        settle(&store, |store| answered(store, number).is_some()).await;
    });
    assert_eq!(runs(&store).len(), 2);
}
