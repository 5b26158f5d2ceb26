use workflow_runtime::task;

fn is_transient(_: &std::io::Error) -> bool {
    true
}

#[task(retry(attempts = 3, when = is_transient))]
async fn fetch() -> u64 {
    let _ = is_transient;
    1
}

fn main() {}
