use workflow_runtime::task;

#[task(rate = "10 per second")]
async fn words() {}

#[task(rate = "0/s")]
async fn nothing() {}

fn main() {}
