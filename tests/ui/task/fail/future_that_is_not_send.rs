use std::rc::Rc;

use workflow_runtime::task;

#[task]
async fn count(page: String) -> u64 {
    let shared = Rc::new(page);
    std::future::ready(()).await;
    shared.len() as u64
}

fn main() {}
