use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

workflow! {
    fn numbers(pair: (u64, u64)) -> Result<u64> {
        let (ref first, _) = pair;
        let number = next(*first);
        Ok(number)
    }
}

fn main() {}
