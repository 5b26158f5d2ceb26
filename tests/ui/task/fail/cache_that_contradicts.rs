use workflow_runtime::{Context, task};

#[task(cache = "1h", undo = forget)]
async fn learn(text: String) -> String {
    text
}

#[task]
async fn forget(text: &String) {
    let _ = text;
}

#[task(cache = "1h", at_most_once)]
async fn send(text: String) -> String {
    text
}

#[task(cache = "1h", transaction)]
fn write(#[context] cx: &Context) {
    let _ = cx;
}

fn main() {}
