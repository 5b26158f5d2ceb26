use workflow_runtime::workflow;

workflow! {
    fn numbers(first: u64) -> Result<u64> {
        sleep_until(first);
        Ok(first)
    }
}

fn main() {}
