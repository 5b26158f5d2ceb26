use workflow_runtime::task;

#[task]
fn count(page: &str) -> u64 {
    page.len() as u64
}

fn main() {}
