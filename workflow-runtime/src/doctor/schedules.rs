//! How far the schedules are.

use std::time::{Duration, SystemTime};

use super::finding::{Finding, Problem, Report};
use super::source::Source;
use crate::engine::from_system;
use crate::run::Timestamp;
use crate::store::StoreError;

/// How far two clocks may differ.
const SLACK: Duration = Duration::from_secs(60 * 60 * 24);

/// A mark is a tick that has been dealt with, so it is in the past. `latest`
/// is the last thing that happened in the store, which may be later than now
/// where time is steered.
pub(super) fn examine<S: Source + ?Sized>(
    store: &S,
    latest: Timestamp,
    report: &mut Report,
) -> Result<(), StoreError> {
    let now = from_system(SystemTime::now()).max(latest);
    for schedule in store.schedules()? {
        let ahead = schedule.mark.since(now);
        if ahead > SLACK {
            let days = ahead.as_secs() / SLACK.as_secs();
            report.findings.push(Finding {
                run: None,
                workflow: schedule.schedule,
                step: None,
                entry: None,
                problem: Problem::Schedule,
                what: format!("its ticks are dealt with until {days} days from now"),
            });
        }
    }
    Ok(())
}
