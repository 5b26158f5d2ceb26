//! A step cannot repeat what its task says must not be repeated.

use workflow_runtime::{task, workflow};

#[task(at_most_once)]
async fn wire(cents: u64) -> std::io::Result<u64> {
    Ok(cents)
}

workflow! {
    fn pay(cents: u64) -> Result<u64> {
        #[retry(attempts = 3)]
        let wired = wire(cents)?;
        Ok(wired)
    }
}

fn main() {}
