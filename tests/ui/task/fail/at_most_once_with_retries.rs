use workflow_runtime::task;

#[task(at_most_once, retry(attempts = 3))]
async fn wire_money() {}

fn main() {}
