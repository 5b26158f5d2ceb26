use workflow_runtime::{task, workflow};

#[task]
async fn fetch(id: u64) -> std::io::Result<String> {
    Ok(id.to_string())
}

workflow! {
    fn pages(id: String) -> Result<String> {
        let page = fetch(id)?;
        Ok(page)
    }
}

fn main() {}
