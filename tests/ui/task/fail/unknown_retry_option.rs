use workflow_runtime::task;

#[task(retry(attempts = 3, backof = fixed("1s")))]
async fn fetch() {}

fn main() {}
