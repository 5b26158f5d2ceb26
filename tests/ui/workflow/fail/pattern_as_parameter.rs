use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

workflow! {
    fn numbers((first, second): (u64, u64)) -> Result<u64> {
        let number = next(first + second);
        Ok(number)
    }
}

fn main() {}
