use workflow_runtime::{task, workflow};

#[task]
async fn count(page: &mut String) -> u64 {
    page.len() as u64
}

#[task]
async fn check<T: ToString>(value: T) -> std::io::Result<T> {
    Ok(value)
}

#[task(timeout = "10")]
async fn add(a: u64, b: u64) -> std::io::Result<u64> {
    Ok(a + b)
}

workflow! {
    fn counting(page: String) -> Result<u64> {
        let counted = count(&page);
        let sum = add(counted, 1)?;
        #[after(sum)]
        check(&page)?;
        Ok(sum)
    }
}

fn main() {
    let _ = counting("a".to_owned());
}
