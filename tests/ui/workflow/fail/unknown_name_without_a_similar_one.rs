use workflow_runtime::{task, workflow};

#[task]
async fn count(text: &str) -> u64 {
    text.len() as u64
}

workflow! {
    fn pages() -> Result<u64> {
        let total = count(&zebra);
        Ok(total)
    }
}

fn main() {}
