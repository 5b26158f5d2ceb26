//! Steps inside expressions: they run, and the rest is an expression over their
//! values.

use std::sync::Arc;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use workflow_runtime::testing::{block_on, crash_everywhere};
use workflow_runtime::{Engine, Resources, Result, task, workflow};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parcel {
    pub id: u64,
    pub grams: u64,
    pub name: String,
}

#[derive(Debug, thiserror::Error)]
#[error("no parcel {0}")]
pub struct NoParcel(u64);

/// What was asked, in any order.
#[derive(Default)]
struct Asked(Mutex<Vec<u64>>);

#[derive(Resources)]
struct App {
    asked: Arc<Asked>,
}

impl Asked {
    fn sorted(&self) -> Vec<u64> {
        let mut all = self.0.lock().unwrap().clone();
        all.sort_unstable();
        all
    }
}

#[task]
async fn weigh(id: u64, #[resource] asked: &Arc<Asked>) -> std::result::Result<Parcel, NoParcel> {
    asked.0.lock().unwrap().push(id);
    if id > 100 { Err(NoParcel(id)) } else { Ok(Parcel { id, grams: id * 10, name: format!("p{id}") }) }
}

#[task]
async fn grams(id: u64) -> std::result::Result<u64, NoParcel> {
    if id > 100 { Err(NoParcel(id)) } else { Ok(id * 10) }
}

#[task]
async fn list(n: u64) -> std::result::Result<Vec<u64>, NoParcel> {
    Ok((1..=n).collect())
}

#[task]
async fn double(n: u64) -> u64 {
    n * 2
}

#[task]
async fn is_heavy(grams: u64, #[resource] asked: &Arc<Asked>) -> bool {
    asked.0.lock().unwrap().push(grams);
    grams > 50
}

#[task]
async fn words(text: &str) -> String {
    text.to_uppercase()
}

async fn engine() -> (Arc<Asked>, Engine<App>) {
    let asked = Arc::new(Asked::default());
    let engine = Engine::in_memory().resources(App { asked: asked.clone() }).start().await.unwrap();
    (asked, engine)
}

workflow! {
    /// Every place that takes a step.
    fn places(id: u64) -> Result<Vec<u64>> {
        let field = weigh(id)?.grams;
        let method: usize = list(3)?.len();
        let caught = grams(id + 200).unwrap_or(7);
        let some = Some(double(id));
        let both = double(1) + field * 2;
        let text = format!("{}-{}", words("a"), id);
        let made = vec![double(2), field];
        let pair = (double(3), id);
        let negative = -(double(4) as i64);
        let name = weigh(id + 1)?.name.len() as u64;
        let deep = words(&weigh(id + 2)?.name.to_lowercase());
        let taken: u64 = list(4)?.into_iter().sum();
        let block = { let inside = double(id); inside + 1 };
        Ok(vec![field, method as u64, caught, some.unwrap_or(0), both, text.len() as u64, made[0], pair.0,
            negative.unsigned_abs(), name, deep.len() as u64, taken, block])
    }
}

#[test]
fn every_place_that_takes_a_step() {
    block_on(async {
        let (asked, engine) = engine().await;
        let all = engine.start(places(2)).await.unwrap().await.unwrap();
        assert_eq!(all, [20, 3, 7, 4, 42, 3, 4, 6, 8, 2, 2, 10, 5]);
        assert_eq!(asked.sorted(), [2, 3, 4]);
    });
}

#[test]
fn a_step_inside_an_expression_is_named_after_the_binding() {
    let picture = places::mermaid();
    for name in ["field: weigh", "method: list", "caught: grams", "some: double", "text: words", "weigh"] {
        assert!(picture.contains(name), "{name} in {picture}");
    }
}

workflow! {
    /// The failure is caught.
    fn caught(id: u64) -> Result<String> {
        let told = match grams(id) {
            Ok(grams) => words(&format!("{grams} g")),
            Err(error) => words(&error.to_string()),
        };
        let light: u64 = if let Ok(parcel) = weigh(id) { double(parcel.grams) } else { 1 };
        Ok(format!("{told} {light}"))
    }
}

#[test]
fn a_match_on_a_step_catches_its_failure() {
    block_on(async {
        let (_, engine) = engine().await;
        assert_eq!(engine.start(caught(3)).await.unwrap().await.unwrap(), "30 G 60");
        assert_eq!(
            engine.start(caught(300)).await.unwrap().await.unwrap(),
            "STEP `CAUGHT/GRAMS` FAILED: NO PARCEL 300 1"
        );
    });
}

workflow! {
    /// What is not reached does not run.
    fn reached(id: u64, eager: bool) -> Result<u64> {
        let and = eager && is_heavy(id);
        let or = eager || is_heavy(id + 1);
        let chosen = if id == 1 && is_heavy(id + 2) {
            1
        } else if is_heavy(id + 3) {
            double(10)
        } else if eager && !is_heavy(id + 4) {
            3
        } else {
            4
        };
        let inner = 1 + if eager { double(id) } else { 0 };
        let both = if let Some(n) = Some(id) && is_heavy(n + 5) { double(n) } else { 8 };
        Ok(u64::from(and) + 10 * u64::from(or) + 100 * chosen + 1000 * inner + 10_000 * both)
    }
}

#[test]
fn a_step_that_is_not_reached_does_not_run() {
    block_on(async {
        for (id, eager, value, ran) in [
            (1, false, 400 + 1000 + 80_000, vec![2, 3, 4, 6]),
            (1, true, 10 + 300 + 3000 + 80_000, vec![1, 3, 4, 5, 6]),
            (50, false, 10 + 2000 + 1000 + 1_000_000, vec![51, 53, 55]),
            (60, true, 1 + 10 + 2000 + 121_000 + 1_200_000, vec![60, 63, 65]),
        ] {
            let (asked, engine) = engine().await;
            let found = engine.start(reached(id, eager)).await.unwrap().await.unwrap();
            assert_eq!((found, asked.sorted()), (value, ran), "{id} {eager}");
        }
    });
}

workflow! {
    /// A choice between expressions is one, whatever its type.
    fn chosen(id: u64, loud: bool) -> Result<u64> {
        let word = if loud { "a" } else { "bc" };
        let number = match id { 0 => 1, 1 => 20, other => other * 100 };
        let kept = match weigh(id) { Ok(parcel) => parcel.grams, Err(_) => 0 };
        let text = words(word);
        let total = double(number + kept);
        let parcel = Parcel { grams: total, ..Parcel { id, grams: 0, name: text } };
        Ok(parcel.grams + parcel.name.len() as u64)
    }
}

#[test]
fn a_choice_between_expressions_is_an_expression() {
    block_on(async {
        for (id, loud, value) in [(0, true, 3), (1, false, 62), (3, true, 661), (300, false, 60_002)] {
            let (_, engine) = engine().await;
            assert_eq!(engine.start(chosen(id, loud)).await.unwrap().await.unwrap(), value);
        }
    });
    let engine = || Engine::in_memory().resources(App { asked: Arc::default() });
    crash_everywhere(engine, || chosen(3, true)).run();
}

workflow! {
    fn in_regions(n: u64) -> Result<Vec<u64>> {
        let weights: Vec<u64> = for id in list(n)? {
            weigh(id)?.grams
        };
        let mut total: u64 = 0;
        let mut tries = 0u32;
        #[limit(5)]
        while total < 10 {
            total += double(2) + 1;
            tries += 1;
        }
        Ok(vec![weights.iter().sum(), total, u64::from(tries)])
    }
}

#[test]
fn in_the_bodies_of_loops() {
    block_on(async {
        let (_, engine) = engine().await;
        assert_eq!(engine.start(in_regions(4)).await.unwrap().await.unwrap(), [100, 10, 2]);
    });
}

#[test]
fn steps_inside_expressions_survive_every_crash() {
    let engine = || Engine::in_memory().resources(App { asked: Arc::default() });
    let report = crash_everywhere(engine, || places(2)).check(|result| assert!(result.is_ok())).run();
    assert!(report.commits() > 10, "{report:?}");
    crash_everywhere(engine, || caught(300)).run();
    crash_everywhere(engine, || reached(60, true)).run();
    crash_everywhere(engine, || in_regions(3)).run();
}
