//! The next turn of a loop begins with its variables.

use workflow_runtime::{task, workflow};

#[task]
async fn weigh(id: u64) -> std::io::Result<u64> {
    Ok(id)
}

workflow! {
    fn numbers(id: u64) -> Result<u64> {
        let mut number: u64 = 0;
        #[limit(3)]
        while number < id {
            #[always]
            number = weigh(number)?;
        }
        Ok(number)
    }
}

fn main() {}
