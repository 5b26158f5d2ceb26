//! A task that a method of an argument calls would never run.

use workflow_runtime::{task, workflow};

#[task]
async fn double(number: u64) -> u64 {
    number * 2
}

workflow! {
    fn numbers(id: u64) -> Result<usize> {
        let found: usize = Some(id).map(|id| move || (double)(id)).iter().count();
        Ok(found)
    }
}

fn main() {}
