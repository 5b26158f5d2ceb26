use workflow_runtime::workflow;

workflow! {
    fn words(words: &[String]) -> Result<u64> {
        Ok(words.len() as u64)
    }
}

fn main() {}
