use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

#[task]
async fn publish(total: u64) -> std::io::Result<()> {
    let _ = total;
    Ok(())
}

workflow! {
    fn numbers(first: Option<u64>) -> Result<()> {
        #[limit(5)]
        while let Some(number) = first {
            publish(number)?;
        }
        Ok(())
    }
}

fn main() {}
