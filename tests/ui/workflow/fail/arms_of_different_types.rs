use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

#[task]
async fn fetch(id: u64) -> std::io::Result<String> {
    Ok(id.to_string())
}

workflow! {
    fn numbers(first: u64) -> Result<u64> {
        let number = if first > 1 {
            fetch(first)?
        } else {
            next(first)
        };
        Ok(number)
    }
}

fn main() {}
