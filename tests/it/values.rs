//! Values that would not come back are refused when they are saved, by name.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use support::says;
use workflow_runtime::store::Memory;
use workflow_runtime::testing::block_on;
use workflow_runtime::{By, Cause, Engine, Error, Operation, Run, task, workflow};

#[task]
async fn root(of: f64) -> f64 {
    of.sqrt()
}

#[task]
async fn mean(of: &[f64]) -> Option<f64> {
    Some(of.iter().sum::<f64>() / of.len() as f64)
}

#[task]
async fn looked_up(name: &str) -> Option<Option<u64>> {
    (name != "unknown").then_some(None)
}

/// A list in a list, and so on.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Nested(Vec<Nested>);

impl Nested {
    fn of(levels: usize) -> Self {
        (1..levels).fold(Self(Vec::new()), |inner, _| Self(vec![inner]))
    }

    fn levels(&self) -> usize {
        1 + self.0.first().map_or(0, Self::levels)
    }
}

#[task]
async fn nest(levels: usize) -> Nested {
    Nested::of(levels)
}

workflow! {
    fn roots(of: f64) -> Result<f64> {
        let side = root(of);
        Ok(side)
    }
}

workflow! {
    fn means(of: Vec<f64>) -> Result<Option<f64>> {
        let mean = mean(&of);
        Ok(mean)
    }
}

workflow! {
    fn look_ups(name: String) -> Result<Option<Option<u64>>> {
        let found = looked_up(&name);
        Ok(found)
    }
}

workflow! {
    fn nests(levels: usize) -> Result<Nested> {
        let nested = nest(levels);
        Ok(nested)
    }
}

workflow! {
    fn heard() -> Result<f64> {
        let number = signal::<f64>("number");
        Ok(number)
    }
}

workflow! {
    fn divided(a: f64, b: f64) -> Result<f64> {
        let quotient = a / b;
        Ok(quotient)
    }
}

async fn engine() -> Engine {
    Engine::with_store(Arc::new(Memory::default())).start().await.unwrap()
}

/// The step that failed for good, and why.
async fn failure<T: workflow_runtime::Durable>(run: Run<T>) -> (String, String) {
    let Err(Error::Failed { error, .. }) = run.await else { panic!("the run did not fail") };
    assert_eq!(error.failure().cause, Cause::Fatal);
    (error.step().to_owned(), error.failure().to_string())
}

#[test]
fn a_number_that_json_does_not_know_fails_its_step() {
    block_on(async {
        let engine = engine().await;
        let (step, why) = failure(engine.start(roots(-1.0)).await.unwrap()).await;
        assert_eq!(step, "roots/side");
        says(&why, &["`f64` cannot be saved", "it contains `NaN`", "an error or an `Option`"]);
        // Which would be read back as `None`.
        let (step, why) = failure(engine.start(means(Vec::new())).await.unwrap()).await;
        assert_eq!(step, "means/mean");
        says(&why, &["Option<f64>", "it contains `NaN`"]);
        // The result of a run is none of a step.
        let (step, why) = failure(engine.start(divided(-1.0, 0.0)).await.unwrap()).await;
        assert_eq!(step, "divided");
        says(&why, &["it contains `-inf`"]);
        assert_eq!(engine.start(roots(4.0)).await.unwrap().await.unwrap(), 2.0);
    });
}

#[test]
fn a_parameter_that_would_not_come_back_is_refused_by_its_name() {
    block_on(async {
        let engine = engine().await;
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = engine.start(divided(1.0, number)).await.unwrap_err().to_string();
            says(
                &error,
                &["`divided` cannot be started", "parameter `b`", &format!("it contains `{number}`")],
            );
        }
        // Nothing was kept under its key.
        engine.start(roots(f64::NAN)).key("k").await.unwrap_err();
        assert_eq!(engine.start(roots(9.0)).key("k").await.unwrap().await.unwrap(), 3.0);
    });
}

#[test]
fn a_signal_that_would_not_come_back_is_not_heard() {
    block_on(async {
        let engine = engine().await;
        let run = engine.start(heard()).await.unwrap();
        let error = run.signal(heard::number, f64::NAN).await.unwrap_err().to_string();
        says(&error, &["was not told", "signal `number`", "it contains `NaN`"]);
        run.signal(heard::number, 1.5).await.unwrap();
        assert_eq!(run.await.unwrap(), 1.5);
    });
}

#[test]
fn some_of_nothing_is_not_taken_for_nothing() {
    block_on(async {
        let engine = engine().await;
        let run = engine.start(look_ups("unknown".to_owned())).await.unwrap();
        assert_eq!(run.await.unwrap(), None);
        let (step, why) = failure(engine.start(look_ups("ann".to_owned())).await.unwrap()).await;
        assert_eq!(step, "look_ups/found");
        says(&why, &["`Some` of `None` or of `()`", "use an enum"]);
    });
}

#[test]
fn what_is_nested_deeper_than_can_be_read_fails_its_step() {
    let store = Memory::default();
    block_on(async {
        let engine = Engine::with_store(Arc::new(store.clone())).start().await.unwrap();
        let (step, why) = failure(engine.start(nests(121)).await.unwrap()).await;
        assert_eq!(step, "nests/nested");
        says(&why, &["Nested", "nested more than 120 levels deep"]);
        engine.start(nests(120)).key("k").await.unwrap().await.unwrap();
        engine.shutdown().await;
    });
    block_on(async {
        let engine = Engine::with_store(Arc::new(store)).register::<nests>().start().await.unwrap();
        assert_eq!(engine.start(nests(120)).key("k").await.unwrap().await.unwrap().levels(), 120);
    });
}

/// An operator's request wraps what it is about.
#[test]
fn what_an_operator_sets_is_as_deep_as_any_value() {
    block_on(async {
        let engine = engine().await;
        let deep = |levels| serde_json::to_value(Nested::of(levels)).unwrap();
        for (levels, fits) in [(120, true), (121, false)] {
            let failed = engine.start(nests(500)).await.unwrap();
            failed.wait().await;
            let set = Operation::Set { step: "nests/nested".to_owned(), value: deep(levels) };
            let answer =
                engine.operate(Some(failed.id()), set, By { actor: "ann".to_owned(), reason: None }).await;
            match answer {
                Ok(_) => assert!(fits, "{levels} levels were set"),
                Err(error) => {
                    assert!(!fits, "{error}");
                    says(&error.to_string(), &["nested more than 120 levels deep"]);
                }
            }
        }
    });
}

/// Where data decides what is written, two fields may have one name.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Row {
    id: u64,
    #[serde(flatten)]
    more: std::collections::BTreeMap<String, u64>,
}

#[task]
async fn fetch_row(column: &str) -> Row {
    Row { id: 1, more: [(column.to_owned(), 2)].into() }
}

workflow! {
    fn rows(column: String) -> Result<u64> {
        let row = fetch_row(&column);
        Ok(row.id)
    }
}

#[cfg(debug_assertions)]
#[test]
fn a_type_that_reads_otherwise_than_it_writes_shows_in_a_test() {
    block_on(async {
        let engine = engine().await;
        assert_eq!(engine.start(rows("price".to_owned())).await.unwrap().await.unwrap(), 1);
        let (step, why) = failure(engine.start(rows("id".to_owned())).await.unwrap()).await;
        assert_eq!(step, "rows/row");
        says(&why, &["Row` cannot be read back", "duplicate field `id`"]);
    });
}

/// A value that panics when it is dropped, once in its life.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Mine {
    armed: bool,
}

impl Drop for Mine {
    fn drop(&mut self) {
        // A second panic while the first unwinds would abort.
        if self.armed && !std::thread::panicking() {
            panic!("it went off");
        }
    }
}

#[task]
async fn lay(armed: bool) -> Mine {
    Mine { armed }
}

#[task]
async fn pass_by(mine: &Mine) -> bool {
    mine.armed
}

workflow! {
    fn field(armed: bool, given: Mine) -> Result<bool> {
        let mine = lay(armed);
        let seen = pass_by(&mine);
        let other = signal::<Mine>("other");
        let again = pass_by(&other);
        let third = pass_by(&given);
        Ok(seen && again && third)
    }
}

#[task]
async fn lay_another(mine: &Mine) -> Mine {
    Mine { armed: mine.armed }
}

#[task]
async fn take_along(mine: Mine) -> Mine {
    mine
}

workflow! {
    fn mines(armed: bool) -> Result<Vec<Mine>> {
        let mut mine = lay(armed);
        let mut turn: u64 = 0;
        #[limit(5)]
        while turn < 3 {
            mine = lay_another(&mine);
            turn = turn + 1;
        }
        let first = select! {
            a = lay(armed) => a,
            b = signal::<Mine>("never") => b,
        };
        let chosen = if armed { take_along(first) } else { lay(false) };
        let flags: Vec<bool> = vec![armed, armed];
        let all = for flag in flags {
            let one = lay(flag);
            take_along(one)
        };
        let seen = pass_by(&mine);
        let also = pass_by(&chosen);
        let both = seen && also;
        let kept = if both { all } else { Vec::new() };
        Ok(kept)
    }
}

#[test]
fn a_value_that_panics_when_it_is_dropped_takes_nothing_along() {
    for durable in [false, true] {
        block_on(async {
            let engine = match durable {
                true => engine().await,
                false => Engine::in_memory().start().await.unwrap(),
            };
            let run = engine.start(field(true, Mine { armed: true })).await.unwrap();
            run.signal(field::other, Mine { armed: true }).await.unwrap();
            assert!(run.await.unwrap());
            let run = engine.start(mines(true)).key("k").await.unwrap();
            let again = engine.start(mines(true)).key("k").await.unwrap();
            drop(run);
            again.wait().await;
            assert!(again.snapshot().state.is_ended());
            drop(again);
            assert_eq!(engine.start(roots(4.0)).await.unwrap().await.unwrap(), 2.0);
            engine.shutdown().await;
        });
    }
}

/// Notes how often it is saved.
#[derive(Clone, serde::Deserialize)]
struct Watched(String);

static SAVED: AtomicUsize = AtomicUsize::new(0);

impl serde::Serialize for Watched {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SAVED.fetch_add(1, Ordering::Relaxed);
        self.0.serialize(serializer)
    }
}

workflow! {
    fn watched(of: Watched) -> Result<usize> {
        let heard = signal::<Watched>("heard");
        let same = signal::<Watched>("same");
        Ok(of.0.len() + heard.0.len() + same.0.len())
    }
}

#[test]
fn what_comes_from_outside_is_encoded_once() {
    block_on(async {
        let engine = Engine::with_store(Arc::new(Memory::new())).register::<watched>().start().await.unwrap();
        let once = |what| assert_eq!(SAVED.swap(0, Ordering::Relaxed), 1, "{what}");
        let run = engine.start(watched(Watched("started".to_owned()))).await.unwrap();
        once("a parameter");
        run.signal(watched::heard, Watched("heard".to_owned())).await.unwrap();
        once("a signal");
        let signal = Operation::Signal { name: "same".to_owned(), value: json!("by an operator") };
        engine.operate(Some(run.id()), signal, By { actor: "ann".to_owned(), reason: None }).await.unwrap();
        once("an operator's signal");
        assert_eq!(run.await.unwrap(), "startedheardby an operator".len());
    });
}

/// 300 MiB of words, which nobody has in one piece.
#[derive(Debug)]
struct Wordy;

impl std::fmt::Display for Wordy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = "words ".repeat(175_000);
        (0..300).try_for_each(|_| f.write_str(&words))
    }
}

impl std::error::Error for Wordy {}

/// Is its own cause.
#[derive(Debug)]
struct Endless;

impl std::fmt::Display for Endless {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("again")
    }
}

impl std::error::Error for Endless {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self)
    }
}

#[task]
async fn talk() -> Result<u64, Wordy> {
    Err(Wordy)
}

#[task]
async fn repeat() -> Result<u64, Endless> {
    Err(Endless)
}

#[task]
async fn shout() -> u64 {
    std::panic::panic_any("aaaa".repeat(1 << 20))
}

workflow! {
    fn talks(how: u64) -> Result<u64> {
        let heard = match how {
            0 => talk()?,
            1 => repeat()?,
            _ => shout(),
        };
        Ok(heard)
    }
}

/// And the others go on.
#[test]
fn an_error_of_whatever_length_fails_its_step_alone() {
    block_on(async {
        let engine = engine().await;
        for (how, begins, ends) in [
            (0, "words words ", " bytes left out)"),
            (1, "again: ", "(more causes left out)"),
            (2, "panicked: aaaa", " bytes left out)"),
        ] {
            let run = engine.start(talks(how)).await.unwrap();
            let Err(Error::Failed { error, .. }) = run.await else { panic!("the run did not fail") };
            let words = error.failure().to_string();
            assert!(words.starts_with(begins) && words.ends_with(ends), "{how}: {}", words.len());
            assert!(words.len() < 70 << 10, "{how}: {}", words.len());
        }
        assert_eq!(engine.start(roots(4.0)).await.unwrap().await.unwrap(), 2.0);
        // Nor does an operator keep more than that.
        let run = engine.start(heard()).await.unwrap();
        let by = By { actor: "a".repeat(1 << 20), reason: Some("b".repeat(1 << 20)) };
        engine.operate(Some(run.id()), Operation::Cancel, by).await.unwrap();
        assert!(run.await.is_err());
    });
}
