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
        let number = match first {
            0 => next(first),
            1 => 1,
            _ => fetch(first)?,
        };
        Ok(number)
    }
}

fn main() {}
