//! What one process asks of another that owns the store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use workflow_runtime::run::{RunState, Timestamp};
use workflow_runtime::store::{Request, Sqlite, Store, StoredRequest, Visitor};
use workflow_runtime::{Engine, Operation, task, workflow};

#[task]
async fn twice(n: u64) -> u64 {
    n * 2
}

workflow! {
    fn asked(n: u64) -> Result<u64> {
        let more = signal::<u64>("more");
        let b = twice(n + more);
        Ok(b)
    }
}

fn wish(run: Option<&str>, operation: &Operation) -> Request {
    Request {
        run: run.map(str::to_owned),
        operation: serde_json::to_string(operation).unwrap(),
        actor: "bob".to_owned(),
        reason: Some("by phone".to_owned()),
        at: Timestamp(1),
    }
}

/// Waits, in real time, for what another process does.
async fn until<T>(look: impl Fn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "nothing happens");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn answered(visitor: &Visitor, number: i64) -> Option<Result<String, String>> {
    let found: Vec<StoredRequest> = visitor.requests(None, 99).unwrap();
    found.into_iter().find(|asked| asked.number == number)?.answer.map(|answer| answer.result)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visitor_starts_signals_and_cancels() {
    let directory = tempfile();
    let path = directory.join("runs.db");
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(&path).unwrap());
    let engine = Engine::with_store(store.clone()).register::<asked>().start().await.unwrap();
    let visitor = Visitor::open(&path).unwrap();

    let params = [("n".to_owned(), json!(1))].into();
    let start = Operation::Start { workflow: "asked".to_owned(), params, key: Some("a".to_owned()) };
    let number = visitor.request(wish(None, &start)).unwrap();
    let id = until(|| answered(&visitor, number)).await.unwrap();

    let signal = Operation::Signal { name: "more".to_owned(), value: json!(4) };
    visitor.request(wish(Some(&id), &signal)).unwrap();
    until(|| visitor.find(&id).unwrap().pop().filter(|run| run.state == RunState::Succeeded)).await;

    // What cannot be done is answered too.
    let number = visitor.request(wish(Some(&id), &Operation::Cancel)).unwrap();
    let refused = until(|| answered(&visitor, number)).await.unwrap_err();
    assert!(refused.contains("has ended"), "{refused}");
    let nonsense = Request { operation: r#"{"dance":1}"#.to_owned(), ..wish(Some(&id), &Operation::Cancel) };
    let number = visitor.request(nonsense).unwrap();
    let refused = until(|| answered(&visitor, number)).await.unwrap_err();
    assert!(refused.contains("does not know"), "{refused}");
    engine.shutdown().await;
    std::fs::remove_dir_all(directory).unwrap();
}

/// Asked for while nobody owned the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_engine_sees_to_what_waits() {
    let directory = tempfile();
    let path = directory.join("runs.db");
    Sqlite::open(&path).unwrap().close();
    let visitor = Visitor::open(&path).unwrap();
    let params = [("n".to_owned(), json!(1))].into();
    let start = Operation::Start { workflow: "asked".to_owned(), params, key: None };
    let number = visitor.request(wish(None, &start)).unwrap();
    assert_eq!(answered(&visitor, number), None);
    let engine = Engine::open(&path).register::<asked>().start().await.unwrap();
    let id = until(|| answered(&visitor, number)).await.unwrap();
    assert!(engine.run(&id).await.is_ok());
    engine.shutdown().await;
    std::fs::remove_dir_all(directory).unwrap();
}

fn tempfile() -> std::path::PathBuf {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("workflow-requests-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}
