//! An arm of `select!` has no attributes.

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
        let number: u64 = select! {
            #[retry(attempts = 3)]
            weight = weigh(id) => weight.unwrap_or_default(),
            _ = #[name = "patience"] sleep("1h") => 0,
        };
        Ok(number)
    }
}

fn main() {}
