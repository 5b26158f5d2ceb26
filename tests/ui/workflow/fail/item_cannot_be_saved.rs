use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

#[derive(Clone)]
struct Raw(u64);

workflow! {
    fn numbers(first: u64) -> Result<Vec<u64>> {
        let all: Vec<Raw> = vec![Raw(first)];
        let numbers = for raw in all {
            next(raw.0)
        };
        Ok(numbers)
    }
}

fn main() {}
