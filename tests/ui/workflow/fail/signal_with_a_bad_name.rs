use workflow_runtime::workflow;

workflow! {
    fn approval() -> Result<bool> {
        let approved = signal::<bool>("is it approved");
        Ok(approved)
    }
}

fn main() {}
