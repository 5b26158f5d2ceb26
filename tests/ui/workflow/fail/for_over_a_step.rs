//! A `for` takes the items of a step by its name.

use workflow_runtime::{task, workflow};

#[task]
async fn list() -> Vec<u64> {
    vec![1, 2]
}

#[task]
async fn double(number: u64) -> u64 {
    number * 2
}

workflow! {
    fn doubled() -> Result<Vec<u64>> {
        let doubled = for number in list() {
            double(number)
        };
        Ok(doubled)
    }
}

fn main() {}
