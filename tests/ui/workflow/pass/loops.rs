//! Loops whose first values are expressions, and what they leave.

use workflow_runtime::{Engine, task, workflow};

#[task]
async fn add(left: u64, right: u64) -> u64 {
    left + right
}

#[task]
async fn double(number: u64) -> u64 {
    number * 2
}

workflow! {
    fn loops(first: u64, items: Vec<u64>) -> Result<(u64, u64, Vec<u64>)> {
        let mut sum: u64 = first + 1;
        let mut turns = 0u64;
        #[limit(10)]
        while sum < 20 && turns < 5 {
            sum = add(sum, first * 2);
            turns = turns + 1;
        }
        let doubled = for item in items {
            let twice = double(item);
            if twice > 4 { add(twice, sum) } else { twice }
        };
        Ok((sum, turns, doubled.clone()))
    }
}

#[tokio::main]
async fn main() -> workflow_runtime::Result<()> {
    let engine = Engine::in_memory().start().await?;
    let found = engine.start(loops(2, vec![1, 2, 3])).await?.await?;
    assert_eq!(found, (23, 5, vec![2, 4, 29]));
    Ok(())
}
