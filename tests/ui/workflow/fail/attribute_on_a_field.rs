//! Fields have no attributes.

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
        let range = std::ops::Range { #[cfg(any())] start: 1, end: id };
        let std::ops::Range { #[cfg(all())] start, .. } = range;
        let number = double(start);
        Ok(number)
    }
}

fn main() {}
