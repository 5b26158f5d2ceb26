use workflow_runtime::task;

#[task]
async fn add((a, b): (u64, u64)) -> u64 {
    a + b
}

fn main() {}
