use workflow_runtime::{task, workflow};

#[task]
async fn list() -> Vec<u64> {
    vec![1, 2]
}

#[task]
async fn publish(total: u64) -> std::io::Result<()> {
    let _ = total;
    Ok(())
}

workflow! {
    fn numbers() -> Result<()> {
        let all = list();
        for number in all {
            if number > 10 {
                continue;
            }
            publish(number)?;
        }
        Ok(())
    }
}

fn main() {}
