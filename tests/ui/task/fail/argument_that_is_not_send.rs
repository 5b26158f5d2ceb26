use std::rc::Rc;

use workflow_runtime::task;

#[task]
async fn count(page: Rc<String>) -> u64 {
    page.len() as u64
}

fn main() {}
