use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

workflow! {
    fn numbers(first: Option<u64>) -> Result<u64> {
        let number = match first {
            Some(number) if number > 1 => next(number),
            None => next(0),
        };
        Ok(number)
    }
}

fn main() {}
