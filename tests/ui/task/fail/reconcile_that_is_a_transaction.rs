use workflow_runtime::{Context, task};

#[task(at_most_once, reconcile = check_transfer)]
async fn wire(cents: u64) -> u64 {
    cents
}

#[task(transaction)]
fn check_transfer(cents: u64, #[context] cx: &Context) -> Option<u64> {
    let _ = cx;
    Some(cents)
}

fn main() {}
