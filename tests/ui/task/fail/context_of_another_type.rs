use workflow_runtime::task;

#[task]
async fn charge(#[context] cx: &String) {
    let _ = cx;
}

fn main() {}
