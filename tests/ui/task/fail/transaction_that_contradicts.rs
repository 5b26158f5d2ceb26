use workflow_runtime::{Context, task};

#[task(transaction)]
async fn waits(#[context] cx: &Context) {
    let _ = cx;
}

#[task(transaction, blocking)]
fn blocks(#[context] cx: &Context) {
    let _ = cx;
}

#[task(transaction, timeout = "10s")]
fn is_stopped(#[context] cx: &Context) {
    let _ = cx;
}

#[task(transaction, at_most_once)]
fn is_lost(#[context] cx: &Context) {
    let _ = cx;
}

#[task(transaction)]
fn writes_nothing(cents: u64) -> u64 {
    cents
}

fn main() {}
