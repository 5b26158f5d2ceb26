use workflow_runtime::{task, workflow};

#[task]
async fn count(text: &str) -> u64 {
    text.len() as u64
}

workflow! {
    fn words(text: String) -> Result<u64> {
        let shared = std::rc::Rc::new(text.to_uppercase());
        let total = count(&shared);
        Ok(total)
    }
}

fn main() {}
