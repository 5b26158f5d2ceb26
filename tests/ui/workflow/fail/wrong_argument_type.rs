use workflow_runtime::{task, workflow};

#[task]
async fn fetch(id: u64) -> std::io::Result<String> {
    Ok(id.to_string())
}

#[task]
async fn count(text: &str) -> u64 {
    text.len() as u64
}

workflow! {
    fn pages(id: u64) -> Result<u64> {
        let page = fetch(id)?;
        let total = count(&id);
        Ok(total + page.len() as u64)
    }
}

fn main() {}
