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
async fn publish(total: u64) -> std::io::Result<()> {
    let _ = total;
    Ok(())
}

workflow! {
    fn pages(id: u64) -> Result<u64> {
        let page = fetch(id)?;
        let total = count(&paeg);
        let other = count(id);
        #[after(nobody)]
        publish(total)?;
        while other < 3 {
            publish(other)?;
        }
        #[limt(3)]
        let last = count(&page);
        Ok(last)
    }
}

fn main() {}
