//! What runs cost that wait for days. A measurement, for a release build:
//! `cargo test --release -p tests --test it idle -- --ignored --nocapture`,
//! with `WORKFLOW_IDLE_RUNS=1000000` for a million of them.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use workflow_runtime::run::RunState;
use workflow_runtime::store::{RunFilter, Sqlite, Store};
use workflow_runtime::{By, Engine, Operation, task, workflow};

#[task]
async fn ask(question: String) -> String {
    format!("{question}?")
}

#[task]
async fn note(asked: &str, answer: bool) -> String {
    format!("{asked} {answer}")
}

workflow! {
    fn answered(question: String) -> Result<String> {
        let asked = ask(question);
        let answer = signal::<bool>("answer").within("30d")?;
        let noted = note(&asked, answer);
        Ok(noted)
    }
}

workflow! {
    fn reminded(question: String) -> Result<String> {
        let asked = ask(question);
        sleep("20s");
        #[after(sleep)]
        let noted = note(&asked, true);
        Ok(noted)
    }
}

fn runs() -> u64 {
    std::env::var("WORKFLOW_IDLE_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(10_000)
}

fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
#[ignore = "a measurement"]
fn waiting_runs() {
    let folder = std::env::temp_dir().join(format!("workflow-idle-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (file, runs) = (folder.join("runs.db"), runs());
    let before = resident();
    let begun = Instant::now();
    runtime().block_on(async {
        let engine = Engine::open(&file).grace(Duration::from_secs(1)).start().await.unwrap();
        let starts = (0..64).map(|lane| {
            let engine = engine.clone();
            tokio::spawn(async move {
                for n in (lane..runs).step_by(64) {
                    drop(engine.start(answered(format!("question {n}"))).await.unwrap());
                }
            })
        });
        for start in starts.collect::<Vec<_>>() {
            start.await.unwrap();
        }
        println!("started {runs} runs in {:.1?}", begun.elapsed());
        tokio::time::sleep(Duration::from_secs(1)).await;
        println!("memory: {} MiB more", resident().saturating_sub(before) >> 20);
        drop(engine.start(reminded("the last".to_owned())).await.unwrap());
        let begun = Instant::now();
        engine.shutdown().await;
        println!("shut down in {:.1?}", begun.elapsed());
    });
    println!("file: {} MiB", std::fs::metadata(&file).unwrap().len() >> 20);
    // In a process of its own, whose memory nobody has used before.
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "idle::child", "--nocapture"])
        .env("WORKFLOW_IDLE_CHILD", &file)
        .status();
    assert!(child.unwrap().success());
    std::fs::remove_dir_all(&folder).unwrap();
}

/// What the child runs; nothing when it is not that which asks.
#[test]
fn child() {
    let Some(file) = std::env::var_os("WORKFLOW_IDLE_CHILD") else { return };
    let before = resident();
    let begun = Instant::now();
    runtime().block_on(async {
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(&file).unwrap());
        let engine = Engine::with_store(store.clone());
        let engine = engine.register::<answered>().register::<reminded>().start().await.unwrap();
        println!("an engine over them started in {:.1?}", begun.elapsed());
        println!("memory: {} KiB more", resident().saturating_sub(before) >> 10);
        println!("tasks: {}", tokio::runtime::Handle::current().metrics().num_alive_tasks());

        let id = {
            let waiting = RunFilter { workflow: Some("answered".to_owned()), ..RunFilter::default() };
            store.list(&waiting).unwrap().pop().unwrap().id
        };
        let by = By { actor: "the measurement".to_owned(), reason: None };
        let begun = Instant::now();
        let signal = Operation::Signal { name: "answer".to_owned(), value: json!(true) };
        engine.operate(Some(&id), signal, by).await.unwrap();
        engine.run(&id).await.unwrap().wait().await;
        println!("a signal woke one, which ended after {:.1?}", begun.elapsed());

        let last = store.list(&RunFilter { at_most: 1, ..RunFilter::default() }).unwrap().pop().unwrap();
        let woken = RunFilter { id_prefix: Some(last.id), ..RunFilter::default() };
        let ended = loop {
            if let Some(end) = store.list(&woken).unwrap().pop().unwrap().end {
                assert_eq!(end.state, RunState::Succeeded);
                break end.at;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        println!(
            "a timer of 20 s woke one, which ended {:.3?} after it was created",
            ended.since(last.created_at)
        );
        engine.shutdown().await;
    });
}
