//! All time zones, on every day within ten years on which clocks change.

use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, ToSpan};

use super::*;

const FROM: &str = "2016-01-01T00:00:00Z";
const UNTIL: &str = "2026-01-01T00:00:00Z";

/// Every zone, and the instants at which its clocks change.
fn changes() -> Vec<(String, TimeZone, Vec<Timestamp>)> {
    let zones = jiff::tz::db().available().map(|name| name.to_string());
    zones
        .filter_map(|name| {
            let zone = TimeZone::get(&name).ok()?;
            let until = at(UNTIL);
            let changes = zone.following(at(FROM)).map(|change| change.timestamp());
            let changes: Vec<_> = changes.take_while(|change| *change < until).collect();
            (!changes.is_empty()).then_some((name, zone, changes))
        })
        .collect()
}

/// Whether any moment of a day exists there.
fn exists(zone: &TimeZone, day: Date) -> bool {
    zone.to_zoned(day.at(0, 0, 0, 0)).is_ok_and(|begin| begin.date() == day)
        || zone.to_zoned(day.at(12, 0, 0, 0)).is_ok_and(|noon| noon.date() == day)
}

#[test]
fn a_fixed_time_is_due_once_a_day() {
    let all = changes();
    assert!(all.len() > 100, "a database without zones proves nothing");
    for (name, zone, changes) in &all {
        let name: &'static str = name.clone().leak();
        for change in changes {
            // The times around the change on either clock, and the night's.
            let before = zone.to_datetime(*change - SignedDuration::from_mins(20)).time();
            let after = zone.to_datetime(*change + SignedDuration::from_mins(20)).time();
            for time in [before, after, Time::constant(2, 30, 0, 0)] {
                once_a_day(name, zone, *change, time);
            }
        }
    }
}

fn once_a_day(name: &'static str, zone: &TimeZone, change: Timestamp, time: Time) {
    let ticks = cron(format!("{} {} * * *", time.minute(), time.hour()).leak(), name);
    let noon = zone.to_datetime(change).date().at(12, 0, 0, 0);
    let span = (noon.checked_sub(3.days()).unwrap(), noon.checked_add(3.days()).unwrap());
    let span = (zone.to_timestamp(span.0).unwrap(), zone.to_timestamp(span.1).unwrap());
    let ticks: Vec<Zoned> = ticks.within(span.0, span.1).collect();
    let context = || format!("{name} at {time} around {change}: {ticks:#?}");
    assert!(ticks.is_sorted_by(|a, b| a < b), "{}", context());
    // At most half a day of each end is left out.
    let mut day = span.0.to_zoned(zone.clone()).date().tomorrow().unwrap();
    let last = span.1.to_zoned(zone.clone()).date();
    while day < last {
        let on_it = ticks.iter().filter(|tick| tick.date() == day).count();
        assert_eq!(on_it, usize::from(exists(zone, day)), "{day}: {}", context());
        day = day.tomorrow().unwrap();
    }
    for tick in &ticks {
        let told = tick.datetime().time();
        let in_gap = matches!(
            zone.to_ambiguous_timestamp(tick.date().to_datetime(time)).offset(),
            AmbiguousOffset::Gap { .. }
        );
        assert!(told.hour() == time.hour() && told.minute() == time.minute() || in_gap, "{}", context());
    }
}

#[test]
fn a_passing_time_is_due_whenever_the_clock_shows_it() {
    for (name, zone, changes) in changes() {
        let ticks = cron("*/15 * * * *", name.leak());
        for change in changes {
            let span = (change - SignedDuration::from_hours(3), change + SignedDuration::from_hours(3));
            let told: Vec<Timestamp> = ticks.within(span.0, span.1).map(|tick| tick.timestamp()).collect();
            // Every minute of the span, looked at.
            let minutes = (1..=360).map(|minute| span.0 + SignedDuration::from_mins(minute));
            let shown: Vec<Timestamp> =
                minutes.filter(|at| zone.to_datetime(*at).minute() % 15 == 0).collect();
            assert_eq!(told, shown, "{ticks:?} around {change}");
        }
    }
}
