//! No attribute inside an expression is read.

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
        let sum = id + #[retry(attempts = 3)] 2;
        let both = (#[limit(2)] sum, #[doc = "one"] id);
        let list = [#[allow(unused)] sum];
        let number = double(#[name = "first"] both.0 + list[0]);
        Ok(number)
    }
}

fn main() {}
