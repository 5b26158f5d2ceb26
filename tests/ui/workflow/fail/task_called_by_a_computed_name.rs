//! A block around a task makes no plain function of it.

use workflow_runtime::{task, workflow};

#[task]
async fn double(number: u64) -> u64 {
    number * 2
}

workflow! {
    fn numbers(ids: Vec<u64>) -> Result<usize> {
        let found: usize = ids.iter().map(|id| { double }(*id)).count();
        Ok(found)
    }
}

fn main() {}
