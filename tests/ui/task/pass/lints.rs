//! The expansion is quiet under strict lints.

#![deny(warnings, missing_docs, unused, clippy::all, clippy::pedantic, unreachable_pub, single_use_lifetimes)]
#![deny(unused_qualifications, unused_lifetimes, elided_lifetimes_in_paths, private_interfaces, missing_debug_implementations)]

/// Tasks.
pub mod tasks {
    use workflow_runtime::{Context, Resources, task};

    /// Resources.
    #[derive(Resources, Debug)]
    pub struct App {
        /// One.
        pub base: u64,
    }

    /// Nothing.
    #[task]
    pub async fn nothing() {
        std::future::ready(()).await;
    }

    /// Everything.
    ///
    /// # Errors
    /// Never.
    #[task(
        retry(
            attempts = 5,
            backoff = linear("200ms", step = "1s", max = "30s"),
            jitter = 0.25,
            when = is_transient,
            budget = "5m"
        ),
        timeout = "10s",
        deadline = "1m",
        concurrency = 4,
        rate = "10/s",
        name = "another",
        version = 2,
        undo = uncount
    )]
    pub async fn count(
        text: &str,
        mut numbers: Vec<u64>,
        #[resource] base: &u64,
        #[context] cx: &Context,
    ) -> Result<u64, std::fmt::Error> {
        cx.cancelled().await;
        numbers.push(*base);
        Ok(numbers.len() as u64 + text.len() as u64)
    }

    /// Cached.
    #[task(cache = "24h")]
    pub async fn cached(text: &str, numbers: Vec<u64>, #[resource] base: &u64) -> u64 {
        numbers.len() as u64 + text.len() as u64 + *base
    }

    /// Looked into.
    #[task(at_most_once, reconcile = look)]
    pub async fn once(text: &str) -> usize {
        text.len()
    }

    /// Looks.
    #[task]
    pub async fn look(text: &str) -> Option<usize> {
        (!text.is_empty()).then_some(text.len())
    }

    /// Writes.
    ///
    /// # Errors
    /// Never.
    #[task(transaction)]
    pub fn write(text: &str, #[context] cx: &Context) -> workflow_runtime::sqlite::Result<usize> {
        cx.transaction().execute(text, [])
    }

    /// Undo.
    #[task(blocking)]
    pub fn uncount(output: &u64) {
        assert!(*output > 0);
    }

    /// A use of it warns, its expansion does not.
    #[deprecated = "old"]
    #[task]
    pub async fn old() {
        std::future::ready(()).await;
    }

    /// A use of it warns, its expansion does not.
    #[task]
    #[deprecated = "old"]
    pub async fn older() {
        std::future::ready(()).await;
    }

    /// Not there.
    #[task]
    #[cfg(any())]
    pub async fn absent(unknown: Unknown) -> Unknown {
        unknown
    }

    fn is_transient(_: &std::fmt::Error) -> bool {
        true
    }
}

fn main() {
    let _ = tasks::nothing::call();
    let _ = tasks::count::call("", vec![]);
}
