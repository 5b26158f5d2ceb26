use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

#[derive(Clone)]
struct Raw(u64);

workflow! {
    fn numbers(first: Raw) -> Result<u64> {
        let number = next(first.0);
        Ok(number)
    }
}

fn main() {}
