//! The program of the README's first screen: its own command line, and it does
//! not mind being killed.
//!
//! ```text
//! cargo run --example words -- run words urls='["a.example","b.example","c.example"]'
//! ```
//!
//! Runs are kept in `target/words.db`; `--store` names another file.

use std::{io, process::ExitCode, time::Duration};
use workflow_runtime::{App, task, workflow};

#[task(retry(attempts = 3, backoff = exponential("100ms", factor = 2)), timeout = "10s")]
async fn fetch(url: String) -> io::Result<String> {
    tokio::time::sleep(Duration::from_secs(1)).await; // a slow site
    Ok(format!("contents of {url}"))
}

#[task]
async fn count(page: &str) -> usize {
    page.split_whitespace().count()
}

workflow! {
    /// Counts the words of some pages.
    pub fn words(urls: Vec<String>) -> Result<usize> {
        #[limit(2)]
        let counts = for url in urls {      // two at a time, results in order
            let page = fetch(url)?;         // `?`: when it fails for good, the run fails
            count(&page)
        };
        Ok(counts.iter().sum())
    }
}

fn main() -> ExitCode {
    App::new().store("target/words.db").register::<words>().main()
}
