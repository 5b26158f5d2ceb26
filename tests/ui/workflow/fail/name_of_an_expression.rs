//! An expression is no step, and has no name.

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
        #[name = "sum"]
        let sum = id + 1;
        let number = double(sum);
        #[name = "result"]
        Ok(number)
    }
}

fn main() {}
