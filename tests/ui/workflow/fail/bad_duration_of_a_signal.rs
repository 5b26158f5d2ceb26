use workflow_runtime::workflow;

workflow! {
    fn approval() -> Result<bool> {
        let approved = signal::<bool>("approved").within("soon")?;
        Ok(approved)
    }
}

fn main() {}
