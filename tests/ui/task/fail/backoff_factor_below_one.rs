use workflow_runtime::task;

#[task(retry(attempts = 3, backoff = exponential("10s", factor = 0.5)))]
async fn fetch() {}

fn main() {}
