use workflow_runtime::task;

#[task(at_most_once, reconcile = takes_other_arguments)]
async fn wire(cents: u64) -> u64 {
    cents
}

#[task]
async fn takes_other_arguments(cents: &u64) -> Option<u64> {
    Some(*cents)
}

#[task(at_most_once, reconcile = returns_something_else)]
async fn wire_again(cents: u64) -> u64 {
    cents
}

#[task]
async fn returns_something_else(cents: u64) -> bool {
    cents > 0
}

fn main() {}
