use workflow_runtime::task;

#[task(name = "a/b")]
async fn fetch() {}

fn main() {}
