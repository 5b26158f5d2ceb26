//! Results that later runs use again: `#[task(cache = "24h")]`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use workflow_runtime::run::StepState;
use workflow_runtime::store::{Memory, RunFilter, Sqlite, Store};
use workflow_runtime::testing::block_on;
use workflow_runtime::{Context, Engine, Error, Resources, Run, Start, Workflow, task, workflow};

#[derive(Resources)]
struct App {
    calls: Arc<AtomicU32>,
}

type Calls = Arc<AtomicU32>;

fn call(calls: &Calls) -> u32 {
    calls.fetch_add(1, Ordering::Relaxed) + 1
}

#[task(cache = "24h")]
async fn embed(text: &str, scale: u64, #[resource] calls: &Calls, #[context] cx: &Context) -> Vec<u64> {
    let _ = (call(calls), cx);
    text.bytes().map(|byte| u64::from(byte) * scale).collect()
}

/// Fails at the first call.
#[task(cache = "1h")]
async fn unsteady(text: String, #[resource] calls: &Calls) -> Result<String, std::io::Error> {
    match call(calls) {
        1 => Err(std::io::Error::other("not now")),
        _ => Ok(text.to_uppercase()),
    }
}

#[task(blocking, cache = "1h")]
fn render(text: &str, #[resource] calls: &Calls) -> String {
    format!("{text} {}", call(calls))
}

/// Another task of the same name, which leaves another type.
mod other {
    use super::{Calls, call};

    #[workflow_runtime::task(name = "render", cache = "1h")]
    pub async fn count(text: &str, #[resource] calls: &Calls) -> usize {
        call(calls);
        text.len()
    }
}

workflow! {
    fn embedding(text: String, scale: u64) -> Result<Vec<u64>> {
        let embedded = embed(&text, scale);
        Ok(embedded)
    }
}

workflow! {
    fn shouting(text: String) -> Result<String> {
        let shouted = unsteady(text)?;
        Ok(shouted)
    }
}

workflow! {
    fn rendering(text: String) -> Result<String> {
        let rendered = render(&text);
        Ok(rendered)
    }
}

workflow! {
    fn counting(text: String) -> Result<usize> {
        let counted = other::count(&text);
        Ok(counted)
    }
}

async fn engine(store: Option<Arc<dyn Store>>) -> (Engine<App>, Calls) {
    let calls = Calls::default();
    let builder = match store {
        Some(store) => Engine::with_store(store),
        None => Engine::in_memory(),
    };
    (builder.resources(App { calls: calls.clone() }).start().await.unwrap(), calls)
}

/// The state in which the run's only step has ended.
fn state<T>(run: &Run<T>) -> StepState {
    run.snapshot().steps[0].state
}

async fn ended<W: Workflow>(start: Start<W>) -> (Result<W::Ok, Error>, StepState) {
    let run = start.await.unwrap();
    run.wait().await;
    let state = state(&run);
    (run.await, state)
}

/// What every engine does, wherever it keeps its runs.
async fn check(store: Option<Arc<dyn Store>>) {
    let (engine, calls) = engine(store).await;
    let ran = |times: u32| assert_eq!(calls.swap(0, Ordering::Relaxed), times);
    let text = |text: &str| text.to_owned();

    let (first, state) = ended(engine.start(embedding(text("ab"), 2))).await;
    assert_eq!((first.unwrap(), state), (vec![194, 196], StepState::Succeeded { cached: false }));
    ran(1);
    let (again, state) = ended(engine.start(embedding(text("ab"), 2))).await;
    assert_eq!((again.unwrap(), state), (vec![194, 196], StepState::Succeeded { cached: true }));
    ran(0);
    ended(engine.start(embedding(text("ab"), 3))).await.0.unwrap();
    ran(1);

    tokio::time::advance(Duration::from_secs(24 * 3600)).await;
    let (_, state) = ended(engine.start(embedding(text("ab"), 2))).await;
    assert_eq!(state, StepState::Succeeded { cached: false }, "a day has passed");
    ran(1);

    // A failure is not remembered, a success after it is.
    ended(engine.start(shouting(text("go")))).await.0.unwrap_err();
    assert_eq!(ended(engine.start(shouting(text("go")))).await.0.unwrap(), "GO");
    assert_eq!(ended(engine.start(shouting(text("go")))).await.0.unwrap(), "GO");
    ran(2);

    assert_eq!(ended(engine.start(rendering(text("x")))).await.0.unwrap(), "x 1");
    let (again, state) = ended(engine.start(rendering(text("x")))).await;
    assert_eq!((again.unwrap(), state), (text("x 1"), StepState::Succeeded { cached: true }));
    ran(1);

    // Its own result takes the place of what it cannot use.
    for state in [false, true] {
        let (count, ended) = ended(engine.start(counting(text("x")))).await;
        assert_eq!((count.unwrap(), ended), (1, StepState::Succeeded { cached: state }));
    }
    ran(1);
    engine.shutdown().await;
}

#[test]
fn a_result_is_used_again_without_a_store() {
    block_on(check(None));
}

#[test]
fn a_result_is_used_again_with_a_store() {
    block_on(check(Some(Arc::new(Memory::new()))));
}

#[test]
fn a_result_is_used_again_with_sqlite_and_by_the_next_process() {
    let folder = std::env::temp_dir().join(format!("workflow-cache-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let open = || Arc::new(Sqlite::open(folder.join("runs.db")).unwrap()) as Arc<dyn Store>;
    block_on(async {
        check(Some(open())).await;
        let store = open();
        let (engine, calls) = engine(Some(store.clone())).await;
        let run = engine.start(embedding("ab".to_owned(), 2)).key("again").await.unwrap();
        run.wait().await;
        assert_eq!(state(&run), StepState::Succeeded { cached: true });
        assert_eq!(run.await.unwrap(), [194, 196]);
        assert_eq!(calls.load(Ordering::Relaxed), 0);
        // A run that reused something is read back like any other.
        let stored =
            store.list(&RunFilter { key: Some("again".to_owned()), at_most: 1, ..RunFilter::default() });
        let journal = store.journal(stored.unwrap()[0].run).unwrap();
        let reused = journal.iter().find(|entry| entry.event.contains("attempt_reused")).unwrap();
        assert_eq!(reused.value.as_ref().unwrap().bytes, b"[194,196]");
        engine.shutdown().await;
    });
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_mock_is_neither_remembered_nor_passed_over() {
    block_on(async {
        let store = Arc::new(Memory::new());
        let calls = Calls::default();
        let mocked = |answer: u64, store: Arc<Memory>| {
            let app = App { calls: calls.clone() };
            let engine = Engine::with_store(store).resources(app);
            async move { engine.mock::<embed>(move |_| vec![answer]).start().await.unwrap() }
        };
        for answer in [1, 2] {
            let engine = mocked(answer, store.clone()).await;
            let run = engine.start(embedding("ab".to_owned(), 2)).await.unwrap();
            assert_eq!(run.await.unwrap(), [answer]);
        }
        assert_eq!(calls.load(Ordering::Relaxed), 0);
    });
}
