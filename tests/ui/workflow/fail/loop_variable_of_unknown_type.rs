use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

workflow! {
    fn numbers(first: u64) -> Result<u64> {
        let mut number = first.rotate_left(1);
        #[limit(5)]
        while number < 10 {
            number = next(number);
        }
        Ok(number)
    }
}

fn main() {}
