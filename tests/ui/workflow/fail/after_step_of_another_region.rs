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
    fn numbers(first: u64) -> Result<()> {
        if first > 1 {
            let inner = next(first);
            publish(inner)?;
        }
        #[after(inner)]
        publish(first)?;
        Ok(())
    }
}

fn main() {}
