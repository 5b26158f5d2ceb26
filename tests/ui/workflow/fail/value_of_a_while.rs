//! A `while` assigns, and has no value.

use workflow_runtime::{task, workflow};

#[task]
async fn weigh(id: u64) -> std::io::Result<u64> {
    Ok(id)
}

workflow! {
    fn numbers(id: u64) -> Result<u64> {
        let mut number: u64 = 0;
        #[limit(3)]
        let all = while number < id {
            number = weigh(number)?;
        };
        Ok(number)
    }
}

fn main() {}
