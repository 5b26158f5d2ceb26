//! Keywords as names: the task is called without `r#`.

use workflow_runtime::{Task, task};

#[task]
async fn r#match(r#type: u64, #[resource] r#impl: &String) -> u64 {
    let _ = r#impl;
    r#type
}

fn main() {
    assert_eq!(<r#match as Task>::DEF.name, "match");
    let _ = r#match::call(7);
}
