use workflow_runtime::{task, workflow};

#[task]
async fn fetch(id: u64) -> std::io::Result<String> {
    Ok(id.to_string())
}

workflow! {
    fn pages(id: Option<u64>) -> Result<String> {
        let Some(id) = id else { panic!() };
        let page = fetch(id)?;
        Ok(page)
    }
}

fn main() {}
