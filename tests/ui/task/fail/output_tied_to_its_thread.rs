use std::rc::Rc;

use workflow_runtime::task;

#[task]
async fn shared() -> Rc<u64> {
    Rc::new(1)
}

fn main() {}
