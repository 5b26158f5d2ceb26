//! Ticks: by hand, over all time zones, and of random schedules.

mod cron;
mod hand;
mod random;
mod zones;

use jiff::{Timestamp, Zoned};

use super::Ticks;
use crate::task::definition::{Missed, Overlap, Schedule, When};

fn of(when: When, timezone: &'static str) -> Ticks {
    let schedule =
        Schedule { when, timezone, missed: Missed::Latest, overlap: Overlap::Queue, fill: |_| Vec::new() };
    Ticks::of_schedule(&schedule).unwrap()
}

fn cron(expression: &'static str, timezone: &'static str) -> Ticks {
    of(When::Cron(expression), timezone)
}

fn at(instant: &str) -> Timestamp {
    instant.parse().unwrap()
}

/// The ticks of a span as local times with their offset.
fn told(ticks: &Ticks, after: &str, until: &str) -> Vec<String> {
    ticks.within(at(after), at(until)).map(|tick| local(&tick)).collect()
}

fn local(tick: &Zoned) -> String {
    tick.strftime("%m-%d %H:%M%:z").to_string()
}
