use workflow_runtime::task;

#[task(undo = refund)]
async fn charge(cents: u64) -> u64 {
    cents
}

async fn refund(receipt: &u64) {
    let _ = receipt;
}

fn main() {}
