use workflow_runtime::task;

#[task]
async fn trim(text: &str) -> &str {
    text.trim()
}

fn main() {}
