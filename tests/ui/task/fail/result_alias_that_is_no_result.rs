use workflow_runtime::task;

type Result = u64;

#[task]
async fn count() -> Result {
    1
}

fn main() {}
