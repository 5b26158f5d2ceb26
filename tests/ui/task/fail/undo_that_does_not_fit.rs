use workflow_runtime::task;

#[derive(serde::Serialize, serde::Deserialize)]
pub struct Receipt;

#[task(undo = refund)]
async fn charge(cents: u64) -> Receipt {
    let _ = cents;
    Receipt
}

#[task]
async fn refund(receipt: &Receipt, note: &str) {
    let _ = (receipt, note);
}

fn main() {}
