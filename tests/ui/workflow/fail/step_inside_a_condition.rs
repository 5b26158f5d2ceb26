use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

workflow! {
    fn numbers(first: u64) -> Result<u64> {
        let number = next(first);
        let other: u64 = if next(number) > 1 { 1 } else { 2 };
        Ok(other)
    }
}

fn main() {}
