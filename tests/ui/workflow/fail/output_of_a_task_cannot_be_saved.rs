use workflow_runtime::{task, workflow};

#[task]
async fn next(number: u64) -> u64 {
    number + 1
}

struct Raw(u64);

#[task]
async fn read() -> std::io::Result<Raw> {
    Ok(Raw(1))
}

workflow! {
    fn numbers() -> Result<u64> {
        let raw = read()?;
        let number = next(raw.0);
        Ok(number)
    }
}

fn main() {}
