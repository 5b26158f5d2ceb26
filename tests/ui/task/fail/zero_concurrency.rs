use workflow_runtime::task;

#[task(concurrency = 0)]
async fn fetch() {}

fn main() {}
