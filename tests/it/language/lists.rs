//! `for` over what people have: ranges, fields, slices, iterators. No type is
//! asked for, and each item is found again by its place.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use support::run;
use workflow_runtime::testing::crash_everywhere;
use workflow_runtime::{Engine, Result, task, workflow};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    pub id: u64,
    pub items: Vec<u64>,
}

#[task]
async fn order(id: u64) -> Order {
    Order { id, items: vec![id, id + 1, id + 2] }
}

#[task]
async fn double(n: u64) -> u64 {
    n * 2
}

#[task]
async fn numbered(place: usize, text: &str) -> String {
    format!("{place}{text}")
}

#[task]
async fn total(numbers: &[u64]) -> u64 {
    numbers.iter().sum()
}

#[task]
async fn owned(numbers: Vec<u64>) -> u64 {
    numbers.iter().sum()
}

#[task]
async fn words() -> BTreeMap<String, u64> {
    [("b".to_owned(), 2), ("a".to_owned(), 1)].into()
}

type Many = Vec<u64>;
type Seven = (Many, Many, Many, Many, Many, Many, Many);

workflow! {
    fn over(n: u64, names: Vec<String>) -> Result<(Seven, Seven)> {
        let order = order(n);
        let map = words();
        let up = for i in 0..n { double(i) };
        let closed = for i in 1..=n { double(i) };
        let down = for i in (0..n).rev().step_by(2) { double(i) };
        let listed = for i in [3u64, 1, 2] { double(i) };
        let field = for item in order.items { double(item) };
        let lent = for item in &order.items { double(*item) };
        let taken = for &item in &order.items { double(item) };
        let names = for (i, name) in names.iter().enumerate() { numbered(i, name) };
        let zipped = for (one, other) in order.items.iter().zip(names.iter()) {
            let text = numbered(*one as usize, other);
            double(*one + text.len() as u64)
        };
        let chunks = for chunk in order.items.chunks(2) { total(chunk) };
        let windows = for pair in order.items.windows(2) { owned(pair.to_vec()) };
        let mapped = for i in order.items.iter().map(|item| item * 10).filter(|item| *item > 10) { double(i) };
        let entries = for (word, number) in &map { numbered(*number as usize, word) };
        let keys = for key in map.keys() { numbered(0, key) };
        let parsed = for part in "7,8".split(',') {
            let number: u64 = part.parse()?;
            double(number)
        };
        let nested = for i in 0..2u64 {
            let inner = for j in i..3 { double(i * 10 + j) };
            total(&inner)
        };
        let texts: Vec<u64> = names.iter().chain(&entries).chain(&keys).map(|text| text.len() as u64).collect();
        let first = (up, closed, down, listed, field, lent, taken);
        let second = (zipped, chunks, windows, mapped, parsed, nested, texts);
        Ok((first, second))
    }
}

#[test]
fn over_ranges_fields_and_iterators() {
    let ran = run(over(3, vec!["x".to_owned(), "yy".to_owned()]));
    let all: [&[u64]; 14] = [
        &[0, 2, 4],
        &[2, 4, 6],
        &[4, 0],
        &[6, 2, 4],
        &[6, 8, 10],
        &[6, 8, 10],
        &[6, 8, 10],
        &[12, 16],
        &[7, 5],
        &[7, 9],
        &[60, 80, 100],
        &[14, 16],
        &[6, 46],
        &[2, 3, 2, 2, 2, 2],
    ];
    let (a, b) = ran.value().clone();
    let found = [a.0, a.1, a.2, a.3, a.4, a.5, a.6, b.0, b.1, b.2, b.3, b.4, b.5, b.6];
    assert_eq!(found, all);
    ran.assert_state("over/down[1]/double", support::STEP_SUCCEEDED);
}

workflow! {
    /// The types of what they end in follow.
    fn told(n: u64, name: String) -> Result<(Vec<u64>, Vec<String>, Vec<Order>, bool, u64)> {
        let sums = for i in 0..3u64 { let d = double(i); d + 1 };
        let texts = for i in 0..2u64 { format!("{name}-{i}") };
        let orders = for i in 0..n { let d = double(i); Order { id: d, items: vec![] } };
        let flag = if n > 1 { let d = double(n); d > 3 } else { false };
        let more = if n > 1 { n * 2 } else { 7 };
        Ok((sums, texts, orders, flag, more))
    }
}

#[test]
fn the_type_of_what_a_region_ends_in_follows() {
    let ran = run(told(2, "a".to_owned()));
    let (sums, texts, orders, flag, more) = ran.value();
    assert_eq!(
        (sums.as_slice(), texts.as_slice()),
        (&[1, 3, 5][..], &["a-0".to_owned(), "a-1".to_owned()][..])
    );
    assert_eq!((orders.len(), orders[1].id, *flag, *more), (2, 2, true, 4));
}

#[test]
fn lists_survive_every_crash() {
    crash_everywhere(Engine::in_memory, || over(2, vec!["x".to_owned(), "yy".to_owned()])).run();
    crash_everywhere(Engine::in_memory, || told(2, "a".to_owned())).run();
}
