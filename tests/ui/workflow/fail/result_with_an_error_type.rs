use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

workflow! {
    fn numbers(first: u64) -> Result<u64, std::io::Error> {
        let number = next(first);
        Ok(number)
    }
}

fn main() {}
