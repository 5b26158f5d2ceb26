use workflow_runtime::task;

#[task]
async fn sort(numbers: &mut Vec<u64>) {
    numbers.sort();
}

#[task]
async fn book(#[resource] bank: &mut String) {
    bank.clear();
}

fn main() {}
