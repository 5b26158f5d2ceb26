//! A task that undoes another takes its output, and may take its arguments.

use workflow_runtime::{Context, NoResources, Provides, Resources, RunsOn, Task, task};

#[derive(serde::Serialize, serde::Deserialize)]
pub struct Receipt;

#[derive(serde::Serialize, serde::Deserialize)]
pub struct Order;

pub struct Bank;

mod tasks {
    #[workflow_runtime::task]
    pub async fn refund(receipt: &super::Receipt) {
        let _ = receipt;
    }
}

#[task(undo = tasks::refund)]
async fn charge(order: &Order, cents: u64) -> Result<Receipt, std::io::Error> {
    let _ = (order, cents);
    Ok(Receipt)
}

#[task(blocking, retry(attempts = 3))]
fn refund_all(
    receipt: &Receipt,
    order: &Order,
    note: &str,
    cents: &u64,
    #[resource] bank: &Bank,
    #[context] cx: &Context,
) -> Result<(), std::io::Error> {
    let _ = (receipt, order, note, cents, bank, cx);
    Ok(())
}

#[task(undo = refund_all)]
async fn charge_all(order: &Order, note: &str, cents: u64) -> Receipt {
    let _ = (order, note, cents);
    Receipt
}

#[task(undo = close)]
async fn open() -> u64 {
    7
}

#[task]
async fn close(opened: &u64) {
    let _ = opened;
}

#[task(undo = drop_table)]
async fn create_table(name: String) {
    let _ = name;
}

#[task]
async fn drop_table(_: &(), name: &String) {
    let _ = name;
}

#[derive(Resources)]
struct App(Bank);

#[task(undo = delete_server)]
async fn create_server(name: &str) -> String {
    format!("{name}-1")
}

#[task]
async fn delete_server(id: &str) {
    let _ = id;
}

fn runs_on<R: Resources, T: RunsOn<R>>() {}

fn main() {
    runs_on::<NoResources, charge>();
    runs_on::<App, charge_all>();
    fn bank<R: Provides<Bank>>() {}
    bank::<App>();
    let undo = <charge_all as Task>::DEF.undo.unwrap();
    assert_eq!(undo.task.name, "refund_all");
    assert_eq!(undo.task.policy.retry.attempts, 3);
    assert!(undo.task.blocking);
    assert!(<open as Task>::DEF.undo.is_some());
}
