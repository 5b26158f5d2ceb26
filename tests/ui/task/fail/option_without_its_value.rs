use workflow_runtime::task;

#[task(timeout, retry = 3, blocking = true, concurrency = "4", undo)]
fn fetch() {}

fn main() {}
