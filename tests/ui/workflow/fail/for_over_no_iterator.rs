use workflow_runtime::{task, workflow};

#[task]
async fn publish(total: u64) -> std::io::Result<()> {
    let _ = total;
    Ok(())
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Report;

#[task]
async fn summarise() -> Report {
    Report
}

workflow! {
    fn numbers() -> Result<()> {
        let report = summarise();
        for number in report {
            publish(number)?;
        }
        Ok(())
    }
}

fn main() {}
