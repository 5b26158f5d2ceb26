//! Tasks and workflows in modules, re-exported, and by every kind of path.

mod tasks {
    use workflow_runtime::{task, workflow};

    #[task]
    pub async fn fetch(id: u64) -> std::io::Result<String> {
        Ok(id.to_string())
    }

    pub mod inner {
        #[workflow_runtime::task]
        pub async fn price(text: &str) -> u64 {
            text.len() as u64
        }
    }

    workflow! {
        pub fn child(id: u64) -> Result<u64> {
            let text = fetch(id)?;
            let number = self::inner::price(&text);
            Ok(number)
        }
    }
}

mod reexported {
    pub use super::tasks::child;
    pub use super::tasks::inner::price;
}

use tasks::fetch;
use workflow_runtime::workflow;

workflow! {
    fn parent(id: u64) -> Result<u64> {
        let text = fetch(id)?;
        let first = tasks::inner::price(&text);
        let other = reexported::price(&text);
        #[name = "third"]
        let third = crate::tasks::inner::price(&self::tasks::fetch(id)?);
        let below = reexported::child(first + other + third)?;
        Ok(below)
    }
}

fn main() {
    let _ = parent(1);
    let _ = reexported::child(1);
}
