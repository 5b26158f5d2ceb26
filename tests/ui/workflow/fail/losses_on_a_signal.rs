//! Only attempts of tasks are lost.

use workflow_runtime::workflow;

workflow! {
    fn waits() -> Result<u8> {
        #[losses(3)]
        let number = signal::<u8>("go");
        Ok(number)
    }
}

fn main() {}
