//! A task in what fills the rest of a struct would never run.

use workflow_runtime::{task, workflow};

#[task]
async fn double(number: u64) -> u64 {
    number * 2
}

#[derive(Clone, Default)]
struct Pair {
    first: u64,
    second: u64,
}

workflow! {
    fn numbers(id: u64) -> Result<u64> {
        let found: u64 = (Pair { first: id, ..{ std::mem::drop((double)(id)); Pair::default() } }).second;
        Ok(found)
    }
}

fn main() {}
