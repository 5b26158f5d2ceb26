//! Tasks of a few kinds, for workflows whose shape is what is tested.

use std::time::Duration;

use workflow_runtime::{Context, task};

/// The error of these tasks: some words.
#[derive(Clone, Debug, PartialEq)]
pub struct Oops(pub String);

impl std::fmt::Display for Oops {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Oops {}

pub fn oops(words: impl Into<String>) -> Oops {
    Oops(words.into())
}

/// Its argument.
#[task]
pub async fn give(value: u64) -> u64 {
    value
}

/// Some words.
#[task]
pub async fn say(words: &str) -> String {
    words.to_owned()
}

#[task]
pub async fn add(left: &u64, right: &u64) -> u64 {
    left + right
}

#[task]
pub async fn double(value: u64) -> u64 {
    value * 2
}

#[task]
pub async fn sum(values: &[u64]) -> u64 {
    values.iter().sum()
}

#[task]
pub async fn join(words: &[String]) -> String {
    words.join(" ")
}

/// The numbers below `end`.
#[task]
pub async fn count_to(end: u64) -> Vec<u64> {
    (0..end).collect()
}

/// Gives `value` after so many seconds.
#[task]
pub async fn slow(value: u64, seconds: u64) -> u64 {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    value
}

/// Fails after so many seconds.
#[task]
pub async fn fail_after(seconds: u64) -> Result<u64, Oops> {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    Err(oops("broken"))
}

/// Succeeds, or fails, as it is told.
#[task]
pub async fn try_it(good: bool) -> Result<u64, Oops> {
    if good { Ok(1) } else { Err(oops("broken")) }
}

/// Fails `times`, and then tells which attempt it is.
#[task]
pub async fn flaky(times: u32, #[context] cx: &Context) -> Result<u32, Oops> {
    if cx.attempt() <= times { Err(oops(format!("not yet, {}", cx.attempt()))) } else { Ok(cx.attempt()) }
}

/// Never ends.
#[task]
pub async fn hang() -> u64 {
    std::future::pending().await
}

/// Nothing, and takes no time.
#[task]
pub async fn nothing() {}

/// Panics.
#[task]
pub async fn burst(words: String) -> u64 {
    panic!("{words}")
}
