//! A task in a list of functions would never run.

use workflow_runtime::{task, workflow};

#[task]
async fn double(number: u64) -> u64 {
    number * 2
}

workflow! {
    fn numbers(id: u64) -> Result<usize> {
        let found: usize = [double].map(|call| call(id)).len();
        Ok(found)
    }
}

fn main() {}
