//! What the tokens of a macro call is no task as long as it is none.

use workflow_runtime::{task, workflow};

fn triple(number: u64) -> u64 {
    number * 3
}

mod functions {
    pub fn quadruple(number: u64) -> u64 {
        number * 4
    }
}

macro_rules! foreign {
    ({ $($key:literal : $value:expr),* }) => {
        vec![$(($key, $value)),*]
    };
}

#[task]
async fn first(numbers: Vec<(&'static str, u64)>) -> u64 {
    numbers[0].1
}

workflow! {
    fn numbers(id: u64) -> Result<u64> {
        let found: u64 = foreign!({
            "tripled": (triple)(id),
            "quadrupled": (functions::quadruple)(id),
            "mapped": Some(id).map(triple).unwrap_or(0),
            "own": (|call: fn(u64) -> u64, n: u64| { (call)(n) })(triple, id),
            "least": id.min(3)
        })[0].1;
        let one: u64 = { triple }(id);
        Ok(found + one)
    }
}

fn main() {
    let _ = numbers(1);
    let _ = first;
}
