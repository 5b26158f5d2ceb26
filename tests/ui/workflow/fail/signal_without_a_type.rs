use workflow_runtime::workflow;

workflow! {
    fn approval() -> Result<bool> {
        let approved = signal("approved");
        Ok(approved)
    }
}

fn main() {}
