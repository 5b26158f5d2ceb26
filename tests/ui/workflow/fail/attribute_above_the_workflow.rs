//! What would reach only the function that makes an invocation.

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
    #[retry(attempts = 3)]
    #[inline]
    #[std::prelude::v1::test]
    #[expect(unused)]
    #[cfg_attr(all(), schedule("0 2 * * *"))]
    fn numbers(id: u64) -> Result<u64> {
        let number = double(id);
        Ok(number)
    }
}

fn main() {}
