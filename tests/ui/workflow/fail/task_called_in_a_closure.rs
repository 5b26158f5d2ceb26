//! A task that is called in a closure would never run.

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
        let doubled: Vec<_> = ids.iter().map(|id| double(*id)).collect();
        let count = ids.iter().map(|id| { weigh(*id); id }).sum::<u64>();
        let second = ids.iter().filter(|id| { tasks::triple(**id); true }).count();
        Ok(count + id)
    }
}

fn main() {}
