use workflow_runtime::task;

#[task(transaction)]
async fn fetch() {}

fn main() {}
