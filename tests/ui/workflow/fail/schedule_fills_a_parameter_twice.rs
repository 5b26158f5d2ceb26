use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

workflow! {
    #[schedule("0 2 * * *", first = 1, first = 2)]
    fn numbers(first: u64) -> Result<u64> {
        let number = next(first);
        Ok(number)
    }
}

fn main() {}
