use workflow_runtime::{task, workflow};

#[task]
async fn publish(total: u64) -> std::io::Result<()> {
    let _ = total;
    Ok(())
}

workflow! {
    fn numbers(first: u64) -> Result<()> {
        for number in 0..first {
            publish(number)?;
        }
        Ok(())
    }
}

fn main() {}
