//! A child workflow is no attempt that could be repeated or limited.

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
    fn part(id: u64) -> Result<u64> {
        let number = double(id);
        Ok(number)
    }
}

workflow! {
    fn numbers(id: u64) -> Result<u64> {
        #[retry(attempts = 3)]
        let first = part(id)?;
        #[timeout("1s")]
        let second = part(first)?;
        Ok(second)
    }
}

fn main() {}
