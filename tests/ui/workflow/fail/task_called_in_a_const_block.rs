//! A task in a `const` block would never run.

use workflow_runtime::{task, workflow};

#[task]
async fn double(number: u64) -> u64 {
    number * 2
}

workflow! {
    fn numbers(id: u64) -> Result<u64> {
        let found: u64 = id + const { drop((double)(1)); 1 };
        Ok(found)
    }
}

fn main() {}
