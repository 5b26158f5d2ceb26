use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

workflow! {
    fn numbers(first: u64) -> Result<u64> {
        let number = next(first);
        #[timeout("1m")]
        Ok(number)
    }
}

fn main() {}
