//! Promise 6: what a task writes with `cx.transaction()` and its success are
//! one commit, exactly once.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use workflow_runtime::run::{StepState, Timestamp};
use workflow_runtime::sqlite::{self, params};
use workflow_runtime::store::{Key, KeyRing, Memory, Sqlite, Store};
use workflow_runtime::testing::block_on;
use workflow_runtime::{Cause, Context, Engine, Error, Resources, Run, StepError, task, workflow};

use crate::deadly::{Deadly, Death};

/// Adds a line to the ledger, and returns the sum of the account.
#[task(transaction)]
fn book(account: &str, cents: i64, #[context] cx: &Context) -> sqlite::Result<i64> {
    let tx = cx.transaction();
    tx.execute_batch("CREATE TABLE IF NOT EXISTS shop_ledger (step TEXT, account TEXT, cents INTEGER)")?;
    let line = params![cx.step(), account, cents];
    tx.execute("INSERT INTO shop_ledger VALUES (?1, ?2, ?3)", line)?;
    if cents < 0 {
        return Err(sqlite::Error::InvalidQuery);
    }
    assert!(cents != 13, "thirteen");
    tx.query_row("SELECT sum(cents) FROM shop_ledger WHERE account = ?1", [account], |row| row.get(0))
}

/// Takes a line back by another one.
#[task(transaction)]
fn cancel(_sum: &i64, account: &str, cents: &i64, #[context] cx: &Context) -> sqlite::Result<()> {
    let line = params![format!("{} undo", cx.step()), account, -cents];
    cx.transaction().execute("INSERT INTO shop_ledger VALUES (?1, ?2, ?3)", line)?;
    Ok(())
}

#[task(transaction, undo = cancel)]
fn reserve(account: &str, cents: i64, #[context] cx: &Context) -> i64 {
    book(account, cents, cx).unwrap()
}

#[task]
async fn refuse(sum: i64) -> Result<i64, std::io::Error> {
    Err(std::io::Error::other(format!("not {sum}")))
}

workflow! {
    fn sale(amounts: Vec<i64>) -> Result<i64> {
        let booked = for cents in amounts {
            book("shop", cents)?
        };
        #[after(booked)]
        let fee = book("bank", 1)?;
        let sum = book("shop", fee)?;
        Ok(sum)
    }
}

workflow! {
    fn refused(cents: i64) -> Result<i64> {
        let first = reserve("shop", cents);
        let second = reserve("shop", first);
        let end = refuse(second)?;
        Ok(end)
    }
}

workflow! {
    fn one(cents: i64) -> Result<i64> {
        let booked = book("shop", cents)?;
        Ok(booked)
    }
}

/// A directory that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("workflow-transaction-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    fn store(&self) -> PathBuf {
        self.0.join("runs.db")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// The steps that have written, in order, as another program sees them.
fn lines(path: &Path) -> Vec<String> {
    let conn = rusqlite::Connection::open(path).unwrap();
    // The first line makes the table.
    let Ok(mut steps) = conn.prepare("SELECT step FROM shop_ledger ORDER BY step") else { return Vec::new() };
    steps.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

fn failure<T: std::fmt::Debug>(ended: Result<T, Error>) -> StepError {
    match ended.unwrap_err() {
        Error::Failed { error, .. } => error,
        other => panic!("{other}"),
    }
}

#[test]
fn promise_06_what_a_task_writes_is_kept_with_its_success_or_not_at_all() {
    let scratch = Scratch::new();
    block_on(async {
        let engine = Engine::open(scratch.store()).start().await.unwrap();
        assert_eq!(engine.start(sale(vec![10, 20])).await.unwrap().await.unwrap(), 31);
        assert_eq!(lines(&scratch.store()).len(), 4);

        let refused = failure(engine.start(one(-5)).await.unwrap().await);
        assert_eq!(refused.failure().cause, Cause::Error);
        let panicked = failure(engine.start(one(13)).await.unwrap().await);
        assert!(panicked.to_string().contains("thirteen"), "{panicked}");
        assert_eq!(lines(&scratch.store()).len(), 4, "nothing of them is kept");
        // The store's thread goes on.
        assert_eq!(engine.start(one(9)).await.unwrap().await.unwrap(), 40);
        engine.shutdown().await;
    });
}

#[test]
fn promise_06_a_transaction_is_undone_by_another_one() {
    let scratch = Scratch::new();
    block_on(async {
        let engine = Engine::open(scratch.store()).start().await.unwrap();
        let run = engine.start(refused(7)).await.unwrap();
        run.wait().await;
        run.trace().assert_state("refused/first", StepState::Undone);
        run.trace().assert_state("refused/second", StepState::Undone);
        let undone = ["refused/first", "refused/first undo", "refused/second", "refused/second undo"];
        assert_eq!(lines(&scratch.store()), undone);
        engine.shutdown().await;
    });
}

/// Every commit, and every transaction before, within and after its own.
#[test]
fn promise_06_a_transaction_is_done_exactly_once_wherever_the_process_dies() {
    let expected =
        ["sale/booked[0]/book", "sale/booked[1]/book", "sale/booked[2]/book", "sale/fee", "sale/sum"];
    let mut deaths = 0;
    for death in [Death::Before, Death::Within, Death::Unheard] {
        for write in 1.. {
            let scratch = Scratch::new();
            let store = Arc::new(Sqlite::open(scratch.store()).unwrap());
            let lives = |write| {
                let result = process(&Deadly::new(store.clone(), death, write));
                // What a process had handed over when it died is written or
                // lost by the time the next one looks; here, one thread writes
                // for all of them, so wait until that is done.
                store.forget(Timestamp(0), 1).unwrap();
                result
            };
            let first = lives(write);
            // The next process dies at its first write, and the one after that
            // gets to the end: two losses at most.
            let second = first.or_else(|| lives(1));
            let result = second.or_else(|| lives(usize::MAX));
            assert_eq!(result, Some(61), "{death:?} {write}");
            assert_eq!(lines(&scratch.store()), expected, "{death:?} {write}");
            if first.is_some() {
                break;
            }
            deaths += 1;
        }
    }
    assert!(deaths > 25, "only {deaths} deaths");
}

/// One process, until the run ends or the process dies.
fn process(store: &Arc<Deadly>) -> Option<i64> {
    block_on(async {
        let until_end = async {
            let engine = Engine::with_store(store.clone()).register::<sale>().start().await.ok()?;
            let run = engine.start(sale(vec![10, 20, 30])).key("the sale").await.ok()?;
            run.await.ok()
        };
        tokio::select! {
            biased;
            () = store.died() => None,
            result = until_end => result,
        }
    })
}

#[task(transaction)]
fn meddle(sql: &str, #[context] cx: &Context) -> sqlite::Result<()> {
    book("shop", 1, cx)?;
    cx.transaction().execute_batch(sql)
}

#[task(transaction, retry(attempts = 5))]
fn meddle_and_ignore(sql: &str, #[context] cx: &Context) {
    let _ = meddle(sql, cx);
}

workflow! {
    fn meddling(sql: String) -> Result<()> {
        let meddled = meddle(&sql)?;
        Ok(meddled)
    }
}

workflow! {
    fn ignoring(sql: String) -> Result<()> {
        let meddled = meddle_and_ignore(&sql);
        Ok(meddled)
    }
}

#[test]
fn promise_06_a_task_that_commits_by_hand_fails_for_good_and_keeps_nothing() {
    let scratch = Scratch::new();
    block_on(async {
        let engine = Engine::open(scratch.store()).start().await.unwrap();
        for sql in ["COMMIT", "ROLLBACK", "COMMIT; BEGIN"] {
            failure(engine.start(ignoring(sql.to_owned())).await.unwrap().await);
            let run = engine.start(ignoring(sql.to_owned())).await.unwrap();
            let error = failure(run.await);
            assert!(error.to_string().contains("leave its end to the engine"), "{sql}: {error}");
            assert_eq!(error.attempts(), 1, "{sql}: no attempt will be better");
        }
        failure(engine.start(meddling("COMMIT".to_owned())).await.unwrap().await);
        assert_eq!(lines(&scratch.store()), [""; 0]);
        assert_eq!(engine.start(one(3)).await.unwrap().await.unwrap(), 3);
        engine.shutdown().await;
    });
}

#[test]
fn a_transaction_needs_a_store_and_a_mock_does_not() {
    block_on(async {
        for builder in [Engine::in_memory(), Engine::with_store(Arc::new(Memory::new()))] {
            let engine = builder.start().await.unwrap();
            let error = failure(engine.start(one(3)).await.unwrap().await);
            let words = error.to_string();
            assert!(words.contains("`book` is a transaction") && words.contains("Engine::open"), "{words}");
        }
        for builder in [Engine::in_memory(), Engine::with_store(Arc::new(Memory::new()))] {
            let engine = builder.mock::<book>(|(_, cents)| Ok(cents + 1)).start().await.unwrap();
            assert_eq!(engine.start(one(3)).await.unwrap().await.unwrap(), 4);
        }
        let scratch = Scratch::new();
        let engine = Engine::open(scratch.store()).mock::<book>(|(_, cents)| Ok(cents + 1));
        let engine = engine.start().await.unwrap();
        assert_eq!(engine.start(one(3)).await.unwrap().await.unwrap(), 4);
        engine.shutdown().await;
    });
}

#[task]
async fn look(#[context] cx: &Context) -> bool {
    cx.transaction().is_autocommit()
}

workflow! {
    fn looking() -> Result<bool> {
        let looked = look();
        Ok(looked)
    }
}

#[test]
fn another_task_has_no_transaction() {
    let scratch = Scratch::new();
    block_on(async {
        let engine = Engine::open(scratch.store()).start().await.unwrap();
        let error = failure(engine.start(looking()).await.unwrap().await);
        assert!(error.to_string().contains("`#[task(transaction)]`"), "{error}");
        engine.shutdown().await;
    });
}

/// Lets a transaction begin, and holds it up.
struct Gate {
    begun: mpsc::Sender<()>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

#[derive(Resources)]
struct App {
    gate: Gate,
}

#[task(transaction, undo = cancel, deadline = "1s")]
fn hold(account: &str, cents: i64, #[resource] gate: &Gate, #[context] cx: &Context) -> i64 {
    gate.begun.send(()).unwrap();
    gate.go_on.lock().unwrap().recv().unwrap();
    book(account, cents, cx).unwrap()
}

#[task(transaction, deadline = "1s")]
fn hurry(account: &str, cents: i64, #[context] cx: &Context) -> i64 {
    book(account, cents, cx).unwrap()
}

workflow! {
    fn both(cents: i64) -> Result<i64> {
        let held = hold("shop", cents);
        let late = hurry("bank", cents);
        let sum = refuse(held + late)?;
        Ok(sum)
    }
}

#[test]
fn a_transaction_that_has_begun_is_real_and_one_that_is_given_up_before_is_not_done() {
    let scratch = Scratch::new();
    let (begun, hear_begun) = mpsc::channel();
    let (go_on, hear_go_on) = mpsc::channel();
    let gate = Gate { begun, go_on: Mutex::new(hear_go_on) };
    block_on(async {
        let engine = Engine::open(scratch.store()).resources(App { gate }).start().await.unwrap();
        // Before the run starts: while a thread is waited for, the steered clock
        // stands still and no deadline passes.
        let has_begun = tokio::task::spawn_blocking(move || hear_begun.recv().unwrap());
        let run: Run<i64> = engine.start(both(5)).await.unwrap();
        // The first has the store's thread, and the second waits for it.
        has_begun.await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        go_on.send(()).unwrap();
        let late = failure(run.clone().await);
        assert!(late.step() == "both/late" && late.to_string().contains("deadline"), "{late}");
        run.trace().assert_state("both/held", StepState::Undone);
        assert_eq!(lines(&scratch.store()), ["both/held", "both/held undo"]);
        engine.shutdown().await;
    });
}

/// A statement that never ends.
#[task(transaction, deadline = "100ms")]
fn count_for_ever(#[context] cx: &Context) -> sqlite::Result<i64> {
    book("before", 1, cx)?;
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";
    cx.transaction().query_row(endless, [], |row| row.get(0))
}

workflow! {
    fn endless() -> Result<i64> {
        let counted = count_for_ever()?;
        Ok(counted)
    }
}

#[tokio::test]
async fn a_statement_that_does_not_end_is_interrupted_at_its_deadline() {
    let scratch = Scratch::new();
    let engine = Engine::open(scratch.store()).start().await.unwrap();
    let run: Run<i64> = engine.start(endless()).await.unwrap();
    let other: Run<i64> = engine.start(sale(vec![1, 2])).await.unwrap();
    let late = failure(run.await);
    assert_eq!((late.step(), late.failure().cause), ("endless/counted", Cause::Timeout), "{late}");
    assert!(late.to_string().contains("deadline is over"), "{late}");
    other.await.unwrap();
    assert!(!lines(&scratch.store()).iter().any(|line| line.starts_with("endless")), "it has done nothing");
    engine.shutdown().await;
}

#[test]
fn what_a_transaction_returns_is_encrypted_with_the_rest() {
    let scratch = Scratch::new();
    let keys = || KeyRing::new("2026-11", Key::from_bytes([7; 32]));
    block_on(async {
        let engine = Engine::open(scratch.store()).encrypt(keys()).start().await.unwrap();
        assert_eq!(engine.start(one(3)).await.unwrap().await.unwrap(), 3);
        engine.shutdown().await;
    });
    let conn = rusqlite::Connection::open(scratch.store()).unwrap();
    let value = conn.query_row("SELECT value FROM effects", [], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    assert!(value.len() > 30, "{value:?}");
}
