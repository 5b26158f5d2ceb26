//! Every value that is accepted comes back bit for bit, by whatever road: the
//! store, a request, a remembered result, a fork, an operator, encryption.
//! Those of the command line are in `app/numbers.rs`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use support::{Random, says};
use workflow_runtime::store::{Encrypted, Key, KeyRing, Memory, Store};
use workflow_runtime::testing::block_on;
use workflow_runtime::{By, Engine, Error, Operation, Run, task, workflow};

/// Whatever a value may be made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Odd {
    double: f64,
    single: f32,
    large: u128,
    least: i128,
    word: u64,
    letter: char,
    text: String,
    shape: Shape,
    list: Vec<(f64, Option<i64>)>,
    by_number: BTreeMap<u128, f64>,
    by_name: HashMap<String, HashSet<u64>>,
    #[serde(flatten)]
    rest: BTreeMap<String, f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    One(f64),
    Two { a: i128, b: f32 },
}

fn double(random: &mut Random) -> f64 {
    loop {
        let double = f64::from_bits(random.number());
        if double.is_finite() {
            return double;
        }
    }
}

fn single(random: &mut Random) -> f32 {
    loop {
        let single = f32::from_bits(random.number() as u32);
        if single.is_finite() {
            return single;
        }
    }
}

fn large(random: &mut Random) -> u128 {
    let large = (u128::from(random.number()) << 64) | u128::from(random.number());
    [0, u128::MAX, u128::from(u64::MAX) + 1, large, large >> random.below(128)][random.below(5) as usize]
}

fn text(random: &mut Random) -> String {
    let letters = ['a', '"', '\\', '\n', '\0', 'é', '\u{2028}', '\u{feff}', '🦀', '\u{10ffff}'];
    (0..random.below(9)).map(|_| letters[random.below(10) as usize]).collect()
}

fn odd(random: &mut Random) -> Odd {
    Odd {
        double: double(random),
        single: single(random),
        large: large(random),
        least: large(random).cast_signed(),
        word: random.number(),
        letter: text(random).chars().next().unwrap_or('x'),
        text: text(random),
        shape: match random.below(3) {
            0 => Shape::Nothing,
            1 => Shape::One(double(random)),
            _ => Shape::Two { a: large(random).cast_signed(), b: single(random) },
        },
        list: (0..random.below(5)).map(|_| (double(random), Some(random.number().cast_signed()))).collect(),
        by_number: (0..random.below(5)).map(|_| (large(random), double(random))).collect(),
        by_name: (0..random.below(5))
            .map(|n| {
                (format!("{n}{}", text(random)), (0..random.below(5)).map(|_| random.number()).collect())
            })
            .collect(),
        rest: (0..random.below(5)).map(|n| (format!("rest {n}"), double(random))).collect(),
    }
}

/// `==` calls the two zeros equal.
fn same(left: &Odd, right: &Odd) -> bool {
    left == right && format!("{left:?}").len() == format!("{right:?}").len()
}

#[task]
async fn pass(value: &Odd) -> Odd {
    value.clone()
}

#[task(cache = "24h")]
async fn remembered(value: &Odd) -> Odd {
    value.clone()
}

workflow! {
    fn travels(value: Odd) -> Result<(Odd, Odd, Odd, Odd)> {
        let passed = pass(&value);
        let cached = remembered(&value);
        let heard = signal::<Odd>("heard");
        let set = signal::<Odd>("set");
        Ok((passed, cached, heard, set))
    }
}

async fn engine(store: &impl Fn() -> Arc<dyn Store>) -> Engine {
    Engine::with_store(store()).register::<travels>().start().await.unwrap()
}

fn ann() -> By {
    By { actor: "ann".to_owned(), reason: None }
}

/// `store` opens it once more.
async fn come_back(store: impl Fn() -> Arc<dyn Store>, seed: u64) {
    let mut random = Random::new(seed);
    let value = odd(&mut random);
    let first = engine(&store).await;
    let run = first.start(travels(value.clone())).await.unwrap();
    run.signal(travels::heard, value.clone()).await.unwrap();
    let id = run.id().to_owned();
    first.shutdown().await;

    // What waits is read back, and settled by hand.
    let second = engine(&store).await;
    let run: Run<(Odd, Odd, Odd, Odd)> = second.run(&id).await.unwrap().typed().unwrap();
    run.signal(travels::set, value.clone()).await.unwrap();
    let (passed, cached, heard, set) = run.clone().await.unwrap();
    for came in [&passed, &cached, &heard, &set] {
        assert!(same(came, &value), "seed {seed}: {came:?} is not {value:?}");
    }
    // A fork takes results over, and its task finds the remembered one.
    let fork = Operation::Fork { from: "travels/passed".to_owned() };
    let fork = second.operate(Some(&id), fork, ann()).await.unwrap();
    let rerun = second.operate(Some(&id), Operation::Rerun, ann()).await.unwrap();
    second.shutdown().await;
    let third = engine(&store).await;
    for id in [id, fork] {
        let run: Run<(Odd, Odd, Odd, Odd)> = third.run(&id).await.unwrap().typed().unwrap();
        let (a, b, c, d) = run.await.unwrap();
        assert!([a, b, c, d].iter().all(|came| same(came, &value)), "seed {seed}");
    }
    let run: Run<(Odd, Odd, Odd, Odd)> = third.run(&rerun).await.unwrap().typed().unwrap();
    run.signal(travels::heard, value.clone()).await.unwrap();
    run.signal(travels::set, value.clone()).await.unwrap();
    let (a, b, ..) = run.await.unwrap();
    assert!(same(&a, &value) && same(&b, &value), "seed {seed}");
    third.shutdown().await;
}

#[test]
fn every_value_comes_back_bit_for_bit() {
    let seeds = std::env::var("WORKFLOW_SEEDS").map_or(30, |seeds| seeds.parse().unwrap());
    for seed in 0..seeds {
        block_on(async move {
            let memory = Memory::new();
            come_back(|| Arc::new(memory.clone()), seed).await;
        });
    }
}

#[test]
fn every_value_comes_back_bit_for_bit_encrypted() {
    for seed in 0..5 {
        block_on(async move {
            let (memory, keys) = (Memory::new(), KeyRing::new("test", Key::from_bytes([7; 32])));
            come_back(|| Arc::new(Encrypted::open(Arc::new(memory.clone()), &keys).unwrap()), seed).await;
        });
    }
}

/// What the store does not keep of a value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Leaky {
    id: u64,
    #[serde(skip)]
    skipped: String,
    #[serde(default, skip_serializing)]
    unwritten: Vec<u64>,
    #[serde(default, skip_serializing_if = "is_seven")]
    seven: u64,
    #[serde(serialize_with = "rounded")]
    rounded: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_seven(number: &u64) -> bool {
    *number == 7
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn rounded<S: serde::Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(number.round())
}

fn leaky() -> Leaky {
    Leaky { id: 1, skipped: "full".to_owned(), unwritten: vec![1, 2], seven: 7, rounded: 1.6 }
}

/// As a restart would have left it.
fn leaked() -> Leaky {
    Leaky { id: 1, rounded: 2.0, ..Leaky::default() }
}

#[task]
async fn leak() -> Leaky {
    leaky()
}

#[task]
async fn seen(value: &Leaky) -> String {
    format!("{value:?}")
}

#[task]
async fn seen_by_failing(value: Leaky) -> Result<String, std::fmt::Error> {
    Ok(format!("{value:?}"))
}

#[task]
async fn keep(value: Leaky) -> Leaky {
    Leaky { skipped: "full again".to_owned(), ..value }
}

#[task]
async fn all(a: String, b: String, c: String, d: String, e: String) -> Vec<String> {
    vec![a, b, c, d, e]
}

workflow! {
    fn inner(value: Leaky) -> Result<Leaky> {
        let passed = keep(value);
        Ok(passed)
    }
}

workflow! {
    fn leaks(given: Leaky) -> Result<(Leaky, Vec<String>)> {
        let made = leak();
        let heard = signal::<Leaky>("heard");
        let by_value = leak();
        let a = seen(&given);
        let b = seen(&made);
        let c = seen(&heard);
        let d = seen_by_failing(by_value)?;
        let child = inner(made)?;
        let e = seen(&child);
        let saw = all(a, b, c, d, e);
        Ok((heard, saw))
    }
}

/// The next step sees what it would see after a restart, and so does whoever
/// awaits the run.
#[test]
fn what_is_not_saved_is_not_handed_on_either() {
    block_on(async {
        let store = Memory::new();
        let engine = Engine::with_store(Arc::new(store.clone())).register::<leaks>().start().await.unwrap();
        let run = engine.start(leaks(leaky())).await.unwrap();
        let id = run.id().to_owned();
        run.signal(leaks::heard, leaky()).await.unwrap();
        let (result, saw) = run.await.unwrap();
        assert_eq!(result, leaked());
        assert_eq!(saw, vec![format!("{:?}", leaked()); 5]);
        engine.shutdown().await;
        let engine = Engine::with_store(Arc::new(store)).register::<leaks>().start().await.unwrap();
        let run: Run<(Leaky, Vec<String>)> = engine.run(&id).await.unwrap().typed().unwrap();
        assert_eq!(run.await.unwrap(), (result, saw));
    });
}

/// Written, and then not read.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct OneWay {
    #[serde(skip_serializing)]
    needed: u64,
}

#[task]
async fn one_way() -> OneWay {
    OneWay { needed: 1 }
}

workflow! {
    fn goes_one_way() -> Result<u64> {
        let value = one_way();
        Ok(value.needed)
    }
}

#[test]
fn what_is_not_read_back_fails_its_step() {
    block_on(async {
        let engine = Engine::with_store(Arc::new(Memory::new())).start().await.unwrap();
        let Err(Error::Failed { error, .. }) = engine.start(goes_one_way()).await.unwrap().await else {
            panic!("the value was kept");
        };
        assert_eq!(error.step(), "goes_one_way/value");
        says(&error.to_string(), &["OneWay", "cannot be read back", "missing field `needed`"]);
    });
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    prices: HashMap<String, u64>,
    tags: HashSet<String>,
    nested: Vec<HashMap<u32, HashSet<u8>>>,
}

fn order(last: u64) -> Order {
    Order {
        prices: (0..9).map(|n| (format!("item {n}"), if n == 8 { last } else { n })).collect(),
        tags: (0..9).map(|n| format!("tag {n}")).collect(),
        nested: vec![(0..5).map(|n| (n, (0..5).collect())).collect()],
    }
}

#[task]
async fn total(order: &Order) -> u64 {
    order.prices.values().sum()
}

workflow! {
    fn ordered(order: Order) -> Result<u64> {
        let total = total(&order);
        Ok(total)
    }
}

/// Whose maps iterate in another order each time.
#[test]
fn equal_arguments_are_the_same_run_in_whatever_order_their_maps_are() {
    block_on(async {
        for engine in [Engine::in_memory(), Engine::with_store(Arc::new(Memory::new()))] {
            let engine = engine.start().await.unwrap();
            let first = engine.start(ordered(order(8))).key("today").await.unwrap();
            for _ in 0..20 {
                let again = engine.start(ordered(order(8))).key("today").await.unwrap();
                assert_eq!(again.id(), first.id());
            }
            let other = engine.start(ordered(order(9))).key("today").await;
            assert!(matches!(other, Err(Error::KeyInUse { .. })), "{other:?}");
        }
    });
}
