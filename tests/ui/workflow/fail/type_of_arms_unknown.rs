use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

fn twice(number: u64) -> u64 {
    number * 2
}

workflow! {
    fn numbers(first: u64) -> Result<u64> {
        let limit = if first > 1 {
            let more = next(first);
            (twice)(more)
        } else {
            7
        };
        let number = next(limit);
        Ok(number)
    }
}

fn main() {}
