use workflow_runtime::workflow;

workflow! {
    fn approval() -> Result<bool> {
        let first = signal::<bool>("approved");
        #[name = "second"]
        let second = signal::<u64>("approved");
        Ok(first && second > 0)
    }
}

fn main() {}
