//! What an engine does with runs: keys, observers, cancelling, shutdown,
//! resources, mocks, and work on all threads.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use support::tasks::*;
use support::{STEP_SUCCEEDED, drive, drive_on, run, run_on, seconds, settle};
use workflow_runtime::run::{RunState, StepState, Wait};
use workflow_runtime::testing::block_on;
use workflow_runtime::{
    Cause, Context, Engine, Error, Resources, Run, RunEventKind, StepError, task, workflow,
};

workflow! {
    fn echo(value: u64) -> Result<u64> {
        let value = slow(value, 5);
        Ok(value)
    }
}

workflow! {
    fn other(value: u64) -> Result<u64> {
        let value = give(value);
        Ok(value)
    }
}

#[test]
fn a_key_names_one_run_for_ever() {
    block_on(async {
        let engine = Engine::in_memory().start().await.unwrap();
        let first = engine.start(echo(1)).key("daily").await.unwrap();
        let again = engine.start(echo(1)).key("daily").await.unwrap();
        assert_eq!(first.id(), again.id());
        assert_eq!((first.key(), first.workflow()), (Some("daily"), "echo"));
        let begun = tokio::time::Instant::now();
        assert_eq!((first.await.unwrap(), again.await.unwrap()), (1, 1));
        assert_eq!(begun.elapsed(), seconds(5), "it ran once");
        let ended = engine.start(echo(1)).key("daily").await.unwrap();
        assert_eq!(ended.state(), RunState::Succeeded);
        assert_eq!(ended.await.unwrap(), 1);

        let values = engine.start(echo(2)).key("daily").await.map(drop);
        assert!(matches!(values, Err(Error::KeyInUse { .. })), "{values:?}");
        let workflows = engine.start(other(1)).key("daily").await.map(drop);
        assert!(matches!(workflows, Err(Error::KeyInUse { .. })), "{workflows:?}");

        let (one, two) = (engine.start(echo(1)).await.unwrap(), engine.start(echo(1)).await.unwrap());
        assert_ne!(one.id(), two.id(), "without a key every start is a run");
    });
}

#[test]
fn starting_and_awaiting_can_be_spawned() {
    block_on(async {
        let engine = Engine::in_memory().register::<echo>().start().await.unwrap();
        assert_eq!(engine.workflows().iter().map(|graph| graph.name).collect::<Vec<_>>(), ["echo"]);
        let starting = {
            let engine = engine.clone();
            tokio::spawn(async move { engine.start(echo(7)).key("k").await })
        };
        let started = tokio::spawn(engine.start(echo(7)).key("k").into_future()).await.unwrap().unwrap();
        let run = starting.await.unwrap().unwrap();
        assert_eq!(run.id(), started.id());
        assert_eq!(tokio::spawn(started.into_future()).await.unwrap().unwrap(), 7);
        assert_eq!(run.await.unwrap(), 7);
    });
}

#[test]
fn a_run_goes_on_without_its_handles() {
    #[derive(Resources)]
    struct Counter {
        count: Arc<AtomicU32>,
    }

    block_on(async {
        let count = Arc::new(AtomicU32::new(0));
        let engine = Engine::in_memory().resources(Counter { count: count.clone() }).start().await.unwrap();
        drop(engine.start(counts()).await.unwrap());
        drop(engine);
        tokio::time::sleep(seconds(100)).await;
        assert_eq!(count.load(Ordering::SeqCst), 1);
    });
}

#[task]
async fn count_up(#[resource] count: &Arc<AtomicU32>) -> u32 {
    count.fetch_add(1, Ordering::SeqCst) + 1
}

workflow! {
    fn counts() -> Result<u32> {
        sleep("60s");
        #[after(sleep)]
        let counted = count_up();
        Ok(counted)
    }
}

/// A result that cannot be cloned.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Unique(u64);

#[task]
async fn unique() -> Unique {
    Unique(3)
}

workflow! {
    fn gives_unique() -> Result<Unique> {
        let value = unique();
        Ok(value)
    }
}

#[test]
fn a_result_that_is_not_clone_can_be_awaited_by_many() {
    block_on(async {
        let engine = Engine::in_memory().start().await.unwrap();
        let run = engine.start(gives_unique()).await.unwrap();
        let (one, two) = (run.clone(), run);
        assert_eq!((one.await.unwrap(), two.await.unwrap()), (Unique(3), Unique(3)));
    });
}

/// Tells how far it is, and waits for the word to go on.
#[task]
async fn progresses(#[context] cx: &Context) -> u64 {
    cx.progress(1, 4);
    tokio::time::sleep(seconds(10)).await;
    cx.progress(4, 4);
    4
}

workflow! {
    fn watched() -> Result<u64> {
        let draft = progresses();
        let verdict = signal::<u64>("verdict").within("1h")?;
        let both = add(&draft, &verdict);
        Ok(both)
    }
}

#[test]
fn a_snapshot_shows_every_step_as_it_is() {
    let ran = drive(watched(), async |run: Run<u64>| {
        let snapshot = run.snapshot();
        assert_eq!((snapshot.workflow.as_str(), snapshot.state), ("watched", RunState::Running));
        assert_eq!(snapshot.id, run.id());
        let draft = snapshot.step("watched/draft").unwrap();
        assert_eq!((draft.state, draft.attempt, draft.task.as_str()), (StepState::Running, 1, "progresses"));
        assert_eq!(draft.progress.map(|progress| (progress.done, progress.total)), Some((1, 4)));
        let until = Some(snapshot.started_at.after(seconds(3600)));
        assert_eq!(
            snapshot.step("watched/verdict").unwrap().state,
            StepState::Waiting(Wait::Signal { until })
        );
        let both = snapshot.step("watched/both").unwrap();
        assert_eq!(
            (both.state, both.attempt, both.started_at),
            (StepState::Waiting(Wait::Dependencies), 0, None)
        );

        tokio::time::sleep(seconds(11)).await;
        assert_eq!(run.state(), RunState::Waiting);
        run.signal(watched::verdict, 38).await.unwrap();
    });
    assert_eq!(*ran.value(), 42);
    let progress = ran.trace.events().iter().filter_map(|event| match &event.kind {
        RunEventKind::Progress { path, done, total } => Some((path.as_str(), *done, *total)),
        _ => None,
    });
    assert_eq!(progress.collect::<Vec<_>>(), [("watched/draft", 1, 4), ("watched/draft", 4, 4)]);
}

#[test]
fn observers_see_the_same_whenever_they_come() {
    // `drive` compares a first, a late and the trace's order; here two watch
    // from the middle on as well.
    let ran = drive(watched(), async |run: Run<u64>| {
        tokio::time::sleep(seconds(5)).await;
        let watch = |run: Run<u64>| async move {
            let (mut events, mut seen) = (run.events(), Vec::new());
            while let Some(event) = events.next().await {
                seen.push(event);
            }
            seen
        };
        let watchers = [tokio::spawn(watch(run.clone())), tokio::spawn(watch(run.clone()))];
        run.signal(watched::verdict, 1).await.unwrap();
        run.wait().await;
        for watcher in watchers {
            assert_eq!(watcher.await.unwrap(), run.trace().events());
        }
    });
    ran.value();
    assert_eq!(ran.trace.events().last().unwrap().kind, RunEventKind::Run(RunState::Succeeded));
}

#[task]
async fn polite(seconds: u64, #[context] cx: &Context) -> bool {
    assert!(!cx.is_cancelled());
    cx.cancelled().await;
    tokio::time::sleep(support::seconds(seconds)).await;
    cx.is_cancelled()
}

workflow! {
    fn cancellable(tidy_up: u64) -> Result<u64> {
        let done = slow(1, 1);
        let quick = polite(tidy_up);
        let stuck = hang();
        let later = add(&done, &stuck);
        let chosen = if quick { give(later) } else { give(0) };
        Ok(chosen)
    }
}

#[test]
fn a_cancelled_run_gives_its_attempts_the_grace() {
    let ran = drive_on(Engine::in_memory().grace(seconds(20)), cancellable(3), async |run: Run<u64>| {
        tokio::time::sleep(seconds(5)).await;
        run.cancel().await.unwrap();
        assert_eq!(run.state(), RunState::Cancelling);
        // Twice is harmless.
        run.cancel().await.unwrap();
    });
    ran.assert_cancelled();
    assert_eq!(ran.took(), seconds(25));
    ran.assert_states([
        ("cancellable/done", STEP_SUCCEEDED),
        ("cancellable/stuck", StepState::Cancelled),
        ("cancellable/later", StepState::Cancelled),
        ("cancellable/chosen", StepState::Cancelled),
    ]);
    assert_eq!(ran.ended("cancellable/quick"), seconds(8), "it stopped by itself");
    assert_eq!(ran.ended("cancellable/stuck"), seconds(25), "it was dropped");
}

#[test]
fn a_run_that_has_ended_cannot_be_cancelled() {
    block_on(async {
        let engine = Engine::in_memory().start().await.unwrap();
        let run = engine.start(other(1)).await.unwrap();
        run.wait().await;
        let cancelled = run.cancel().await;
        assert!(matches!(cancelled, Err(Error::Ended { .. })), "{cancelled:?}");
        assert_eq!(run.await.unwrap(), 1);
    });
}

#[test]
fn a_shutdown_waits_for_what_can_end_and_interrupts_the_rest() {
    block_on(async {
        let engine = Engine::in_memory().grace(seconds(20)).start().await.unwrap();
        let soon = engine.start(echo(5)).await.unwrap();
        let stuck = engine.start(cancellable(1)).await.unwrap();
        settle().await;
        let begun = tokio::time::Instant::now();
        engine.shutdown().await;
        assert_eq!(begun.elapsed(), seconds(20));
        assert_eq!(soon.await.unwrap(), 5);
        assert!(matches!(stuck.await, Err(Error::ShutDown)));
        assert!(matches!(engine.start(echo(1)).await.map(drop), Err(Error::ShutDown)));
    });
}

#[test]
fn a_shutdown_of_idle_runs_takes_no_time() {
    block_on(async {
        let engine = Engine::in_memory().start().await.unwrap();
        let waiting = engine.start(watched()).await.unwrap();
        tokio::time::sleep(seconds(15)).await;
        let begun = tokio::time::Instant::now();
        engine.shutdown().await;
        assert!(begun.elapsed() < seconds(1), "{:?}", begun.elapsed());
        assert!(matches!(waiting.await, Err(Error::ShutDown)));
    });
}

struct Greeting(String);

#[derive(Resources)]
struct App {
    greeting: Greeting,
    factor: Arc<AtomicU32>,
}

#[task]
async fn greet(name: &str, #[resource] greeting: &Greeting, #[resource] factor: &Arc<AtomicU32>) -> String {
    format!("{} {name} x{}", greeting.0, factor.load(Ordering::SeqCst))
}

workflow! {
    fn greets(name: String) -> Result<String> {
        let first = greet(&name);
        let names = vec_of(&first);
        let all = for name in names { greet(&name) };
        let joined = join(&all);
        Ok(joined)
    }
}

#[task]
async fn vec_of(word: &str) -> Vec<String> {
    vec![word.to_owned()]
}

#[test]
fn tasks_borrow_the_engine_s_resources() {
    let app = App { greeting: Greeting("hello".into()), factor: Arc::new(AtomicU32::new(3)) };
    let ran = run_on(Engine::in_memory().resources(app), greets("Ada".into()));
    assert_eq!(ran.value(), "hello hello Ada x3 x3");
}

workflow! {
    fn mocked(good: bool) -> Result<String> {
        let tried = try_it(good)?;
        let total = add(&tried, &10);
        let words = say(&format!("total {total}"));
        Ok(words)
    }
}

#[test]
fn a_mock_runs_in_place_of_its_task() {
    let engine = Engine::in_memory()
        .mock::<try_it>(|good| if good { Ok(100) } else { Err(oops("mocked failure")) })
        .mock::<say>(|words: &str| words.to_uppercase());
    let ran = run_on(engine, mocked(true));
    assert_eq!(ran.value(), "TOTAL 110");
    let engine = Engine::in_memory().mock::<try_it>(|_| Err(oops("mocked failure")));
    let ran = run_on(engine, mocked(true));
    ran.assert_failed("mocked/tried", Cause::Error);
    assert_eq!(ran.failure().failure().to_string(), "mocked failure");
}

workflow! {
    fn retried_mock() -> Result<u64> {
        #[retry(attempts = 3, backoff = fixed("10s"))]
        let tried = try_it(true)?;
        Ok(tried)
    }
}

#[test]
fn a_mock_has_the_contract_of_its_task() {
    let calls = Arc::new(AtomicU32::new(0));
    let engine = Engine::in_memory().mock::<try_it>({
        let calls = calls.clone();
        move |_| match calls.fetch_add(1, Ordering::SeqCst) {
            0 => Err(oops("first")),
            1 => panic!("second"),
            _ => Ok(8),
        }
    });
    let ran = run_on(engine, retried_mock());
    assert_eq!((*ran.value(), ran.took()), (8, seconds(20)));
}

workflow! {
    fn with_child() -> Result<u64> {
        let value = echo(4)?;
        Ok(value)
    }
}

#[test]
fn of_a_child_workflow_the_tasks_are_mocked() {
    let engine = Engine::in_memory().mock::<slow>(|(value, _)| value * 100);
    assert_eq!(*run_on(engine, with_child()).value(), 400);
    let engine = Engine::in_memory().mock::<echo>(|value: u64| Ok::<u64, StepError>(value));
    let ran = run_on(engine, with_child());
    assert_eq!(
        ran.failure().failure().to_string(),
        "a workflow that is used as a step cannot be mocked; mock its tasks"
    );
}

workflow! {
    fn bursting(words: String) -> Result<u64> {
        let burst = burst(words);
        Ok(burst)
    }
}

#[test]
fn a_panic_is_contained() {
    block_on(async {
        let engine = Engine::in_memory().start().await.unwrap();
        let failing = engine.start(bursting("boom".into())).await.unwrap();
        let beside = engine.start(echo(1)).await.unwrap();
        let Err(Error::Failed { error, .. }) = failing.await else { panic!("it cannot succeed") };
        assert_eq!(
            (error.failure().cause, error.to_string().as_str()),
            (Cause::Panic, "step `bursting/burst` failed: panicked: boom")
        );
        assert_eq!(beside.await.unwrap(), 1);
        assert_eq!(engine.start(other(2)).await.unwrap().await.unwrap(), 2);
    });
}

/// Blocks its thread until as many others do.
#[task(blocking)]
fn meets(#[resource] all: &Barrier, number: u64) -> u64 {
    all.wait();
    number
}

/// The same on a thread that should run other tasks.
#[task]
async fn meets_on_the_cpu(#[resource] all: &Barrier, number: u64) -> u64 {
    all.wait();
    number
}

#[derive(Resources)]
struct Meeting {
    all: Barrier,
}

workflow! {
    fn blocking_meeting(items: Vec<u64>) -> Result<u64> {
        let met = for item in items { meets(item) };
        let total = sum(&met);
        Ok(total)
    }
}

workflow! {
    fn cpu_meeting(items: Vec<u64>) -> Result<u64> {
        let met = for item in items { meets_on_the_cpu(item) };
        let total = sum(&met);
        Ok(total)
    }
}

/// Each of the steps waits for all others: one after the other, they would
/// never end.
fn meet<W>(threads: usize, steps: usize, invocation: workflow_runtime::Invocation<W>) -> W::Ok
where
    W: workflow_runtime::Workflow + workflow_runtime::RunsOn<Meeting>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    let (sent, received) = std::sync::mpsc::channel();
    let runtime = runtime.unwrap();
    drop(runtime.spawn(async move {
        let all = Barrier::new(steps);
        let engine = Engine::in_memory().resources(Meeting { all }).start().await.unwrap();
        let _ = sent.send(engine.start(invocation).await.unwrap().await);
    }));
    // A time limit instead of a test that hangs.
    let result = received.recv_timeout(Duration::from_secs(60));
    runtime.shutdown_background();
    result.expect("the steps meet").unwrap()
}

#[test]
fn blocking_tasks_take_no_worker() {
    // More of them than the runtime has threads.
    assert_eq!(meet(1, 6, blocking_meeting(vec![1, 2, 3, 4, 5, 6])), 21);
}

#[test]
fn busy_tasks_use_all_threads() {
    for threads in [2, 4] {
        let items: Vec<u64> = (0..threads).collect();
        let total = items.iter().sum::<u64>();
        let threads = usize::try_from(threads).unwrap();
        assert_eq!(meet(threads, threads, cpu_meeting(items)), total);
    }
}

#[task(blocking)]
fn blocking_burst(words: &str) -> Result<u64, Oops> {
    if words == "error" { Err(oops("an error")) } else { panic!("{words}") }
}

workflow! {
    fn blocking_failures(words: String) -> Result<u64> {
        #[retry(attempts = 2, backoff = fixed("10s"))]
        let burst = blocking_burst(&words)?;
        Ok(burst)
    }
}

#[test]
fn a_blocking_task_fails_like_any_other() {
    for (words, cause, told) in
        [("error", Cause::Error, "an error"), ("panic", Cause::Panic, "panicked: panic")]
    {
        let ran = run(blocking_failures(words.to_owned()));
        ran.assert_failed("blocking_failures/burst", cause);
        assert_eq!(ran.failure().failure().to_string(), told);
        assert_eq!(ran.failure().attempts(), 2);
    }
}

mod namesake {
    use support::tasks::*;
    use workflow_runtime::workflow;

    workflow! {
        pub fn echo(value: u64) -> Result<u64> {
            let value = give(value);
            Ok(value)
        }
    }
}

#[test]
fn two_workflows_of_one_name_are_refused() {
    block_on(async {
        let engine = Engine::in_memory().register::<echo>().register::<echo>().register::<other>();
        engine.start().await.unwrap();
        let engine = Engine::in_memory().register::<echo>().register::<namesake::echo>();
        let Err(Error::TwoWorkflows { workflow, first, second }) = engine.start().await else {
            panic!("both are registered")
        };
        assert_eq!(workflow, "echo");
        assert!(first.contains("engine.rs:") && second.contains("engine.rs:") && first != second);
    });
}
