use workflow_runtime::task;

pub struct Report;

#[task(timeout = "10", retry(attempts = 0, jitter = 2), colour = "red")]
fn report((a, b): (u64, u64), total: &mut u64) -> Report {
    *total = a + b;
    Report
}

fn main() {}
