use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

workflow! {
    fn numbers(first: (u64, u64)) -> Result<u64> {
        let mut pair = first;
        #[limit(5)]
        while pair.0 < 10 {
            pair.0 = next(pair.0);
        }
        Ok(pair.0)
    }
}

fn main() {}
