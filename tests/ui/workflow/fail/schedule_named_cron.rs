use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

workflow! {
    #[schedule(cron = "0 2 * * *")]
    fn numbers() -> Result<u64> {
        let number = next(1);
        Ok(number)
    }
}

fn main() {}
