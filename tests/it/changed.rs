//! Runs in flight whose workflow has changed: each module is the program of
//! another day.

use std::sync::Arc;

use support::tasks::{Oops, oops};
use workflow_runtime::run::RunState;
use workflow_runtime::store::{Memory, RunFilter, Store};
use workflow_runtime::testing::block_on;
use workflow_runtime::{By, Engine, Error, NoResources, Operation, RunsOn, Workflow, task, workflow};

/// The tasks say in their results that they ran, and under which code.
#[task]
async fn fetch(day: u32) -> Vec<String> {
    vec![format!("fetched {day}")]
}

#[task]
async fn parse(mut lines: Vec<String>) -> Vec<String> {
    lines.push("parsed".to_owned());
    lines
}

#[task]
async fn check(lines: &[String]) -> usize {
    lines.len()
}

#[task]
async fn publish(mut lines: Vec<String>, verdict: String) -> Vec<String> {
    lines.push(format!("published: {verdict}"));
    lines
}

mod monday {
    use super::*;
    workflow! {
        pub fn nightly(day: u32) -> Result<Vec<String>> {
            let raw = fetch(day);
            let lines = parse(raw);
            let verdict = signal::<String>("verdict");
            let out = publish(lines, verdict);
            Ok(out)
        }
    }
}

mod a_step_is_new {
    use super::*;
    workflow! {
        pub fn nightly(day: u32) -> Result<Vec<String>> {
            let raw = fetch(day);
            let lines = parse(raw);
            let count = check(&lines);
            let verdict = signal::<String>("verdict");
            let out = publish(lines, format!("{verdict}, {count} lines"));
            Ok(out)
        }
    }
}

mod only_the_policy {
    use super::*;
    workflow! {
        /// Documented.
        pub fn nightly(day: u32) -> Result<Vec<String>> {
            #[retry(attempts = 9)]
            let raw = fetch(day);
            let lines = parse(raw);
            let verdict = signal::<String>("verdict").within("3d")?;
            #[timeout("1m")]
            let out = publish(lines, verdict);
            Ok(out)
        }
    }
}

mod a_finished_step_changed {
    use super::*;
    workflow! {
        pub fn nightly(day: u32) -> Result<Vec<String>> {
            let raw = fetch(day + 1);
            let lines = parse(raw);
            let verdict = signal::<String>("verdict");
            let out = publish(lines, verdict);
            Ok(out)
        }
    }
}

mod a_finished_step_is_called_otherwise {
    use super::*;
    workflow! {
        pub fn nightly(day: u32) -> Result<Vec<String>> {
            let raw = fetch(day);
            let rows = parse(raw);
            let verdict = signal::<String>("verdict");
            let out = publish(rows, verdict);
            Ok(out)
        }
    }
}

mod another_version {
    use super::*;

    /// The same function, and another meaning.
    #[task(version = 2)]
    async fn parse(mut lines: Vec<String>) -> Vec<String> {
        lines.push("parsed better".to_owned());
        lines
    }

    workflow! {
        pub fn nightly(day: u32) -> Result<Vec<String>> {
            let raw = fetch(day);
            let lines = parse(raw);
            let verdict = signal::<String>("verdict");
            let out = publish(lines, verdict);
            Ok(out)
        }
    }
}

mod another_type {
    use super::*;

    #[task]
    async fn fetch(day: u32) -> u64 {
        u64::from(day)
    }

    #[task]
    async fn parse(raw: u64) -> Vec<String> {
        vec![raw.to_string()]
    }

    workflow! {
        pub fn nightly(day: u32) -> Result<Vec<String>> {
            let raw = fetch(day);
            let lines = parse(raw);
            let verdict = signal::<String>("verdict");
            let out = publish(lines, verdict);
            Ok(out)
        }
    }
}

mod another_parameter {
    use super::*;
    workflow! {
        pub fn nightly(day: String) -> Result<Vec<String>> {
            let raw = fetch(day.len() as u32);
            let lines = parse(raw);
            let verdict = signal::<String>("verdict");
            let out = publish(lines, verdict);
            Ok(out)
        }
    }
}

fn by() -> By {
    By { actor: "ann".to_owned(), reason: None }
}

async fn engine<W: Workflow + RunsOn<NoResources>>(store: &Memory) -> Engine {
    Engine::with_store(Arc::new(store.clone())).register::<W>().start().await.unwrap()
}

/// A run of Monday's program, which waits for its verdict.
fn in_flight() -> (Memory, String) {
    let store = Memory::new();
    let id = block_on(async {
        let engine = engine::<monday::nightly>(&store).await;
        let run = engine.start(monday::nightly(7)).key("a").await.unwrap();
        while run.state() != RunState::Waiting {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        run.id().to_owned()
    });
    (store, id)
}

/// Goes on with it under another program, to its end.
async fn finish(engine: &Engine, id: &str) -> Vec<String> {
    let verdict = Operation::Signal { name: "verdict".to_owned(), value: "good".into() };
    engine.operate(Some(id), verdict, by()).await.unwrap();
    let run = engine.run(id).await.unwrap();
    run.wait().await;
    serde_json::from_slice(&run.result().unwrap().unwrap()).unwrap()
}

fn state(store: &Memory, id: &str) -> RunState {
    store.find(id).unwrap().pop().unwrap().state
}

/// The program of that day does not go on with the run, and says why.
fn blocked<W: Workflow + RunsOn<NoResources>>(words: &[&str]) -> (Memory, String) {
    let (store, id) = in_flight();
    block_on(async {
        let engine = engine::<W>(&store).await;
        let Err(Error::Blocked { reason, .. }) = engine.run(&id).await else { panic!("it goes on") };
        for wanted in words.iter().chain(&["adopt", "rerun", "cancel"]) {
            assert!(reason.contains(wanted), "`{wanted}` is not in: {reason}");
        }
    });
    (store, id)
}

#[test]
fn a_run_goes_on_under_a_graph_with_more_steps() {
    let (store, id) = in_flight();
    block_on(async {
        let engine = engine::<a_step_is_new::nightly>(&store).await;
        assert_eq!(finish(&engine, &id).await, ["fetched 7", "parsed", "published: good, 2 lines"]);
    });
    let run = store.find(&id).unwrap().pop().unwrap();
    let events: Vec<_> = store.journal(run.run).unwrap().into_iter().map(|entry| entry.event).collect();
    assert_eq!(events.iter().filter(|event| event.contains(r#""why":"changed""#)).count(), 1);
    assert!(events.iter().filter(|event| event.contains("recalled")).count() > 1, "{events:#?}");
}

#[test]
fn and_crashes_on_the_way_there() {
    let (store, id) = in_flight();
    for _ in 0..2 {
        block_on(async { engine::<a_step_is_new::nightly>(&store).await.run(&id).await.unwrap() });
    }
    block_on(async {
        let engine = engine::<a_step_is_new::nightly>(&store).await;
        assert_eq!(finish(&engine, &id).await, ["fetched 7", "parsed", "published: good, 2 lines"]);
    });
}

#[test]
fn policies_and_limits_are_no_change() {
    let (store, id) = in_flight();
    block_on(async {
        let engine = engine::<only_the_policy::nightly>(&store).await;
        assert_eq!(finish(&engine, &id).await, ["fetched 7", "parsed", "published: good"]);
    });
}

#[test]
fn a_finished_step_that_changed_blocks_the_run() {
    let (store, id) = blocked::<a_finished_step_changed::nightly>(&["nightly/raw"]);
    assert_eq!(state(&store, &id), RunState::Blocked);
    // Monday's program goes on with it.
    block_on(async {
        let engine = engine::<monday::nightly>(&store).await;
        assert_eq!(finish(&engine, &id).await, ["fetched 7", "parsed", "published: good"]);
    });
}

#[test]
fn a_finished_step_with_another_name_blocks_the_run() {
    blocked::<a_finished_step_is_called_otherwise::nightly>(&["nightly/lines"]);
}

#[test]
fn another_version_of_a_finished_task_blocks_the_run() {
    blocked::<another_version::nightly>(&["nightly/lines", "version"]);
}

#[test]
fn another_parameter_blocks_the_run() {
    let (store, id) = in_flight();
    block_on(async {
        let engine = engine::<another_parameter::nightly>(&store).await;
        let Err(Error::Blocked { reason, .. }) = engine.run(&id).await else { panic!("it goes on") };
        assert!(reason.contains("day"), "{reason}");
    });
}

#[test]
fn a_value_that_cannot_be_read_any_more_blocks_the_run() {
    let (store, id) = in_flight();
    block_on(async {
        let engine = engine::<another_type::nightly>(&store).await;
        let Err(Error::Blocked { reason, .. }) = engine.run(&id).await else { panic!("it goes on") };
        assert!(reason.contains("nightly/raw"), "{reason}");
    });
}

#[test]
fn an_operator_adopts_a_blocked_run() {
    let (store, id) = blocked::<another_version::nightly>(&["nightly/lines"]);
    block_on(async {
        let engine = engine::<another_version::nightly>(&store).await;
        engine.operate(Some(&id), Operation::Adopt, by()).await.unwrap();
        // What was done stays as it was done.
        assert_eq!(finish(&engine, &id).await, ["fetched 7", "parsed", "published: good"]);
    });
}

#[test]
fn an_operator_reruns_or_cancels_a_blocked_run() {
    let (store, id) = blocked::<another_version::nightly>(&["nightly/lines"]);
    block_on(async {
        let engine = engine::<another_version::nightly>(&store).await;
        let again = engine.operate(Some(&id), Operation::Rerun, by()).await.unwrap();
        assert_eq!(finish(&engine, &again).await, ["fetched 7", "parsed better", "published: good"]);
        engine.operate(Some(&id), Operation::Cancel, by()).await.unwrap();
        let run = engine.run(&id).await.unwrap();
        assert_eq!(run.state(), RunState::Cancelled);
    });
    assert!(store.unfinished(None, 9).unwrap().is_empty());
}

mod broken {
    use super::*;
    #[task]
    async fn parse(lines: Vec<String>) -> Result<Vec<String>, Oops> {
        Err(oops(format!("cannot parse {lines:?}")))
    }
    workflow! {
        pub fn short(day: u32) -> Result<Vec<String>> {
            let raw = fetch(day);
            let lines = parse(raw)?;
            Ok(lines)
        }
    }
}

mod mended {
    use super::*;
    workflow! {
        pub fn short(day: u32) -> Result<Vec<String>> {
            let raw = fetch(day);
            let lines = parse(raw);
            Ok(lines)
        }
    }
}

#[test]
fn a_failed_run_is_retried_with_mended_code() {
    let store = Memory::new();
    let id = block_on(async {
        let engine = engine::<broken::short>(&store).await;
        let run = engine.start(broken::short(7)).await.unwrap();
        run.wait().await;
        run.id().to_owned()
    });
    block_on(async {
        let engine = engine::<mended::short>(&store).await;
        engine.operate(Some(&id), Operation::Retry { step: None }, by()).await.unwrap();
        let run = engine.run(&id).await.unwrap();
        run.wait().await;
        assert_eq!(run.result().unwrap().unwrap(), br#"["fetched 7","parsed"]"#);
    });
    let ended = RunFilter { states: vec![RunState::Succeeded], ..RunFilter::default() };
    assert_eq!(store.list(&ended).unwrap().len(), 1);
}
