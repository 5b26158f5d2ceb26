use workflow_runtime::workflow;

workflow! {
    fn nightly(order: u64) -> Result<bool> {
        let verdict = signal::<bool>("approval").keyed(order).keyed(order);
        Ok(verdict)
    }
}

fn main() {}
