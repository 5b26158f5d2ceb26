use workflow_runtime::task;

#[task(timeout = "10s", blocking, timeout = "20s")]
fn fetch() {}

fn main() {}
