use workflow_runtime::task;

#[task(retry(backoff = fixed("1s")))]
async fn fetch() {}

fn main() {}
