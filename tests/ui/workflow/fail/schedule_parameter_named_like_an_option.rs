use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

workflow! {
    #[schedule("0 2 * * *", missed = none)]
    fn numbers(missed: u64) -> Result<u64> {
        let number = next(missed);
        Ok(number)
    }
}

fn main() {}
