use workflow_runtime::workflow;

workflow! {
    fn approval() -> Result<bool> {
        let approved = signal::<bool>();
        Ok(approved)
    }
}

fn main() {}
