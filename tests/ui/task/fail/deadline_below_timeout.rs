use workflow_runtime::task;

#[task(timeout = "1m", deadline = "10s")]
async fn fetch() {}

fn main() {}
