//! A run whose undo waits for its next attempt, in the hands of an operator:
//! it is seen, tried again, settled, or given up on the record.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::tasks::{Oops, oops};
use workflow_runtime::doctor::examine;
use workflow_runtime::history::{AttemptKind, History, Operated, Outcome};
use workflow_runtime::run::{RunState, StepState};
use workflow_runtime::store::{Memory, Store};
use workflow_runtime::testing::block_on;
use workflow_runtime::{AnyRun, By, Context, Engine, Operation, Resources, task, workflow};

/// What lies outside of all processes.
#[derive(Default)]
struct World {
    begun: Mutex<Vec<String>>,
    mended: AtomicBool,
}

impl World {
    fn note(&self, what: String) {
        self.begun.lock().unwrap().push(what);
    }

    fn begun(&self) -> Vec<String> {
        std::mem::take(&mut self.begun.lock().unwrap())
    }
}

#[derive(Resources)]
struct App {
    world: Arc<World>,
}

#[task(undo = refund)]
async fn charge(amount: u64, #[context] cx: &Context, #[resource] world: &Arc<World>) -> String {
    world.note(format!("charge {}", cx.step()));
    amount.to_string()
}

#[task(retry(attempts = 9, backoff = fixed("1h")))]
async fn refund(charged: &str, #[context] cx: &Context, #[resource] world: &Arc<World>) -> Result<(), Oops> {
    world.note(format!("refund {}", cx.step()));
    match world.mended.load(Ordering::SeqCst) || charged == "1" {
        true => Ok(()),
        false => Err(oops("the bank is closed")),
    }
}

#[task]
async fn fails(text: &str) -> Result<u64, Oops> {
    Err(oops(format!("no {text}")))
}

#[task(undo = stuck)]
async fn begins(amount: u64) -> u64 {
    amount
}

/// Never ends by itself.
#[task]
async fn stuck(_amount: &u64, #[resource] world: &Arc<World>) {
    world.note("stuck".to_owned());
    std::future::pending::<()>().await;
}

workflow! {
    fn sale() -> Result<u64> {
        let first = charge(1);
        #[after(first)]
        let second = charge(2);
        let last = fails(&second)?;
        Ok(last)
    }
}

workflow! {
    fn hanging() -> Result<u64> {
        let first = charge(1);
        #[after(first)]
        let second = begins(2);
        let text = second.to_string();
        let last = fails(&text)?;
        Ok(last)
    }
}

fn by() -> By {
    By { actor: "ann".to_owned(), reason: Some("the bank said so".to_owned()) }
}

async fn engine(store: &Memory, world: &Arc<World>) -> Engine<App> {
    let builder = Engine::with_store(Arc::new(store.clone())).resources(App { world: world.clone() });
    builder.register::<sale>().register::<hanging>().start().await.unwrap()
}

async fn until(run: &AnyRun, is_so: impl Fn(&AnyRun) -> bool) {
    while !is_so(run) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A run whose undo of `second` has failed once, and is tried again in an hour.
async fn in_backoff(engine: &Engine<App>) -> AnyRun {
    let run = engine.start(sale()).await.unwrap();
    let run = (*run).clone();
    until(&run, |run| run.snapshot().step("sale/second").is_some_and(|step| step.next_attempt_at.is_some()))
        .await;
    run
}

fn history(store: &Memory, id: &str) -> History {
    let run = store.find(id).unwrap().pop().unwrap();
    History::read(sale::GRAPH, &store.journal(run.run).unwrap(), &|_| Some(sale::GRAPH)).unwrap()
}

#[test]
fn the_next_attempt_of_an_undo_has_a_time() {
    let (store, world) = (Memory::new(), Arc::new(World::default()));
    block_on(async {
        let engine = engine(&store, &world).await;
        let run = in_backoff(&engine).await;
        let step = run.snapshot().step("sale/second").cloned().unwrap();
        assert_eq!((step.state, run.state()), (StepState::Undoing, RunState::Undoing));
        assert_eq!(step.failure.unwrap().to_string(), "the bank is closed");
        let (started, due) = (step.started_at.unwrap(), step.next_attempt_at.unwrap());
        let wait = due.since(started);
        assert!(wait > Duration::from_secs(3500) && wait < Duration::from_secs(3700), "{wait:?}");
        let told = history(&store, run.id());
        let story = told.step("sale/second").unwrap();
        assert_eq!(story.next_attempt_at, Some(due));
        let undo: Vec<_> =
            story.attempts.iter().filter(|attempt| attempt.kind == AttemptKind::Undo).collect();
        assert_eq!((undo.len(), undo[0].outcome), (1, Outcome::Error));
        assert_eq!(story.failure.as_ref().unwrap().to_string(), "the bank is closed");
    });
}

#[test]
fn an_undo_is_tried_again_now() {
    for step in [Some("sale/second".to_owned()), None] {
        let (store, world) = (Memory::new(), Arc::new(World::default()));
        block_on(async {
            let engine = engine(&store, &world).await;
            let run = in_backoff(&engine).await;
            world.begun();
            world.mended.store(true, Ordering::SeqCst);
            let began = tokio::time::Instant::now();
            engine.operate(Some(run.id()), Operation::Retry { step }, by()).await.unwrap();
            run.wait().await;
            assert_eq!((run.state(), began.elapsed() < Duration::from_secs(60)), (RunState::Failed, true));
            assert_eq!(world.begun(), ["refund sale/second", "refund sale/first"]);
            assert_eq!(run.snapshot().step("sale/second").unwrap().state, StepState::Undone);
        });
    }
}

/// By each way that there is, also where the process dies before and after.
#[test]
fn an_undo_is_settled_or_given_up_by_hand() {
    let step = || "sale/second".to_owned();
    let ways = [
        (Operation::Set { step: step(), value: serde_json::Value::Null }, StepState::Undone, Operated::Set),
        (Operation::Undone { step: step() }, StepState::Undone, Operated::Set),
        (Operation::GiveUp { step: step() }, StepState::Failed, Operated::GaveUp),
    ];
    for (operation, state, act) in ways {
        let (store, world) = (Memory::new(), Arc::new(World::default()));
        let id = block_on(async { in_backoff(&engine(&store, &world).await).await.id().to_owned() });
        world.begun();
        block_on(async {
            let engine = engine(&store, &world).await;
            let value = Operation::Set { step: step(), value: "2".into() };
            let refused = engine.operate(Some(&id), value, by()).await.unwrap_err().to_string();
            assert!(refused.contains("it is being undone"), "{refused}");
            engine.operate(Some(&id), operation.clone(), by()).await.unwrap();
        });
        block_on(async {
            let engine = engine(&store, &world).await;
            let run = engine.run(&id).await.unwrap();
            run.wait().await;
            assert_eq!(run.state(), RunState::Failed);
            assert!(!world.begun().contains(&"refund sale/second".to_owned()), "{operation:?}");
        });
        let told = history(&store, &id);
        assert_eq!(told.step("sale/second").unwrap().state, state, "{operation:?}");
        assert_eq!(told.step("sale/first").unwrap().state, StepState::Undone);
        let done = told.acts.iter().find(|done| done.what == act).unwrap();
        assert_eq!((done.step.as_deref(), done.by.clone()), (Some("sale/second"), Some(by())));
        let store: Arc<dyn Store> = Arc::new(store.clone());
        let report = examine(&*store, &[sale::GRAPH]).unwrap();
        assert!(report.is_healthy(), "{report:?}");

        // What stands is not done again; what is undone is.
        block_on(async {
            let engine = engine_of(&store, &world).await;
            engine.operate(Some(&id), Operation::Retry { step: None }, by()).await.unwrap();
            let run = engine.run(&id).await.unwrap();
            until(&run, |run| run.state() == RunState::Undoing).await;
            let again = world.begun().contains(&"charge sale/second".to_owned());
            assert_eq!(again, state == StepState::Undone, "{operation:?}");
        });
    }
}

async fn engine_of(store: &Arc<dyn Store>, world: &Arc<World>) -> Engine<App> {
    let builder = Engine::with_store(store.clone()).resources(App { world: world.clone() });
    builder.register::<sale>().register::<hanging>().start().await.unwrap()
}

/// Also one whose attempt never ends.
#[test]
fn an_undo_that_is_stuck_is_given_up() {
    let (store, world) = (Memory::new(), Arc::new(World::default()));
    block_on(async {
        let engine = engine(&store, &world).await;
        let run = engine.start(hanging()).await.unwrap();
        let run = (*run).clone();
        until(&run, |_| world.begun.lock().unwrap().contains(&"stuck".to_owned())).await;
        let retry = Operation::Retry { step: Some("hanging/second".to_owned()) };
        let refused = engine.operate(Some(run.id()), retry, by()).await.unwrap_err().to_string();
        assert!(refused.contains("it is being undone at this moment"), "{refused}");
        let give_up = |step: &str| Operation::GiveUp { step: step.to_owned() };
        engine.operate(Some(run.id()), give_up("hanging/second"), by()).await.unwrap();
        run.wait().await;
        assert_eq!(run.state(), RunState::Failed);
        let snapshot = run.snapshot();
        assert_eq!(snapshot.step("hanging/second").unwrap().state, StepState::Failed);
        assert_eq!(snapshot.step("hanging/first").unwrap().state, StepState::Undone);
        let ended = engine.operate(Some(run.id()), give_up("hanging/second"), by()).await.unwrap_err();
        assert!(ended.to_string().contains("ended"), "{ended}");
    });
}
