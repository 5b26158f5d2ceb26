use workflow_runtime::task;

#[task(reconcile = check_transfer)]
async fn wire(cents: u64) -> u64 {
    cents
}

#[task]
async fn check_transfer(cents: u64) -> Option<u64> {
    Some(cents)
}

fn main() {}
