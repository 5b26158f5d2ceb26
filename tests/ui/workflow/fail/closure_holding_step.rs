use workflow_runtime::{task, workflow};

#[task]
async fn list() -> Vec<u64> {
    vec![1, 2]
}

#[task]
async fn fetch(id: u64) -> std::io::Result<String> {
    Ok(id.to_string())
}

workflow! {
    fn pages() -> Result<Vec<String>> {
        let ids = list();
        let first = fetch(0)?;
        let pages: Vec<String> = ids.iter().map(|id| fetch(*id)).collect();
        Ok(pages)
    }
}

fn main() {}
