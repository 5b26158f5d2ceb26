use workflow_runtime::{task, workflow};

#[task]
async fn publish(total: u64) -> std::io::Result<()> {
    let _ = total;
    Ok(())
}

workflow! {
    fn numbers(first: u64) {
        publish(first)?;
    }
}

fn main() {}
