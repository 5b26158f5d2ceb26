use workflow_runtime::task;

#[task(retry(attempts = 3, backoff = exponental("1s")))]
async fn fetch() {}

fn main() {}
