//! Tasks, workflows and `Result` may have any name where they are used.

mod steps {
    use workflow_runtime::{task, workflow};

    #[task]
    pub async fn fetch(url: String) -> String {
        url
    }

    workflow! {
        /// A workflow to be used as a step under another name.
        pub fn twice(url: String) -> Result<String> {
            let page = fetch(url);
            let again = fetch(page);
            Ok(again)
        }
    }
}

use steps::{fetch as get, twice as both};
// Nothing but the signature of a workflow uses it, which is use enough.
use workflow_runtime::Result as Outcome;

mod plain {
    #![deny(warnings)]
    use workflow_runtime::{Result, workflow};

    workflow! {
        pub fn one(url: String) -> Result<String> {
            let page = super::get(url);
            Ok(page)
        }
    }
}

workflow_runtime::workflow! {
    fn renamed(url: String) -> Result<(String, Pair)> {
        let page = get(url);
        let all = both(page)?;
        // Constructors copy what they are given, as tasks do.
        let pair = get(all);
        Ok((pair, Pair { page, all, more: Some(page) }))
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
pub struct Pair {
    page: String,
    all: String,
    more: Option<String>,
}

fn main() -> Outcome<()> {
    let _ = (renamed(String::new()), plain::one(String::new()));
    Ok(())
}
