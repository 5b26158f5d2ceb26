use workflow_runtime::{task, workflow};

#[task]
async fn fetch(id: u64) -> std::io::Result<String> {
    Ok(id.to_string())
}

#[task]
async fn count(text: &str) -> u64 {
    text.len() as u64
}

#[task]
async fn list() -> Vec<u64> {
    vec![1, 2]
}

workflow! {
    fn pages() -> Result<()> {
        let ids = list();
        for id in ids {
            let page = fetch(id)?;
            let broken = = 3;
            count(&paeg);
        }
        #[after(nobody)]
        fetch(1)?;
        Ok(())
    }
}

fn main() {}
