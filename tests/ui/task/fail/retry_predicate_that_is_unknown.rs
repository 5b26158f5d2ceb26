use workflow_runtime::task;

fn is_transient(_: &std::io::Error) -> bool {
    true
}

#[task(retry(attempts = 3, when = is_transent))]
async fn fetch() -> Result<u64, std::io::Error> {
    let _ = is_transient;
    Ok(1)
}

fn main() {}
