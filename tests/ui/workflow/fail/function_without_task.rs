use workflow_runtime::workflow;

fn double(number: u64) -> u64 {
    number * 2
}

workflow! {
    fn pages(id: u64) -> Result<u64> {
        let total = double(id);
        Ok(total)
    }
}

fn main() {}
