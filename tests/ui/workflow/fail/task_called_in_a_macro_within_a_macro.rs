//! A task that a macro within a macro calls would never run.

use workflow_runtime::{task, workflow};

#[task]
async fn double(number: u64) -> u64 {
    number * 2
}

#[allow(unused_macros)]
macro_rules! foreign {
    ({ $($key:literal : $value:expr),* }) => {
        vec![$(($key, { $value; })),*]
    };
}

workflow! {
    fn numbers(id: u64) -> Result<usize> {
        let found: usize = foreign!({ "doubled": vec![format!("{}", { (double)(id); 1 })] }).len();
        Ok(found)
    }
}

fn main() {}
