//! A step inside a larger argument would never run.

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
        let mut ids: Vec<u64> = Vec::new();
        ids.push(double(1));
        let number = double(*&double(1) + id);
        let some = Some(double(2));
        let list = [double(3)];
        let named = std::ops::Range { start: double(4), end: 5 };
        let chosen = match double(5) {
            _ => 1,
        };
        let held = &double(6);
        Ok(number)
    }
}

fn main() {}
