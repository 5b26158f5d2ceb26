//! What runs cost that wait for days. A measurement, for a release build:
//! `cargo test --release --test it idle -- --ignored --nocapture`.

use std::process::Command;
use std::time::{Duration, Instant};

use workflow_runtime::{Engine, Run, task, workflow};

const RUNS: u64 = 10_000;

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
        let nap = sleep("90d");
        #[after(nap)]
        let again = note(&noted, answer);
        Ok(again)
    }
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
fn ten_thousand_waiting_runs() {
    let folder = std::env::temp_dir().join(format!("workflow-idle-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("runs.db");
    let begun = Instant::now();
    runtime().block_on(async {
        let engine = Engine::open(&file).start().await.unwrap();
        let starts = (0..RUNS).map(|n| {
            let engine = engine.clone();
            tokio::spawn(async move {
                let run: Run<String> = engine.start(answered(format!("question {n}"))).await.unwrap();
                while run.state() != workflow_runtime::run::RunState::Waiting {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            })
        });
        for start in starts.collect::<Vec<_>>() {
            start.await.unwrap();
        }
        println!("started {RUNS} runs in {:?}", begun.elapsed());
        let begun = Instant::now();
        engine.shutdown().await;
        println!("shut down in {:?}", begun.elapsed());
    });
    println!("file: {} KiB", std::fs::metadata(&file).unwrap().len() / 1024);
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
        let engine = Engine::open(&file).register::<answered>().start().await.unwrap();
        println!("recovered {RUNS} runs in {:?}", begun.elapsed());
        let grown = resident().saturating_sub(before);
        println!("memory: {} KiB more, {} bytes a run", grown / 1024, grown / RUNS);
        println!("tasks: {}", tokio::runtime::Handle::current().metrics().num_alive_tasks());
        drop(engine);
    });
}
