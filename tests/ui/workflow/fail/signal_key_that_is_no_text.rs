use serde::{Deserialize, Serialize};
use workflow_runtime::workflow;

#[derive(Clone, Serialize, Deserialize)]
struct Order {
    id: u64,
}

workflow! {
    fn nightly(order: Order) -> Result<bool> {
        let verdict = signal::<bool>("approval").keyed(order);
        Ok(verdict)
    }
}

fn main() {}
