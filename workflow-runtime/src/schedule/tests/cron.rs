//! Cron expressions on the calendar.

use jiff::civil::{DateTime, date};

use crate::schedule::cron::Cron;

fn days(expression: &str, from: DateTime, count: usize) -> Vec<String> {
    let cron = Cron::parse(expression).unwrap();
    let first = cron.at_or_after(from);
    let days = std::iter::successors(first, |day| cron.after(*day)).take(count);
    days.map(|day| day.strftime("%Y-%m-%d %H:%M").to_string()).collect()
}

fn january() -> DateTime {
    date(2026, 1, 1).at(0, 0, 0, 0)
}

#[test]
fn times_are_in_order() {
    assert_eq!(
        days("0,30 8-9 * * *", january(), 5),
        ["2026-01-01 08:00", "2026-01-01 08:30", "2026-01-01 09:00", "2026-01-01 09:30", "2026-01-02 08:00"]
    );
    let from = date(2026, 1, 1).at(8, 0, 0, 1);
    assert_eq!(days("0,30 8-9 * * *", from, 1), ["2026-01-01 08:30"], "a moment too late");
}

#[test]
fn day_and_weekday_are_either() {
    // 2 January 2026 is a Friday.
    assert_eq!(
        days("0 0 13 * FRI", january(), 4),
        ["2026-01-02 00:00", "2026-01-09 00:00", "2026-01-13 00:00", "2026-01-16 00:00"]
    );
    // Unless one of them begins with `*`: the oddity of every cron.
    assert_eq!(days("0 0 */2 * FRI", january(), 2), ["2026-01-09 00:00", "2026-01-23 00:00"]);
}

#[test]
fn december_has_a_last_day() {
    let last = days("0 0 L * *", date(2026, 11, 1).at(0, 0, 0, 0), 3);
    assert_eq!(last, ["2026-11-30 00:00", "2026-12-31 00:00", "2027-01-31 00:00"]);
    let friday = days("0 0 * 11,12 5L", january(), 3);
    assert_eq!(friday, ["2026-11-27 00:00", "2026-12-25 00:00", "2027-11-26 00:00"]);
    assert_eq!(days("0 0 31W 12 *", january(), 2), ["2026-12-31 00:00", "2027-12-31 00:00"]);
    assert_eq!(days("0 0 31W 12 *", date(2028, 1, 1).at(0, 0, 0, 0), 1), ["2028-12-29 00:00"], "a Sunday");
    assert_eq!(days("0 0 * 12 MON#1", january(), 2), ["2026-12-07 00:00", "2027-12-06 00:00"]);
}

#[test]
fn rare_days_are_found() {
    let from = date(2096, 3, 1).at(0, 0, 0, 0);
    assert_eq!(days("0 0 29 2 *", from, 2), ["2104-02-29 00:00", "2108-02-29 00:00"]);
    assert_eq!(days("0 0 * 2 FRI#5", january(), 2), ["2036-02-29 00:00", "2064-02-29 00:00"]);
}

#[test]
fn a_day_that_never_comes_is_none() {
    for expression in ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 31W 2 *", "0 0 * 13 *"] {
        match Cron::parse(expression) {
            Ok(cron) => assert_eq!(cron.at_or_after(january()), None, "{expression}"),
            Err(reason) => assert!(reason.contains("13"), "{reason}"),
        }
    }
}

#[test]
fn the_end_of_time_is_none() {
    let cron = Cron::parse("0 0 31 12 *").unwrap();
    let end = DateTime::MAX;
    assert_eq!((cron.at_or_after(end), cron.after(end)), (None, None));
    assert_eq!(cron.at_or_after(date(9999, 12, 31).at(0, 1, 0, 0)), None);
}

#[test]
fn fixed_is_what_begins_with_no_star() {
    let fixed = |expression| Cron::parse(expression).unwrap().fixed;
    assert!(fixed("0 2 * * *") && fixed("0-59/5 1,2 * * *") && fixed("0,30 0-23 */2 * *"));
    assert!(!fixed("* 2 * * *") && !fixed("0 * * * *") && !fixed("*/5 2 * * *") && !fixed("0 */2 * * *"));
}
