//! Nothing awaits a future in a workflow.

use workflow_runtime::{task, workflow};

#[task]
async fn list() -> Vec<u64> {
    vec![1, 2]
}

#[task]
async fn weigh(id: u64) -> std::io::Result<u64> {
    Ok(id)
}

#[task]
async fn double(number: u64) -> u64 {
    number * 2
}

workflow! {
    fn numbers(id: u64) -> Result<u64> {
        let ids = list();
        let later = async { 1 };
        let closures = ids.iter().map(async |id| *id).count();
        Ok(closures as u64 + id)
    }
}

fn main() {}
