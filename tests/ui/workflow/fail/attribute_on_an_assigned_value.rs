//! Attributes are read above an assignment.

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
        let mut number: u64 = 1;
        #[limit(3)]
        while number < id {
            number = #[retry(attempts = 3)] weigh(number)?;
        }
        Ok(number)
    }
}

fn main() {}
