//! A call is a step, also of what may be no task.

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

fn plain(number: u64) -> u64 {
    number
}

workflow! {
    fn numbers(id: u64) -> Result<u64> {
        let sum = id + plain(3);
        Ok(sum)
    }
}

fn main() {}
