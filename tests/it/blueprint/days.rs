//! The workflow of these tests, on several days: each module is the program
//! of one.

use workflow_runtime::{task, workflow};

#[task]
pub async fn fetch(day: u32) -> Vec<u32> {
    vec![day]
}

#[task]
pub async fn price(order: u32) -> u32 {
    order
}

#[task]
pub async fn discount(quote: u32) -> u32 {
    quote
}

#[task]
pub async fn summarise(priced: &[u32]) -> u32 {
    priced.iter().sum()
}

#[task]
pub async fn ask(report: u32) -> bool {
    report > 0
}

#[task]
pub async fn publish(report: u32, verdict: bool) -> u32 {
    report + u32::from(verdict)
}

#[task]
pub async fn notify(report: u32) {
    let _ = report;
}

workflow! {
    /// What a child does.
    pub fn review(report: u32) -> Result<bool> {
        let first = ask(report);
        let verdict = signal::<bool>("verdict");
        Ok(first && verdict)
    }
}

pub mod monday {
    use super::*;
    workflow! {
        pub fn nightly(day: u32) -> Result<u32> {
            let orders = fetch(day);
            #[limit(8)]
            let priced = for order in orders {
                let quote = price(order);
                discount(quote)
            };
            let report = summarise(&priced);
            let verdict = if report > 10 { review(report)? } else { ask(report) };
            let timed = select! {
                a = signal::<u32>("early") => a,
                _ = sleep("1h") => 0,
            };
            notify(timed);
            let out = publish(report, verdict);
            Ok(out)
        }
    }
}

/// Limits, time limits, schedules, documentation and lines.
pub mod policy {
    use super::*;
    workflow! {
        /// Documented.
        #[schedule("0 2 * * *", day = u32::from(tick.day().unsigned_abs()))]
        pub fn nightly(day: u32) -> Result<u32> {

            #[retry(attempts = 5, backoff = fixed("1s"))]
            let orders = fetch(day);
            #[limit(9)]
            let priced = for order in orders {
                let quote = price(order);
                #[timeout("90s")]
                discount(quote)
            };
            let report = summarise(&priced);
            let verdict = if report > 10 { review(report)? } else { ask(report) };
            let timed = select! {
                a = signal::<u32>("early") => a,
                _ = sleep("2h") => 0,
            };
            notify(timed);
            let out = publish(report, verdict);
            Ok(out)
        }
    }
}

/// A task's version, within a `for`.
pub mod version {
    use super::*;

    #[task(version = 2)]
    async fn price(order: u32) -> u32 {
        order + 1
    }

    workflow! {
        pub fn nightly(day: u32) -> Result<u32> {
            let orders = fetch(day);
            #[limit(8)]
            let priced = for order in orders {
                let quote = price(order);
                discount(quote)
            };
            let report = summarise(&priced);
            let verdict = if report > 10 { review(report)? } else { ask(report) };
            let timed = select! {
                a = signal::<u32>("early") => a,
                _ = sleep("1h") => 0,
            };
            notify(timed);
            let out = publish(report, verdict);
            Ok(out)
        }
    }
}

/// A new step in a `for`, a new one beside, a leaf and a middle one renamed,
/// other arguments, and more steps to wait for.
pub mod tuesday {
    use super::*;

    #[task]
    async fn check(quote: u32) -> u32 {
        quote
    }

    workflow! {
        pub fn nightly(day: u32) -> Result<u32> {
            let orders = fetch(day + 1);
            #[limit(8)]
            let priced = for order in orders {
                let quote = price(order);
                check(quote);
                discount(quote)
            };
            let summary = summarise(&priced);
            let verdict = if summary > 10 { review(summary)? } else { ask(summary) };
            let timed = select! {
                a = signal::<u32>("early") => a,
                _ = sleep("1h") => 0,
            };
            let notified = notify(timed);
            #[after(notified)]
            let out = publish(summary, verdict);
            Ok(out)
        }
    }
}

/// The child asks another task.
pub mod child {
    use super::*;

    #[task]
    async fn ask_twice(report: u32) -> bool {
        report > 1
    }

    workflow! {
        pub fn review(report: u32) -> Result<bool> {
            let first = ask_twice(report);
            let verdict = signal::<bool>("verdict");
            Ok(first && verdict)
        }
    }

    workflow! {
        pub fn nightly(day: u32) -> Result<u32> {
            let orders = fetch(day);
            #[limit(8)]
            let priced = for order in orders {
                let quote = price(order);
                discount(quote)
            };
            let report = summarise(&priced);
            let verdict = if report > 10 { review(report)? } else { ask(report) };
            let timed = select! {
                a = signal::<u32>("early") => a,
                _ = sleep("1h") => 0,
            };
            notify(timed);
            let out = publish(report, verdict);
            Ok(out)
        }
    }
}

pub mod parameters {
    use super::*;
    workflow! {
        pub fn nightly(day: u64) -> Result<u64> {
            let out = signal::<u64>("out");
            Ok(out + day)
        }
    }
}

pub mod soft {
    use super::*;
    use workflow_runtime::StepError;

    #[task]
    pub async fn may_fail(day: u32) -> Result<u32, support::tasks::Oops> {
        Ok(day)
    }

    #[task]
    async fn take(result: Result<u32, StepError>) -> u32 {
        result.unwrap_or(0)
    }

    pub mod hard {
        use super::*;
        workflow! {
            pub fn w(day: u32) -> Result<u32> {
                let a = may_fail(day)?;
                let b = price(a);
                #[always]
                notify(day);
                Ok(b)
            }
        }
    }

    workflow! {
        pub fn w(day: u32) -> Result<u32> {
            let a = may_fail(day);
            let b = take(a);
            notify(day);
            Ok(b)
        }
    }
}

pub mod small {
    use super::*;

    workflow! {
        pub fn w(day: u32) -> Result<u32> {
            let out = price(day);
            Ok(out + 1)
        }
    }

    pub mod renamed {
        use super::*;
        workflow! {
            pub fn w(day: u32) -> Result<u32> {
                let quote = price(day);
                Ok(quote + 1)
            }
        }
    }
}
