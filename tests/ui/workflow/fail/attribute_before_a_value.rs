//! Attributes are read above a statement, and not before its value.

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
        let weights = #[limit(2)] for id in ids {
            weigh(id)?
        };
        let weight = #[retry(attempts = 3)] weigh(id)?;
        let other = #[timeout("1s")]
        #[always]
        double(weights[0]);
        Ok(weight + other)
    }
}

fn main() {}
