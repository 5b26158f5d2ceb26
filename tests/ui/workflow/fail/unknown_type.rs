use workflow_runtime::{task, workflow};

#[task]
async fn fetch(id: u64) -> std::io::Result<String> {
    Ok(id.to_string())
}

workflow! {
    fn pages(id: Identity) -> Result<String> {
        let page = fetch(1)?;
        Ok(page)
    }
}

fn main() {}
