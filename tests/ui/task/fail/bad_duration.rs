use workflow_runtime::task;

#[task(timeout = "10")]
async fn no_unit() {}

#[task(timeout = "10sec")]
async fn other_unit() {}

#[task(timeout = "1.5s")]
async fn fraction() {}

#[task(timeout = 10)]
async fn number() {}

#[task(timeout = "0s")]
async fn zero() {}

#[task(timeout = "30m1h")]
async fn order() {}

fn main() {}
