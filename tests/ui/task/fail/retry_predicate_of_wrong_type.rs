use workflow_runtime::task;

fn is_transient(error: &String) -> bool {
    error.is_empty()
}

#[task(retry(attempts = 3, when = is_transient))]
async fn fetch() -> Result<u64, std::io::Error> {
    Ok(1)
}

fn main() {}
