//! A transaction that has begun cannot be stopped, whatever its step says.

use workflow_runtime::{Context, task, workflow};

#[task(transaction)]
fn book(cents: u64, #[context] cx: &Context) -> u64 {
    let _ = cx;
    cents
}

workflow! {
    fn sale(cents: u64) -> Result<u64> {
        #[timeout("1m")]
        let booked = book(cents);
        Ok(booked)
    }
}

fn main() {}
