//! A wait inside an expression would never happen.

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
        let ids = list();
        let numbers: Vec<u64> = ids.iter().map(|id| { sleep("1s"); *id }).collect();
        let go = signal::<bool>("go") && numbers.is_empty();
        let first = 1 + select! {
            _ = sleep("1s") => 1,
            _ = sleep("2s") => 2,
        };
        Ok(first + id + u64::from(go))
    }
}

fn main() {}
