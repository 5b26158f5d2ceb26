use workflow_runtime::task;

#[task]
async fn print(value: impl ToString) -> String {
    value.to_string()
}

#[task]
async fn count() -> impl Iterator<Item = u64> {
    0..10
}

fn main() {
    let _ = print::call(7_u8);
}
