//! A time limit is no argument of a signal.

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
        let go = signal::<bool>("go", "3d");
        let number = if go { double(id) } else { 0 };
        Ok(number)
    }
}

fn main() {}
