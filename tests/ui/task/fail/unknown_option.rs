use workflow_runtime::task;

#[task(timout = "10s")]
async fn fetch() {}

#[task(colour = "red")]
async fn paint() {}

fn main() {}
