use workflow_runtime::task;

#[task(undo = refnd)]
async fn charge(cents: u64) -> u64 {
    cents
}

#[task]
async fn refund(receipt: &u64) {
    let _ = receipt;
}

fn main() {}
