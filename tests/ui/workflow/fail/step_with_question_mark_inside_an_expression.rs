use workflow_runtime::{task, workflow};

#[task]
async fn fetch(id: u64) -> std::io::Result<String> {
    Ok(id.to_string())
}

workflow! {
    fn pages(id: u64) -> Result<usize> {
        let length = fetch(id)?.len();
        Ok(length)
    }
}

fn main() {}
