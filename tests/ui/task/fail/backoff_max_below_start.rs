use workflow_runtime::task;

#[task(retry(attempts = 3, backoff = exponential("10s", factor = 2, max = "1s")))]
async fn fetch() {}

fn main() {}
