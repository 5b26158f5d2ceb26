//! A task that the tokens of a macro hand over would never run.

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
    fn numbers(ids: Vec<u64>) -> Result<usize> {
        let found: usize = foreign!({ "doubled": ids.iter().copied().map(double).count() }).len();
        Ok(found)
    }
}

fn main() {}
