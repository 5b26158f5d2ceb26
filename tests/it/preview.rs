//! What an operation would make of a run's steps is told before it is done, and
//! is what then happens.
//!
//! The same scenario is lived through twice for each: a run comes to a state, is
//! asked what would be, and then it is done. What ran is counted by the world.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::json;
use support::tasks::{Oops, oops};
use workflow_runtime::blueprint::{Fate, Preview};
use workflow_runtime::store::{Memory, Store};
use workflow_runtime::testing::block_on;
use workflow_runtime::{By, Context, Engine, Operation, Resources, Result, task, workflow};

/// What lies outside of all runs.
#[derive(Default)]
struct World {
    /// The paths of steps that fail.
    failing: Mutex<BTreeSet<String>>,
    /// How often steps were begun, and undone.
    begun: Mutex<BTreeMap<String, u64>>,
    undone: Mutex<Vec<String>>,
}

impl World {
    fn begin(&self, cx: &Context) -> Result<(), Oops> {
        *self.begun.lock().unwrap().entry(cx.step()).or_default() += 1;
        match self.failing.lock().unwrap().contains(&cx.step()) {
            true => Err(oops("the disk is full")),
            false => Ok(()),
        }
    }

    /// What was begun since it was asked last.
    fn take_begun(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.begun.lock().unwrap()).into_keys().collect()
    }
}

#[derive(Resources)]
struct App {
    world: Arc<World>,
}

#[task]
async fn work(n: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> Result<u64, Oops> {
    world.begin(cx)?;
    Ok(n + 1)
}

#[task(at_most_once)]
async fn charge(n: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> Result<u64, Oops> {
    world.begin(cx)?;
    Ok(n + 100)
}

#[task(undo = unbook)]
async fn book(n: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> Result<u64, Oops> {
    world.begin(cx)?;
    Ok(n + 10)
}

#[task]
async fn unbook(_booked: &u64, #[context] cx: &Context, #[resource] world: &Arc<World>) {
    world.undone.lock().unwrap().push(cx.step());
}

workflow! {
    fn part(n: u64) -> Result<u64> {
        let inner = work(n)?;
        let last = work(inner)?;
        Ok(last)
    }
}

workflow! {
    fn order(n: u64) -> Result<u64> {
        let seat = book(n)?;
        let pay = charge(n)?;
        let numbers: Vec<u64> = vec![pay, pay + 1, pay + 2, pay + 3];
        #[limit(2)]
        let priced = for number in numbers {
            let raw = work(number)?;
            let tax = work(raw)?;
            tax
        };
        let soft = work(pay);
        let kind = if n < 1_000 { let yes = work(seat)?; yes } else { let no = work(0)?; no };
        let mut size = work(kind)?;
        #[limit(10)]
        while size < 30 {
            let more = work(size + 5)?;
            size = more;
        }
        let first = select! {
            quick = work(size) => { let won = work(*quick.as_ref().unwrap_or(&0))?; won },
            _ = sleep("9d") => 0,
        };
        let sub = part(first)?;
        let count = priced.len() as u64 + u64::from(soft.is_ok());
        let report = work(sub + count)?;
        #[always]
        let _swept = work(0)?;
        Ok(report)
    }
}

/// Every step that may fail the run.
const STEPS: [&str; 17] = [
    "order/seat",
    "order/pay",
    "order/priced[0]/raw",
    "order/priced[1]/tax",
    "order/priced[3]/raw",
    "order/priced[3]/tax",
    "order/soft",
    "order/kind[then]/yes",
    "order/size",
    "order/while[0]/more",
    "order/while[1]/more",
    "order/first/quick",
    "order/first[0]/won",
    "order/sub/inner",
    "order/sub/last",
    "order/report",
    "order/_swept",
];

fn by() -> By {
    By { actor: "ann".to_owned(), reason: None }
}

async fn engine(store: &Memory, world: &Arc<World>) -> Engine<App> {
    let builder = Engine::with_store(Arc::new(store.clone())).resources(App { world: world.clone() });
    builder.register::<order>().start().await.unwrap()
}

/// A path without the numbers of items and turns.
fn fixed(path: &str) -> String {
    let parts = path.split('/').map(|part| match part.split_once('[') {
        // Where it is not the number of an arm.
        Some((name, number)) if name != "first" && number.starts_with(|c: char| c.is_ascii_digit()) => name,
        _ => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

fn fate(preview: &Preview, path: &str) -> Option<Fate> {
    preview.steps.iter().find(|step| step.path == path).map(|step| step.fate)
}

/// A run in which some steps fail, what is told of an operation, and what then
/// runs.
struct Told {
    before: BTreeSet<String>,
    failed: BTreeSet<String>,
    preview: Preview,
    ran: BTreeSet<String>,
    words: String,
}

fn tell_and_do(failing: &[&str], operation: &Operation) -> Option<Told> {
    let (store, world) = (Memory::new(), Arc::new(World::default()));
    *world.failing.lock().unwrap() = failing.iter().map(|path| (*path).to_owned()).collect();
    block_on(async {
        let engine = engine(&store, &world).await;
        let run = engine.start(order(1)).await.unwrap();
        run.wait().await;
        let before = world.take_begun();
        let failed = std::mem::take(&mut *world.failing.lock().unwrap());
        let journal = |id: &str| store.journal(store.find(id).unwrap()[0].run).unwrap().len();
        let entries = journal(run.id());
        let preview = engine.preview(run.id(), operation.clone()).await;
        assert_eq!(world.take_begun(), BTreeSet::new(), "nothing runs to tell");
        assert_eq!(journal(run.id()), entries, "nothing is written to tell");
        let done = engine.operate(Some(run.id()), operation.clone(), by()).await;
        let Ok(id) = done else {
            assert_eq!(preview.map_err(|error| error.to_string()), Err(done.unwrap_err().to_string()));
            return None;
        };
        engine.run(&id).await.unwrap().wait().await;
        let words = format!("{operation:?} where {failing:?} failed");
        Some(Told { before, failed, preview: preview.unwrap(), ran: world.take_begun(), words })
    })
}

impl Told {
    fn check(&self) {
        let Self { before, failed, preview, ran, words } = self;
        let again: BTreeSet<_> = preview.steps.iter().flat_map(|step| step.again.clone()).collect();
        for path in ran {
            let told = fate(preview, &fixed(path));
            let is_anew = !matches!(told, Some(Fate::Kept | Fate::Gone | Fate::Undone) | None);
            assert!(is_anew, "{words}: `{path}` ran, and was told as {told:?}\n{preview}");
            // What had ended well.
            let is_value = matches!(&**path, "order/soft" | "order/first/quick");
            let had_ended = before.contains(path) && (!failed.contains(path) || is_value);
            let was_undone = path == "order/seat" && told == Some(Fate::AgainAfterUndo);
            assert_eq!(
                again.contains(path),
                had_ended && !was_undone,
                "{words}: `{path}` ran; again: {again:?}\n{preview}"
            );
        }
        for path in &again {
            assert!(ran.contains(path), "{words}: `{path}` was to run again\n{preview}\nran: {ran:?}");
        }
        let ran: BTreeSet<String> = ran.iter().map(|path| fixed(path)).collect();
        for step in &preview.steps {
            // The other arms are not come to; the sleep does not begin anew.
            if step.path == "order/kind[else]/no" || step.path == "order/first/sleep" {
                continue;
            }
            let runs = !matches!(step.fate, Fate::Kept | Fate::Gone | Fate::Undone);
            assert_eq!(runs, ran.contains(&step.path), "{words}: `{step}`\n{preview}\nran: {ran:?}");
        }
        let twice: Vec<_> = preview.twice().map(|step| &*step.path).collect();
        let paid_twice = again.contains("order/pay");
        assert_eq!(twice.contains(&"order/pay"), paid_twice, "{words}: {twice:?}");
    }
}

/// Each step that may fail, and each way to go on from there.
#[test]
fn what_is_told_is_what_then_happens() {
    let mut told = 0;
    for failing in STEPS {
        let mut wanted = vec![Operation::Retry { step: None }, Operation::Rerun];
        wanted.push(Operation::Set { step: failing.to_owned(), value: json!(7) });
        wanted.extend(STEPS.iter().map(|from| Operation::Fork { from: (*from).to_owned() }));
        for operation in wanted {
            let Some(done) = tell_and_do(&[failing], &operation) else { continue };
            done.check();
            told += 1;
        }
    }
    assert!(told > 17 * 17, "{told}");
}

/// A run that has ended well, and one in which several steps have failed.
#[test]
fn what_is_told_of_a_fork_is_what_then_happens() {
    for from in STEPS {
        let operation = Operation::Fork { from: from.to_owned() };
        tell_and_do(&[], &operation).unwrap().check();
        tell_and_do(&["order/soft", "order/priced[2]/tax", "order/first/quick"], &operation).unwrap().check();
    }
}

#[test]
fn a_retry_tells_what_is_kept_and_what_was_undone() {
    let told = tell_and_do(&["order/priced[3]/tax"], &Operation::Retry { step: None }).unwrap();
    let lines = told.preview.to_string();
    let expected = [
        "· order/seat: has been undone, and runs again",
        "= order/pay: its result is kept",
        "= order/priced/raw: its result is kept",
        "= order/priced/tax: its results are kept, and it runs where it has none",
        "= order/soft: its result is kept",
    ];
    assert_eq!(lines.lines().take(5).collect::<Vec<_>>(), expected, "{lines}");
    let kept = told.preview.steps.iter().find(|step| step.path == "order/priced/tax").unwrap();
    assert_eq!(kept.kept, 3);
}

#[test]
fn what_is_done_at_most_once_is_named_where_it_would_be_done_twice() {
    let told = tell_and_do(&[], &Operation::Fork { from: "order/pay".to_owned() }).unwrap();
    let twice: Vec<_> = told.preview.twice().map(|step| (&*step.path, step.twice)).collect();
    assert_eq!(twice, [("order/pay", Some("is `at_most_once`"))]);
}

workflow! {
    fn approved(n: u64) -> Result<u64> {
        let seat = book(n)?;
        let go = signal::<u64>("go");
        let report = work(seat + go)?;
        Ok(report)
    }
}

/// What is told of a run that goes on, while it does.
#[test]
fn what_is_told_of_a_run_that_waits() {
    let (store, world) = (Memory::new(), Arc::new(World::default()));
    block_on(async {
        let builder = Engine::with_store(Arc::new(store.clone())).resources(App { world: world.clone() });
        let engine = builder.register::<approved>().start().await.unwrap();
        let run = engine.start(approved(1)).await.unwrap();
        while !run.snapshot().steps.iter().any(|step| step.path == "approved/go" && step.attempt > 0) {
            tokio::task::yield_now().await;
        }
        let lines = async |operation| engine.preview(run.id(), operation).await.unwrap().to_string();
        let wanted = lines(Operation::Cancel).await;
        assert_eq!(wanted, "< approved/seat: is undone");
        let wanted = lines(Operation::Set { step: "approved/go".to_owned(), value: json!(1) }).await;
        let settled = [
            "= approved/seat: its result is kept",
            "= approved/go: its result is kept",
            "· approved/report: has no result yet, and runs",
        ];
        assert_eq!(wanted.lines().collect::<Vec<_>>(), settled);
        let wanted = lines(Operation::Signal { name: "go".to_owned(), value: json!(1) }).await;
        assert_eq!(wanted.lines().collect::<Vec<_>>(), settled);
        let wanted = lines(Operation::Pause).await;
        assert!(wanted.contains("· approved/go: has no result yet, and runs"), "{wanted}");
        let error = engine.preview(run.id(), Operation::Retry { step: None }).await.unwrap_err().to_string();
        assert!(error.contains("goes on by itself"), "{error}");
        let error = engine.preview(run.id(), Operation::Adopt).await.unwrap_err().to_string();
        assert!(error.contains("is not blocked"), "{error}");
        assert_eq!(*world.undone.lock().unwrap(), Vec::<String>::new(), "nothing was done");

        engine.operate(Some(run.id()), Operation::Cancel, by()).await.unwrap();
        run.wait().await;
        assert_eq!(*world.undone.lock().unwrap(), ["approved/seat"]);
    });
}
