use workflow_runtime::task;

#[task]
struct Charge {
    cents: u64,
}

fn main() {
    let _ = Charge { cents: 1 }.cents;
}
