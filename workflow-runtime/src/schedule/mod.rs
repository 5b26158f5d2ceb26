//! When a workflow with `#[schedule]` is due. Pure: an instant goes in, ticks
//! come out. What fires them is the engine.

mod cron;
mod rule;
mod ticks;

#[cfg(test)]
mod tests;

use jiff::{Timestamp, Zoned};

pub(crate) use rule::{News, REMOVED, Rule, Start, is_ahead};
pub use ticks::Ticks;

use crate::error::Result;
use crate::run;
use crate::task::definition::Graph;

/// The next `count` ticks of a workflow after an instant, in the schedule's
/// time zone. None if it has no schedule.
///
/// ```
/// use workflow_runtime::{Result, Workflow, schedule, workflow};
///
/// workflow! {
///     #[schedule("0 9 * * MON", timezone = "America/New_York")]
///     fn weekly() -> Result<()> {
///         sleep("1s");
///         Ok(())
///     }
/// }
///
/// let now = "2026-11-20T12:00:00Z".parse().unwrap();
/// let ticks = schedule::next(weekly::GRAPH, now, 2)?;
/// assert_eq!(ticks[0].to_string(), "2026-11-23T09:00:00-05:00[America/New_York]");
/// assert_eq!(ticks[1].to_string(), "2026-11-30T09:00:00-05:00[America/New_York]");
/// # Ok::<(), workflow_runtime::Error>(())
/// ```
///
/// # Errors
/// As [`Ticks::of`].
pub fn next(graph: &Graph, after: Timestamp, count: usize) -> Result<Vec<Zoned>> {
    let ticks = Ticks::of(graph)?;
    Ok(ticks.iter().flat_map(|ticks| ticks.within(after, Timestamp::MAX)).take(count).collect())
}

/// The key of the run that a tick starts: `schedule/nightly/` and the time in
/// UTC.
pub(crate) fn key(workflow: &str, tick: &Zoned) -> String {
    format!("{}{}", key_prefix(workflow), tick.timestamp())
}

/// How the keys of all runs of a schedule begin.
pub(crate) fn key_prefix(workflow: &str) -> String {
    format!("{PREFIX}{workflow}/")
}

/// Whether a key is that of a schedule's run.
pub(crate) fn is_scheduled(key: &str) -> bool {
    key.starts_with(PREFIX)
}

/// How the keys of the runs of all schedules begin.
pub(crate) const PREFIX: &str = "schedule/";

/// Times that the engine's clock cannot show are its latest.
pub(crate) fn to_jiff(at: run::Timestamp) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(at.0)).unwrap_or(Timestamp::MAX)
}

/// Times before 1970 are 1970, and those after the year 2554 are then.
pub(crate) fn from_jiff(at: Timestamp) -> run::Timestamp {
    run::Timestamp(u64::try_from(at.as_nanosecond().max(0)).unwrap_or(u64::MAX))
}
