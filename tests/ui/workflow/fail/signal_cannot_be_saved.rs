use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

struct Raw(u64);

workflow! {
    fn numbers() -> Result<u64> {
        let first = signal::<Raw>("first");
        let number = next(first.0);
        Ok(number)
    }
}

fn main() {}
