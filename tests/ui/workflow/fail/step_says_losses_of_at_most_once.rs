//! What is not repeated is not lost again, whatever its step says.

use workflow_runtime::{task, workflow};

#[task(at_most_once)]
async fn wire(cents: u64) -> u64 {
    cents
}

workflow! {
    fn pay(cents: u64) -> Result<u64> {
        #[losses(3)]
        let wired = wire(cents);
        Ok(wired)
    }
}

fn main() {}
