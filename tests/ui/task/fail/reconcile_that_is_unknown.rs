use workflow_runtime::task;

#[task(at_most_once, reconcile = check_transfr)]
async fn wire(cents: u64) -> u64 {
    cents
}

#[task]
async fn check_transfer(cents: u64) -> Option<u64> {
    Some(cents)
}

fn main() {}
