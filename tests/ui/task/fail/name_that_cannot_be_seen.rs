use workflow_runtime::task;

#[task(name = "fetch\u{200b}")]
async fn fetch() {}

fn main() {}
