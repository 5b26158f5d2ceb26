use workflow_runtime::{Context, task};

struct Bank;

#[task]
async fn charge(#[resource] bank: Bank, #[context] cx: Context) {
    let _ = (bank, cx);
}

fn main() {}
