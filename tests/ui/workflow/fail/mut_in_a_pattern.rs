//! What a pattern binds does not change.

use workflow_runtime::{task, workflow};

#[task]
async fn list() -> Vec<u64> {
    vec![1, 2]
}

#[task]
async fn pair(id: u64) -> (u64, u64) {
    (id, id)
}

workflow! {
    fn numbers(id: u64) -> Result<u64> {
        let (mut first, second) = pair(id);
        let ids = list();
        let pairs = for mut id in ids {
            pair(id)
        };
        let number: u64 = match second {
            mut other if other > 1 => other,
            _ => first + pairs[0].0,
        };
        Ok(number)
    }
}

fn main() {}
