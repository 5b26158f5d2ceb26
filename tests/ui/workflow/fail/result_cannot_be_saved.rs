use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

struct Raw(u64);

workflow! {
    fn numbers(first: u64) -> Result<Raw> {
        let number = next(first);
        Ok(Raw(number))
    }
}

fn main() {}
