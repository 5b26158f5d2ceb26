use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

workflow! {
    #[schedule("61 2 * * *", timezone = Berlin, overlap = skipp, first = ,)]
    fn numbers(first: u64) -> Result<u64> {
        let number = next(first);
        Ok(number)
    }
}

fn main() {}
