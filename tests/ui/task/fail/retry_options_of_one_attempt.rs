//! With one attempt there is nothing to wait for and nothing to ask.

use workflow_runtime::task;

#[task(retry(attempts = 1, backoff = fixed("1s"), jitter = 0.2))]
async fn fetch() -> std::io::Result<()> {
    Ok(())
}

#[task(retry(attempts = 1, when = is_busy))]
async fn knock() -> std::io::Result<()> {
    Ok(())
}

#[task(retry(attempts = 3, backoff = fixed("0s"), jitter = 0.2))]
async fn hurry() -> std::io::Result<()> {
    Ok(())
}

fn is_busy(_: &std::io::Error) -> bool {
    true
}

fn main() {}
