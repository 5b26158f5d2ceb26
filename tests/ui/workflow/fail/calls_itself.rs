use workflow_runtime::workflow;

workflow! {
    fn numbers(first: u64) -> Result<u64> {
        let number = numbers(first - 1)?;
        Ok(number)
    }
}

fn main() {}
