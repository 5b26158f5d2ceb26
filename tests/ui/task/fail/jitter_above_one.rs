use workflow_runtime::task;

#[task(retry(attempts = 3, jitter = 1.5))]
async fn fetch() {}

fn main() {}
