use workflow_runtime::workflow;

workflow! {
    fn numbers<T: Clone>(first: u64) -> Result<u64> {
        Ok(first)
    }
}

fn main() {}
