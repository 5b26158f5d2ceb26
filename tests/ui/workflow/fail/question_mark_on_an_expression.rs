use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

workflow! {
    fn numbers(text: String) -> Result<u64> {
        let first: u64 = text.parse()?;
        let number = next(first);
        Ok(number)
    }
}

fn main() {}
