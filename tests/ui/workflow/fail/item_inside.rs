use workflow_runtime::{task, workflow};

#[task]
async fn fetch(id: u64) -> std::io::Result<String> {
    Ok(id.to_string())
}

workflow! {
    fn pages(id: u64) -> Result<String> {
        const LIMIT: u64 = 3;
        let page = fetch(id + LIMIT)?;
        Ok(page)
    }
}

fn main() {}
