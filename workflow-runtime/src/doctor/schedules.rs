//! How far the schedules are.

use std::time::{Duration, SystemTime};

use super::finding::{Finding, Problem, Report};
use super::source::Source;
use crate::run::Timestamp;
use crate::store::StoreError;

/// How far two clocks may differ.
const SLACK: Duration = Duration::from_secs(60);

/// A mark is a tick that has been dealt with, so it is in the past. `latest`
/// is the last thing that happened in the store: as good as now where time may
/// be steered, and else no excuse, since the same clock told both.
pub(super) fn examine<S: Source + ?Sized>(
    store: &S,
    latest: Option<Timestamp>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let now = Timestamp::from(SystemTime::now());
    let now = latest.map_or(now, |latest| latest.max(now));
    for schedule in store.schedules()? {
        let ahead = schedule.mark.since(now);
        if ahead > SLACK {
            let words = words(ahead);
            report.findings.push(Finding {
                run: None,
                workflow: schedule.schedule,
                step: None,
                entry: None,
                problem: Problem::Schedule,
                what: format!("its ticks are dealt with until {words} from now, by a clock that was ahead"),
            });
        }
    }
    Ok(())
}

/// A length of time in its largest unit.
fn words(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        172_800.. => format!("{} days", seconds / 86_400),
        7_200.. => format!("{} hours", seconds / 3_600),
        _ => format!("{} minutes", seconds / 60),
    }
}
