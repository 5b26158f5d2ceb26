use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

workflow! {
    fn numbers(first: u64) -> Result<u64> {
        let number = if first > 1 {
            next(first)
        };
        Ok(number)
    }
}

fn main() {}
