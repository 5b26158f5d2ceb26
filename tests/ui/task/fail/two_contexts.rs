use workflow_runtime::{Context, task};

#[task]
async fn charge(#[context] a: &Context, #[context] b: &Context) {
    let _ = (a, b);
}

fn main() {}
