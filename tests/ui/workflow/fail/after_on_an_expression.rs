use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

workflow! {
    fn numbers(first: u64) -> Result<u64> {
        let a = next(first);
        #[after(a)]
        let b = first + 1;
        let c = next(b);
        Ok(a + c)
    }
}

fn main() {}
