//! A task that is handed over as a function would never run.

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

mod tasks {
    use workflow_runtime::task;

    #[task]
    pub async fn triple(number: u64) -> u64 {
        number * 3
    }
}

workflow! {
    fn numbers(id: u64) -> Result<u64> {
        let ids = list();
        let count = ids.iter().copied().map(double).count() + ids.iter().copied().map(tasks::triple).count();
        let function = weigh;
        let functions = (double, id);
        Ok(count as u64 + functions.1)
    }
}

fn main() {}
