//! Days on which clocks change, worked out by hand.

use std::time::Duration;

use super::*;

#[test]
fn berlin_skips_an_hour() {
    let span = ("2026-03-28T00:00:00Z", "2026-03-30T00:00:00Z");
    let daily = cron("30 2 * * *", "Europe/Berlin");
    assert_eq!(told(&daily, span.0, span.1), ["03-28 02:30+01:00", "03-29 03:00+02:00"]);
    let unaffected = cron("0 4 * * *", "Europe/Berlin");
    assert_eq!(told(&unaffected, span.0, span.1), ["03-28 04:00+01:00", "03-29 04:00+02:00"]);
    let span = ("2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z");
    let hourly = cron("0 * * * *", "Europe/Berlin");
    assert_eq!(told(&hourly, span.0, span.1), ["03-29 03:00+02:00", "03-29 04:00+02:00"]);
    let passing = cron("*/30 2 * * *", "Europe/Berlin");
    assert_eq!(told(&passing, span.0, span.1), [""; 0], "an hour that does not exist");
}

#[test]
fn several_times_in_a_gap_are_one_tick() {
    let thrice = cron("0,20,40 2,3 * * *", "Europe/Berlin");
    assert_eq!(
        told(&thrice, "2026-03-29T00:00:00Z", "2026-03-29T03:00:00Z"),
        ["03-29 03:00+02:00", "03-29 03:20+02:00", "03-29 03:40+02:00"]
    );
}

#[test]
fn new_york_repeats_an_hour() {
    // On 1 November clocks go from 2:00 back to 1:00.
    let span = ("2026-10-31T12:00:00Z", "2026-11-02T12:00:00Z");
    let daily = cron("30 1 * * *", "America/New_York");
    assert_eq!(told(&daily, span.0, span.1), ["11-01 01:30-04:00", "11-02 01:30-05:00"]);
    let span = ("2026-11-01T04:30:00Z", "2026-11-01T07:30:00Z");
    let hourly = cron("0 * * * *", "America/New_York");
    assert_eq!(
        told(&hourly, span.0, span.1),
        ["11-01 01:00-04:00", "11-01 01:00-05:00", "11-01 02:00-05:00"]
    );
    let passing = cron("*/30 1 * * *", "America/New_York");
    assert_eq!(
        told(&passing, span.0, span.1),
        ["11-01 01:00-04:00", "11-01 01:30-04:00", "11-01 01:00-05:00", "11-01 01:30-05:00"]
    );
    let every = of(When::Every(Duration::from_secs(3600)), "America/New_York");
    assert_eq!(told(&every, span.0, span.1).len(), 3, "an hour is an hour");
}

#[test]
fn asked_in_the_second_of_two_hours_a_fixed_time_is_over() {
    let daily = cron("30,45 1 * * *", "America/New_York");
    let second = at("2026-11-01T06:15:00Z");
    assert_eq!(second.to_zoned(jiff::tz::TimeZone::get("America/New_York").unwrap()).hour(), 1);
    assert_eq!(local(&daily.after(second).unwrap()), "11-02 01:30-05:00");
}

#[test]
fn lord_howe_changes_by_half_an_hour() {
    // On 4 October from 2:00 to 2:30, on 5 April from 2:00 back to 1:30.
    let ticks = cron("15 2 * * *", "Australia/Lord_Howe");
    assert_eq!(
        told(&ticks, "2026-10-02T20:00:00Z", "2026-10-05T00:00:00Z"),
        ["10-04 02:30+11:00", "10-05 02:15+11:00"]
    );
    let ticks = cron("45 1 * * *", "Australia/Lord_Howe");
    assert_eq!(told(&ticks, "2026-04-04T00:00:00Z", "2026-04-05T12:00:00Z"), ["04-05 01:45+11:00"]);
    let ticks = cron("*/15 1,2 * * *", "Australia/Lord_Howe");
    assert_eq!(
        told(&ticks, "2026-04-04T14:15:00Z", "2026-04-04T15:45:00Z"),
        [
            "04-05 01:30+11:00",
            "04-05 01:45+11:00",
            "04-05 01:30+10:30",
            "04-05 01:45+10:30",
            "04-05 02:00+10:30",
            "04-05 02:15+10:30"
        ]
    );
}

#[test]
fn samoa_had_no_30_december() {
    let ticks = cron("0 2 * * *", "Pacific/Apia");
    assert_eq!(
        told(&ticks, "2011-12-28T00:00:00Z", "2012-01-01T00:00:00Z"),
        ["12-28 02:00-10:00", "12-29 02:00-10:00", "12-31 02:00+14:00", "01-01 02:00+14:00"]
    );
    let friday = cron("0 2 * * FRI", "Pacific/Apia");
    assert_eq!(local(&friday.after(at("2011-12-28T00:00:00Z")).unwrap()), "01-06 02:00+14:00");
}

#[test]
fn the_last_of_a_span_are_those_before_its_end() {
    let daily = cron("30 2 * * *", "Europe/Berlin");
    let last = |count, after, until| -> Vec<String> {
        daily.last(count, at(after), at(until)).iter().map(local).collect()
    };
    let (year_ago, then) = ("2025-03-29T01:00:00Z", "2026-03-29T01:00:00Z");
    assert_eq!(last(2, year_ago, then), ["03-28 02:30+01:00", "03-29 03:00+02:00"], "the end is in it");
    assert_eq!(last(1, year_ago, "2026-03-29T00:59:59Z"), ["03-28 02:30+01:00"]);
    assert_eq!(last(5, "2026-03-28T01:30:00Z", then), ["03-29 03:00+02:00"], "the beginning is not");
    assert_eq!(last(0, year_ago, then), [""; 0]);
    assert_eq!(daily.last(1_000, at(year_ago), at(then)).len(), 366, "from the gap of 2025 on");
}

#[test]
fn every_counts_from_1970() {
    let ticks = of(When::Every(Duration::from_secs(7 * 3600)), "UTC");
    let told = told(&ticks, "1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z");
    assert_eq!(told, ["01-01 07:00+00:00", "01-01 14:00+00:00", "01-01 21:00+00:00"]);
    assert_eq!(ticks.after(at("1969-12-31T18:00:00Z")).unwrap().timestamp(), Timestamp::UNIX_EPOCH);
    let far = of(When::Every(Duration::from_secs(u64::MAX >> 1)), "UTC");
    assert_eq!(far.after(at("2026-01-01T00:00:00Z")), None);
}

#[test]
fn what_means_nothing_says_so() {
    let words = |when, timezone| {
        let (missed, overlap) = (Missed::None, Overlap::Skip);
        Ticks::of_schedule(&Schedule { when, timezone, missed, overlap, fill: |_| Vec::new() }).unwrap_err()
    };
    assert!(words(When::Cron("0 2 * * *"), "Europe/Atlantis").contains("Europe/Atlantis"));
    assert!(words(When::Cron("0 2 * *"), "UTC").contains("has five fields, and `0 2 * *` has 4"));
    assert!(words(When::Cron("0 25 * * *"), "UTC").contains("0 25 * * *"));
    assert!(words(When::Every(Duration::ZERO), "UTC").contains("0ns is no period"));
}
