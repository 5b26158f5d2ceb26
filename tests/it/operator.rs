//! What operators do to runs: retry, rerun, fork, set, pause, resume, cancel.
//!
//! Every `process` is one: what is left in it when it ends is gone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use support::tasks::{Oops, oops};
use workflow_runtime::run::{RunState, StepState, Wait};
use workflow_runtime::store::{Memory, Store};
use workflow_runtime::testing::block_on;
use workflow_runtime::{By, Context, Engine, Error, Operation, Resources, Result, task, workflow};

/// What lies outside of all processes.
#[derive(Default)]
struct World {
    /// Every start: the step and its idempotency key.
    starts: Mutex<Vec<(String, String)>>,
    broken: AtomicBool,
}

impl World {
    fn broken() -> Arc<Self> {
        let world = Arc::new(Self::default());
        world.broken.store(true, Ordering::SeqCst);
        world
    }

    fn mend(&self) {
        self.broken.store(false, Ordering::SeqCst);
    }

    fn note(&self, cx: &Context) {
        self.starts.lock().unwrap().push((cx.step(), cx.idempotency_key()));
    }

    fn starts(&self, step: &str) -> usize {
        self.keys(step).len()
    }

    fn keys(&self, step: &str) -> Vec<String> {
        let starts = self.starts.lock().unwrap();
        starts.iter().filter(|(path, _)| path == step).map(|(_, key)| key.clone()).collect()
    }
}

#[derive(Resources)]
struct App {
    world: Arc<World>,
}

#[task]
async fn step(n: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> u64 {
    world.note(cx);
    n + 1
}

/// Fails while the world is broken.
#[task]
async fn fragile(n: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> Result<u64, Oops> {
    world.note(cx);
    if world.broken.load(Ordering::SeqCst) { Err(oops("the disk is full")) } else { Ok(n * 10) }
}

#[task(undo = unbook)]
async fn book(n: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> u64 {
    world.note(cx);
    n + 100
}

#[task]
async fn unbook(_booked: &u64, #[context] cx: &Context, #[resource] world: &Arc<World>) {
    world.note(cx);
}

#[task]
async fn total(numbers: &[u64]) -> u64 {
    numbers.iter().sum()
}

workflow! {
    fn chain(n: u64) -> Result<u64> {
        let a = step(n);
        let pair: Vec<u64> = vec![a, a + 1];
        let parts = for part in pair {
            let good = step(part);
            good
        };
        let sum = total(&parts);
        let b = fragile(sum)?;
        let c = step(b);
        Ok(c)
    }
}

workflow! {
    fn trip(n: u64) -> Result<u64> {
        let before = step(n);
        let seat = book(before);
        let after = step(seat);
        let paid = fragile(after)?;
        Ok(paid)
    }
}

workflow! {
    fn reviewed(n: u64) -> Result<u64> {
        let a = step(n);
        let verdict = signal::<u64>("verdict");
        let b = step(verdict + a);
        Ok(b)
    }
}

fn by(reason: &str) -> By {
    By { actor: "ann".to_owned(), reason: Some(reason.to_owned()) }
}

async fn engine(store: &Memory, world: &Arc<World>) -> Engine<App> {
    let builder = Engine::with_store(Arc::new(store.clone())).resources(App { world: world.clone() });
    builder.register::<chain>().register::<trip>().register::<reviewed>().start().await.unwrap()
}

/// Every start in a journal, by path, with the entry of each.
fn journal(store: &Memory, id: &str) -> Vec<String> {
    let run = store.find(id).unwrap().pop().unwrap().run;
    store.journal(run).unwrap().into_iter().map(|entry| entry.event).collect()
}

#[test]
fn a_retry_goes_on_from_the_failed_step() {
    let (store, world) = (Memory::new(), World::broken());
    let id = block_on(async {
        let engine = engine(&store, &world).await;
        let run = engine.start(chain(1)).key("a").await.unwrap();
        let id = run.id().to_owned();
        assert!(matches!(run.await, Err(Error::Failed { .. })));
        world.mend();
        assert_eq!(
            engine.operate(Some(&id), Operation::Retry { step: None }, by("mended")).await.unwrap(),
            id
        );
        // The same run, also for whoever has the key.
        assert_eq!(engine.start(chain(1)).key("a").await.unwrap().await.unwrap(), 71);
        id
    });
    assert_eq!((world.starts("chain/a"), world.starts("chain/b"), world.starts("chain/c")), (1, 2, 1));
    assert_eq!(world.starts("chain/parts[0]/good") + world.starts("chain/parts[1]/good"), 2);
    let taken_up = journal(&store, &id).into_iter().find(|event| event.contains("taken_up")).unwrap();
    assert!(taken_up.contains("ann") && taken_up.contains("mended"), "{taken_up}");
    let asked = store.requests(Some(&id), 9).unwrap();
    assert_eq!((asked.len(), asked[0].request.actor.as_str()), (1, "ann"));
    assert_eq!(asked[0].answer.as_ref().unwrap().result, Ok(id));
}

#[test]
fn a_retry_after_the_process_has_ended_and_a_crash_on_the_way() {
    let (store, world) = (Memory::new(), World::broken());
    let id = block_on(async {
        let engine = engine(&store, &world).await;
        let run = engine.start(chain(1)).await.unwrap();
        run.wait().await;
        run.id().to_owned()
    });
    // Twice, and still broken in between.
    block_on(async {
        let engine = engine(&store, &world).await;
        engine.operate(Some(&id), Operation::Retry { step: None }, by("again")).await.unwrap();
        engine.run(&id).await.unwrap().wait().await;
    });
    world.mend();
    // The process dies as soon as the retry is committed.
    block_on(async {
        let engine = engine(&store, &world).await;
        engine.operate(Some(&id), Operation::Retry { step: None }, by("mended")).await.unwrap();
    });
    block_on(async {
        let engine = engine(&store, &world).await;
        let run = engine.run(&id).await.unwrap();
        run.wait().await;
        assert_eq!(run.result().unwrap().unwrap(), b"71");
    });
    assert_eq!(world.starts("chain/a"), 1);
    assert_eq!(world.starts("chain/parts[0]/good") + world.starts("chain/parts[1]/good"), 2);
}

#[test]
fn what_was_undone_is_done_anew_and_so_is_what_follows() {
    let (store, world) = (Memory::new(), World::broken());
    block_on(async {
        let engine = engine(&store, &world).await;
        let run = engine.start(trip(1)).await.unwrap();
        let id = run.id().to_owned();
        assert!(run.await.is_err());
        world.mend();
        engine.operate(Some(&id), Operation::Retry { step: None }, by("mended")).await.unwrap();
        let run = engine.run(&id).await.unwrap();
        run.wait().await;
        assert_eq!(run.result().unwrap().unwrap(), b"1030");
    });
    assert_eq!(world.starts("trip/before"), 1);
    assert_eq!(world.starts("trip/after"), 2, "it uses what was undone");
    // `book`, its undo, and `book` again: three different things to the world.
    let mut keys = world.keys("trip/seat");
    assert_eq!(keys.len(), 3);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 3, "{keys:?}");
    // And so is what was made of another booking, though it was not undone.
    let keys = world.keys("trip/after");
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn a_step_that_runs_anew_in_two_lives_has_three_keys() {
    let (store, world) = (Memory::new(), World::broken());
    block_on(async {
        let engine = engine(&store, &world).await;
        let run = engine.start(trip(1)).await.unwrap();
        let id = run.id().to_owned();
        assert!(run.await.is_err());
        for _ in 0..2 {
            engine.operate(Some(&id), Operation::Retry { step: None }, by("again")).await.unwrap();
            engine.run(&id).await.unwrap().wait().await;
        }
    });
    let mut keys = world.keys("trip/after");
    assert_eq!(keys.len(), 3);
    keys.dedup();
    assert_eq!(keys.len(), 3, "{keys:?}");
}

#[test]
fn a_step_that_is_set_does_not_run() {
    let (store, world) = (Memory::new(), World::broken());
    block_on(async {
        let engine = engine(&store, &world).await;
        let run = engine.start(chain(1)).await.unwrap();
        let id = run.id().to_owned();
        assert!(run.await.is_err());
        let wrong = Operation::Set { step: "chain/b".to_owned(), value: json!("much") };
        let refused = engine.operate(Some(&id), wrong, by("typo")).await.unwrap_err();
        assert!(refused.to_string().contains("cannot take this value for step `chain/b`"), "{refused}");
        let set = Operation::Set { step: "chain/b".to_owned(), value: json!(7) };
        engine.operate(Some(&id), set, by("asked by phone")).await.unwrap();
        let run = engine.run(&id).await.unwrap();
        run.wait().await;
        assert_eq!(run.result().unwrap().unwrap(), b"8");
    });
    assert_eq!((world.starts("chain/a"), world.starts("chain/b"), world.starts("chain/c")), (1, 1, 1));
}

/// What the operator says holds, also where the steps before it run anew.
#[test]
fn a_step_that_is_set_stays_so_when_what_it_needs_runs_anew() {
    let (store, world) = (Memory::new(), World::broken());
    block_on(async {
        let engine = engine(&store, &world).await;
        let run = engine.start(trip(1)).await.unwrap();
        let id = run.id().to_owned();
        assert!(run.await.is_err());
        let set = Operation::Set { step: "trip/paid".to_owned(), value: json!(5) };
        engine.operate(Some(&id), set, by("paid in cash")).await.unwrap();
        let run = engine.run(&id).await.unwrap();
        run.wait().await;
        assert_eq!(run.result().unwrap().unwrap(), b"5");
    });
    assert_eq!((world.starts("trip/paid"), world.starts("trip/after")), (1, 2));
}

#[test]
fn a_fork_keeps_what_comes_before() {
    let (store, world) = (Memory::new(), Arc::new(World::default()));
    let (first, second) = block_on(async {
        let engine = engine(&store, &world).await;
        let run = engine.start(chain(1)).await.unwrap();
        let id = run.id().to_owned();
        assert_eq!(run.await.unwrap(), 71);
        let fork = Operation::Fork { from: "chain/b".to_owned() };
        let forked = engine.operate(Some(&id), fork, by("another rate")).await.unwrap();
        assert_ne!(forked, id);
        let run = engine.run(&forked).await.unwrap();
        run.wait().await;
        assert_eq!(run.result().unwrap().unwrap(), b"71");
        (id, forked)
    });
    assert_eq!((world.starts("chain/a"), world.starts("chain/b"), world.starts("chain/c")), (1, 2, 2));
    let parent = store.find(&second).unwrap().pop().unwrap().parent.unwrap();
    assert_eq!((parent.id, &*parent.how), (first, "fork"));
}

#[test]
fn a_fork_within_a_region_keeps_the_other_items() {
    let (store, world) = (Memory::new(), Arc::new(World::default()));
    block_on(async {
        let engine = engine(&store, &world).await;
        let run = engine.start(chain(1)).await.unwrap();
        let id = run.id().to_owned();
        run.wait().await;
        let fork = Operation::Fork { from: "chain/parts[1]/good".to_owned() };
        let forked = engine.operate(Some(&id), fork, by("another rate")).await.unwrap();
        engine.run(&forked).await.unwrap().wait().await;
    });
    assert_eq!((world.starts("chain/parts[0]/good"), world.starts("chain/parts[1]/good")), (1, 2));
    assert_eq!((world.starts("chain/a"), world.starts("chain/b")), (1, 2));
}

#[test]
fn a_rerun_keeps_nothing() {
    let (store, world) = (Memory::new(), Arc::new(World::default()));
    block_on(async {
        let engine = engine(&store, &world).await;
        let run = engine.start(chain(1)).key("once").await.unwrap();
        let id = run.id().to_owned();
        run.wait().await;
        let again = engine.operate(Some(&id), Operation::Rerun, by("new data")).await.unwrap();
        engine.run(&again).await.unwrap().wait().await;
        let parent = store.find(&again).unwrap().pop().unwrap().parent.unwrap();
        assert_eq!((parent.id, &*parent.how), (id, "rerun"));
    });
    assert_eq!(world.starts("chain/a"), 2);
}

#[test]
fn a_paused_run_starts_nothing_also_in_the_next_process() {
    let (store, world) = (Memory::new(), Arc::new(World::default()));
    let id = block_on(async {
        let engine = engine(&store, &world).await;
        let run = engine.start(reviewed(1)).await.unwrap();
        // Lets the first step end.
        tokio::time::sleep(Duration::from_millis(1)).await;
        engine.operate(Some(run.id()), Operation::Pause, by("freeze")).await.unwrap();
        assert_eq!(run.state(), RunState::Paused);
        let twice = engine.operate(Some(run.id()), Operation::Pause, by("freeze")).await.unwrap_err();
        assert!(twice.to_string().contains("is paused already"), "{twice}");
        run.signal(reviewed::verdict, 5).await.unwrap();
        run.id().to_owned()
    });
    block_on(async {
        let engine = engine(&store, &world).await;
        let run = engine.run(&id).await.unwrap();
        let waits = StepState::Waiting(Wait::Paused);
        assert_eq!(run.snapshot().step("reviewed/b").unwrap().state, waits);
        assert_eq!(world.starts("reviewed/b"), 0);
        engine.operate(Some(&id), Operation::Resume, by("thawed")).await.unwrap();
        run.wait().await;
        assert_eq!(run.result().unwrap().unwrap(), b"8");
    });
    let events = journal(&store, &id).join("\n");
    assert!(events.contains("freeze") && events.contains("thawed"), "{events}");
}

#[test]
fn a_signal_and_a_start_come_as_data() {
    let (store, world) = (Memory::new(), Arc::new(World::default()));
    block_on(async {
        let engine = engine(&store, &world).await;
        let params = [("n".to_owned(), json!(1))].into();
        let start = Operation::Start { workflow: "reviewed".to_owned(), params, key: None };
        let id = engine.operate(None, start, by("by hand")).await.unwrap();
        let signal = |value| Operation::Signal { name: "verdict".to_owned(), value };
        let wrong = engine.operate(Some(&id), signal(json!("good")), by("")).await.unwrap_err();
        assert!(wrong.to_string().contains("cannot take this value for signal `verdict`"), "{wrong}");
        engine.operate(Some(&id), signal(json!(5)), by("")).await.unwrap();
        let run = engine.run(&id).await.unwrap();
        run.wait().await;
        assert_eq!(run.result().unwrap().unwrap(), b"8");

        let params = [("m".to_owned(), json!(1))].into();
        let start = Operation::Start { workflow: "reviewed".to_owned(), params, key: None };
        let refused = engine.operate(None, start, by("")).await.unwrap_err().to_string();
        assert!(refused.contains("no parameter `m`") && refused.contains("`n` of type `u64`"), "{refused}");
        let start = Operation::Start { workflow: "review".to_owned(), params: [].into(), key: None };
        let refused = engine.operate(None, start, by("")).await.unwrap_err().to_string();
        assert!(refused.contains("no workflow `review`") && refused.contains("`reviewed`"), "{refused}");
    });
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let (store, world) = (Memory::new(), Arc::new(World::default()));
    block_on(async {
        let engine = engine(&store, &world).await;
        let run = engine.start(chain(1)).await.unwrap();
        let id = run.id().to_owned();
        run.wait().await;
        let before = journal(&store, &id);
        let tries = [
            (Operation::Retry { step: None }, "has succeeded"),
            (Operation::Cancel, "has ended"),
            (Operation::Pause, "has ended"),
            (Operation::Set { step: "chain/a".to_owned(), value: json!(1) }, "has succeeded"),
            (Operation::Fork { from: "chain/x".to_owned() }, "no step `chain/x`"),
            (Operation::Adopt, "has ended"),
            (Operation::Signal { name: "verdict".to_owned(), value: json!(1) }, "has ended"),
        ];
        for (operation, words) in tries {
            let refused = engine.operate(Some(&id), operation.clone(), by("")).await.unwrap_err().to_string();
            assert!(refused.contains(words), "{operation:?}: {refused}");
        }
        let unknown = engine.operate(Some("nobody"), Operation::Cancel, by("")).await.unwrap_err();
        assert!(matches!(unknown, Error::NoSuchRun { .. }), "{unknown}");
        assert_eq!(journal(&store, &id), before);
        // Whoever looks finds what was tried.
        assert_eq!(store.requests(Some(&id), 99).unwrap().len(), 7);
        assert!(store.open_requests().unwrap().is_empty());
    });
}
