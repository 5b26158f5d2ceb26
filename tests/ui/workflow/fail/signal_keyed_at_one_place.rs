use workflow_runtime::workflow;

workflow! {
    fn nightly(order: u64) -> Result<bool> {
        let first = signal::<bool>("approval").keyed(order);
        let second = signal::<bool>("approval");
        Ok(first && second)
    }
}

fn main() {}
