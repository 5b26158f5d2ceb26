use workflow_runtime::task;

#[task(retry(attempts = 0))]
async fn fetch() {}

fn main() {}
