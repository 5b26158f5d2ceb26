//! How long to wait has no effect where nothing is repeated.

use workflow_runtime::{task, workflow};

#[task]
async fn list() -> Vec<u64> {
    vec![1, 2]
}

#[task]
async fn weigh(id: u64) -> std::io::Result<u64> {
    Ok(id)
}

#[task]
async fn double(number: u64) -> u64 {
    number * 2
}

workflow! {
    fn numbers(id: u64) -> Result<u64> {
        #[retry(backoff = fixed("1s"))]
        let weight = weigh(id)?;
        #[retry(attempts = 1, jitter = 0.5, budget = "1m")]
        let other = weigh(weight)?;
        Ok(other)
    }
}

fn main() {}
