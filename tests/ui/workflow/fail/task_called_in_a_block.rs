//! A task that is called in a block of an expression would never run.

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
        let number = {
            double(1);
            id
        };
        let other = unsafe { weigh(number); number };
        let more = if other > 1 { 1 } else { 2 } + if other > 2 { double(3); 1 } else { 0 };
        Ok(more)
    }
}

fn main() {}
