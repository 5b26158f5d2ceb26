use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

workflow! {
    fn numbers(first: u64) -> Result<u64> {
        let limit = if first > 1 { first * 2 } else { 7 };
        let number = next(limit);
        Ok(number)
    }
}

fn main() {}
