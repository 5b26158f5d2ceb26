//! The story of a run, read from its journal over a graph that was made from
//! its blueprint: what the engine itself says of the run.

use std::sync::Arc;
use std::time::Duration;

use workflow_runtime::blueprint::{Blueprint, Progress};
use workflow_runtime::definition::Graph;
use workflow_runtime::history::{AttemptKind, History, Outcome};
use workflow_runtime::run::{RunState, StepState};
use workflow_runtime::store::{Memory, Store};
use workflow_runtime::testing::{Script, block_on};
use workflow_runtime::{Engine, Run, RunSnapshot, StepError, task, workflow};

use support::tasks::Oops;

#[task]
async fn upto(n: u64) -> Vec<u64> {
    (0..n).collect()
}

/// Fails unless it is asked for zero.
#[task(retry(attempts = 3, backoff = fixed("1s")))]
async fn fragile(n: u64) -> Result<u64, Oops> {
    if n == 0 { Ok(0) } else { Err(Oops(format!("{n} is too many"))) }
}

#[task]
async fn count(results: Vec<Result<u64, StepError>>) -> u64 {
    results.into_iter().filter(Result::is_ok).count() as u64
}

#[task]
async fn add(a: u64, b: u64) -> u64 {
    a + b
}

#[task]
async fn give_back(taken: &u64) {
    let _ = taken;
}

#[task(undo = give_back)]
async fn take(n: u64) -> u64 {
    n
}

workflow! {
    fn inner(n: u64) -> Result<u64> {
        let one = add(n, 1);
        let two = if one > 100 { add(one, 1) } else { add(one, 2) };
        Ok(two)
    }
}

workflow! {
    fn whole(n: u64) -> Result<u64> {
        let list = upto(n);
        let tried = for one in list {
            let result = fragile(one);
            result
        };
        let good = count(tried);
        let mut total = inner(good)?;
        #[limit(9)]
        while total < 10 {
            total = add(total, 3);
        }
        let end = select! {
            early = signal::<u64>("early") => add(early, total),
            _ = sleep("1h") => 0,
        };
        Ok(end)
    }
}

workflow! {
    fn fails(n: u64) -> Result<u64> {
        let taken = take(n);
        let broken = fragile(taken)?;
        #[always]
        add(n, 1);
        Ok(broken)
    }
}

fn remade(graph: &'static Graph) -> &'static Graph {
    Blueprint::parse(&Blueprint::of(graph).to_json()).unwrap().graph()
}

fn history(store: &dyn Store, id: &str, graph: &'static Graph) -> History {
    let run = store.find(id).unwrap().pop().unwrap();
    let entries = store.journal(run.run).unwrap();
    History::read(remade(graph), &entries, &|_| None).unwrap()
}

/// The story's steps are those of the snapshot, in the same order and states.
fn assert_same(history: &History, snapshot: &RunSnapshot) {
    let told: Vec<_> =
        history.steps.iter().map(|step| (&*step.path, &*step.task, step.kind, step.state)).collect();
    let seen: Vec<_> =
        snapshot.steps.iter().map(|step| (&*step.path, &*step.task, step.kind, step.state)).collect();
    assert_eq!(told, seen);
    assert_eq!(history.state, snapshot.state);
    assert_eq!(history.ended_at, snapshot.ended_at);
    let ends: Vec<_> = history.steps.iter().map(|step| step.ended_at).collect();
    let seen: Vec<_> = snapshot.steps.iter().map(|step| step.ended_at).collect();
    assert_eq!(ends, seen);
}

async fn until_it_waits<T>(run: &Run<T>) {
    while run.state() != RunState::Waiting {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn the_story_of_a_run_is_what_its_engine_says_of_it() {
    let store = Memory::default();
    block_on(async {
        let store: Arc<dyn Store> = Arc::new(store);
        let engine = Engine::with_store(store.clone()).register::<whole>().start().await.unwrap();
        let run = engine.start(whole(3)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(run.state(), RunState::Waiting);
        let waiting = history(&*store, run.id(), whole::GRAPH);
        assert_same(&waiting, &run.snapshot());
        assert!(waiting.step("whole/end/sleep").is_some_and(|step| !step.state.is_ended()));

        Script::new().signal(whole::early, 5).play(&run);
        assert_eq!(run.clone().await.unwrap(), 15);
        let story = history(&*store, run.id(), whole::GRAPH);
        assert_same(&story, &run.snapshot());
        let tried = story.step("whole/tried[2]/result").unwrap();
        assert_eq!(tried.static_path, "whole/tried/result");
        let outcomes: Vec<_> =
            tried.attempts.iter().map(|attempt| (attempt.number, attempt.outcome)).collect();
        assert_eq!(outcomes, [(1, Outcome::Error), (2, Outcome::Error), (3, Outcome::Error)]);
        let between = tried.attempts[1].started_at.since(tried.attempts[0].ended_at.unwrap());
        assert_eq!(between, Duration::from_secs(1));
        assert_eq!(story.progress("whole/tried/result"), Progress::FINISHED);
        // The entry that holds a value can be found.
        let entries = store.journal(store.find(run.id()).unwrap()[0].run).unwrap();
        let value = |path: &str| {
            let entry = &entries[usize::try_from(story.step(path).unwrap().output.unwrap()).unwrap()];
            String::from_utf8(entry.value.as_ref().unwrap().bytes.clone()).unwrap()
        };
        assert_eq!(
            [value("whole/list"), value("whole/end/early"), value("whole/end[0]/add")],
            ["[0,1,2]", "5", "15"]
        );
    });
}

#[test]
fn what_failed_and_what_was_undone_is_told() {
    block_on(async {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let engine = Engine::with_store(store.clone()).register::<fails>().start().await.unwrap();
        let run = engine.start(fails(7)).await.unwrap();
        run.wait().await;
        let story = history(&*store, run.id(), fails::GRAPH);
        assert_same(&story, &run.snapshot());
        let error = story.error.as_ref().unwrap();
        assert_eq!((error.step(), error.attempts()), ("fails/broken", 3));
        assert_eq!(error.failure().to_string(), "7 is too many");
        let taken = story.step("fails/taken").unwrap();
        assert_eq!(taken.state, StepState::Undone);
        let kinds: Vec<_> = taken.attempts.iter().map(|attempt| (attempt.kind, attempt.outcome)).collect();
        assert_eq!(kinds, [(AttemptKind::Task, Outcome::Ok), (AttemptKind::Undo, Outcome::Ok)]);
    });
}

#[task]
async fn for_ever(n: u64) -> u64 {
    std::future::pending::<()>().await;
    n
}

workflow! {
    fn hangs(n: u64) -> Result<u64> {
        let one = add(n, 1);
        let stuck = for_ever(one);
        Ok(stuck)
    }
}

#[test]
fn a_run_that_outlived_processes_tells_of_each() {
    let store = Memory::default();
    let id = block_on(async {
        let engine = Engine::with_store(Arc::new(store.clone())).register::<hangs>().start().await.unwrap();
        let run = engine.start(hangs(7)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        run.id().to_owned()
    });
    block_on(async {
        let builder = Engine::with_store(Arc::new(store.clone())).register::<hangs>().grace(Duration::ZERO);
        let engine = builder.start().await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        engine.shutdown().await;
    });
    let story = history(&store, &id, hangs::GRAPH);
    let outcomes: Vec<_> =
        story.step("hangs/stuck").unwrap().attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [Outcome::Lost, Outcome::Interrupted]);
}

#[test]
fn what_waits_says_for_what_and_since_when() {
    workflow! {
        fn naps(n: u64) -> Result<u64> {
            let one = add(n, 1);
            #[after(one)]
            sleep("1h");
            let go = signal::<u64>("go").within("3d")?;
            Ok(one + go)
        }
    }
    block_on(async {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let engine = Engine::with_store(store.clone()).register::<naps>().start().await.unwrap();
        let run = engine.start(naps(7)).await.unwrap();
        until_it_waits(&run).await;
        let story = history(&*store, run.id(), naps::GRAPH);
        assert_same(&story, &run.snapshot());
        let nap = story.step("naps/sleep").unwrap();
        assert_eq!(Some(nap.since), story.step("naps/one").unwrap().ended_at);
        assert_eq!(nap.state.to_string(), "sleeping");
        assert_eq!(story.progress("naps/sleep"), Progress::NOT_BEGUN);
    });
}
