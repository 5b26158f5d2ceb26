use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

workflow! {
    fn numbers(first: Option<u64>) -> Result<u64> {
        let Some(inner) = first;
        let number = next(inner);
        Ok(number)
    }
}

fn main() {}
