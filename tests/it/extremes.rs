//! Times at the ends of what can be written, and texts of any kind: no panic,
//! and the next process finds what there was.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use support::says;
use workflow_runtime::run::RunState;
use workflow_runtime::{By, Engine, Error, Operation, Retryability, Retryable, task, workflow};

#[derive(Debug, thiserror::Error)]
#[error("come back when the sun is cold")]
struct Never;

impl Retryable for Never {
    fn retryability(&self) -> Retryability {
        Retryability::RetryAfter(Duration::MAX)
    }
}

#[task(retry(attempts = 3, backoff = exponential("1s", factor = 1000000000)))]
async fn never() -> Result<u8, Never> {
    Err(Never)
}

workflow! {
    fn for_ever(delay: Duration) -> Result<u8> {
        sleep(delay);
        Ok(1)
    }
}

workflow! {
    fn until(time: SystemTime) -> Result<u8> {
        sleep_until(time);
        Ok(1)
    }
}

workflow! {
    fn hears(delay: Duration) -> Result<bool> {
        let heard = signal::<bool>("heard").within(delay)?;
        Ok(heard)
    }
}

workflow! {
    fn tries() -> Result<u8> {
        let tried = never()?;
        Ok(tried)
    }
}

/// A store of its own, gone with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("workflow-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    fn engine(&self) -> workflow_runtime::EngineBuilder {
        let engine = Engine::open(self.0.join("runs.db"));
        engine.register::<for_ever>().register::<until>().register::<hears>().register::<tries>()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// With a real clock: a steered one would run to the end of the first wait.
fn process<T>(body: impl AsyncFnOnce() -> T) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(body())
}

async fn is_waiting(engine: &Engine, id: &str) {
    let run = engine.run(id).await.unwrap();
    let waits = async {
        while run.state() == RunState::Running {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waits).await.unwrap();
    assert_eq!(run.state(), RunState::Waiting, "{:?}", run.snapshot());
}

#[test]
fn waits_of_any_length_go_on_in_the_next_process() {
    let scratch = Scratch::new("waits");
    let day = Duration::from_secs(24 * 60 * 60);
    let year_9999 = SystemTime::UNIX_EPOCH + 365 * 8029 * day;
    for _ in 0..3 {
        process(async || {
            let engine = scratch.engine().start().await.unwrap();
            let mut waiting = Vec::new();
            for (delay, key) in [(Duration::MAX, "max"), (365 * 300 * day, "300 years")] {
                waiting.push(engine.start(for_ever(delay)).key(key).await.unwrap().id().to_owned());
                let key = format!("hears {key}");
                waiting.push(engine.start(hears(delay)).key(key).await.unwrap().id().to_owned());
            }
            waiting.push(engine.start(until(year_9999)).key("9999").await.unwrap().id().to_owned());
            waiting.push(engine.start(tries()).key("tries").await.unwrap().id().to_owned());
            for id in waiting {
                is_waiting(&engine, &id).await;
            }
            engine.shutdown().await;
        });
    }
    process(async || {
        let engine = scratch.engine().start().await.unwrap();
        let before_1970 = SystemTime::UNIX_EPOCH - 365 * 100 * day;
        assert_eq!(engine.start(until(SystemTime::UNIX_EPOCH)).await.unwrap().await.unwrap(), 1);
        // serde knows no time before 1970, and says so.
        let error = engine.start(until(before_1970)).await.unwrap_err().to_string();
        says(&error, &["parameter `time`", "SystemTime", "must be later than UNIX_EPOCH"]);
        assert_eq!(engine.start(for_ever(Duration::ZERO)).await.unwrap().await.unwrap(), 1);
        let timed_out = engine.start(hears(Duration::ZERO)).await.unwrap().await;
        assert!(matches!(timed_out, Err(Error::Failed { .. })));
        engine.shutdown().await;
    });
}

#[test]
fn any_text_is_a_key_a_reason_and_a_name_of_somebody() {
    let scratch = Scratch::new("texts");
    let long = "long ".repeat(200_000);
    let texts = [
        "",
        " ",
        " a",
        "a ",
        "a\nb",
        "a\0b",
        "\0",
        "'; DROP TABLE runs; --",
        "%",
        "_",
        "\u{202e}ü\u{feff}",
        &long,
    ];
    let mut ids = Vec::new();
    for turn in 0..2 {
        process(async || {
            let engine = scratch.engine().start().await.unwrap();
            for (index, text) in texts.into_iter().enumerate() {
                let run = engine.start(hears(Duration::MAX)).key(text).await.unwrap();
                if turn == 0 {
                    assert!(!ids.contains(&run.id().to_owned()), "the key {text:?} is another one too");
                    ids.push(run.id().to_owned());
                    is_waiting(&engine, run.id()).await;
                    let by = By { actor: text.to_owned(), reason: Some(text.to_owned()) };
                    engine.operate(Some(run.id()), Operation::Pause, by).await.unwrap();
                }
                assert_eq!(run.id(), ids[index], "the key {text:?}");
                assert_eq!(run.state(), RunState::Paused, "{text:?}");
                // Nonsense is refused in words, and nothing of it is taken for a pattern.
                let step = Operation::Retry { step: Some(text.to_owned()) };
                let error = engine.operate(Some(run.id()), step, By { actor: text.to_owned(), reason: None });
                says(&error.await.unwrap_err().to_string(), &["has no step"]);
                assert!(matches!(engine.run(text).await, Err(Error::NoSuchRun { .. })), "{text:?}");
            }
            engine.shutdown().await;
        });
    }
}

#[test]
fn a_key_without_end_is_refused() {
    let scratch = Scratch::new("endless");
    let endless = "x".repeat((1 << 20) + 1);
    process(async || {
        for store in [true, false] {
            let engine = match store {
                true => scratch.engine().start().await.unwrap(),
                false => Engine::in_memory().start().await.unwrap(),
            };
            let error = engine.start(hears(Duration::MAX)).key(&*endless).await.map(drop).unwrap_err();
            says(
                &error.to_string(),
                &["run key `xxxxxxxxxxxxxxxxxxxx…` has 1048577 bytes", "at most 1048576"],
            );
            let run = engine.start(hears(Duration::MAX)).key(&endless[1..]).await.unwrap();
            assert!(!run.state().is_ended());
            engine.shutdown().await;
        }
    });
}
