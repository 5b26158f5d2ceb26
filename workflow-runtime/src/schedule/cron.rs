//! A cron expression on the calendar: which days and which times of day it
//! names, in no time zone.
//!
//! The library is only asked whether a field fits, always over UTC, whose
//! clock never jumps. The search is ours: the library's own gives up after
//! four years, which is too early for a 29 February around the year 2100, and
//! knows nothing of the rule that this engine has for clock changes.

use cronexpr::Crontab;
use jiff::civil::{Date, DateTime, DateTimeRound, Time, Weekday};
use jiff::tz::Offset;
use jiff::{RoundMode, ToSpan, Unit};

/// The calendar repeats after so many years.
const CYCLE: i16 = 400;

/// A year that any question about a time of day may be about.
const ANY_DAY: Date = Date::constant(2024, 1, 1);

/// A cron expression, taken apart.
pub(super) struct Cron {
    /// The times of day, ascending.
    times: Vec<Time>,
    /// Whether each month fits.
    months: [bool; 12],
    /// The expression with every month and at midnight only: whether a day
    /// of a month fits.
    days: Crontab,
    /// Whether neither the minute nor the hour field begins with `*`.
    pub(super) fixed: bool,
}

impl Cron {
    /// Reads an expression of five fields.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(format!("a cron expression has five fields, and `{text}` has {}", fields.len()));
        };
        let read = |text: String| {
            let crontab = cronexpr::parse_crontab(&format!("{text} UTC"));
            crontab.map_err(|error| format!("`{text}` is no cron expression: {error}"))
        };
        let hours = read(format!("0 {hour} * * *"))?;
        let hours = (0..24).filter(|hour| fits(&hours, ANY_DAY.at(*hour, 0, 0, 0)));
        let minutes = read(format!("{minute} 0 * * *"))?;
        let minutes: Vec<i8> =
            (0..60).filter(|minute| fits(&minutes, ANY_DAY.at(0, *minute, 0, 0))).collect();
        let of_hour = |hour| minutes.iter().map(move |minute| Time::constant(hour, *minute, 0, 0));
        let times = hours.flat_map(of_hour).collect();
        let months = read(format!("0 0 * {month} *"))?;
        Ok(Self {
            times,
            months: std::array::from_fn(|index| {
                let month = i8::try_from(index + 1).unwrap_or(1);
                ANY_DAY.with().month(month).build().is_ok_and(|date| fits(&months, date.at(0, 0, 0, 0)))
            }),
            days: read(format!("0 0 {day} * {weekday}"))?,
            fixed: !minute.starts_with('*') && !hour.starts_with('*'),
        })
    }

    /// The first time that fits from `from` on; `None` if none ever does.
    pub(super) fn at_or_after(&self, from: DateTime) -> Option<DateTime> {
        let whole = from.round(DateTimeRound::new().smallest(Unit::Minute).mode(RoundMode::Ceil)).ok()?;
        let (mut date, mut earliest) = (whole.date(), whole.time());
        let last_year = date.year().saturating_add(CYCLE);
        while date.year() <= last_year {
            if !self.has_month(date) {
                date = date.first_of_month().checked_add(1.month()).ok()?;
            } else {
                let next = self.times.partition_point(|time| *time < earliest);
                if let Some(time) = self.times.get(next).filter(|_| self.has_day(date)) {
                    return Some(date.to_datetime(*time));
                }
                date = date.tomorrow().ok()?;
            }
            earliest = Time::midnight();
        }
        None
    }

    /// The first time that fits after `from`.
    pub(super) fn after(&self, from: DateTime) -> Option<DateTime> {
        self.at_or_after(from.checked_add(1.nanosecond()).ok()?)
    }

    fn has_month(&self, date: Date) -> bool {
        let index = usize::try_from(date.month() - 1).unwrap_or_default();
        self.months.get(index).copied().unwrap_or_default()
    }

    fn has_day(&self, date: Date) -> bool {
        // The library does not find the last day of December (`L`, `5L`): it
        // looks whether the month goes up. A day fits by its number, its
        // weekday and the length of its month alone, so a January that begins
        // on the same weekday answers for a December.
        let asked = match date.month() {
            12 => january_like(date.first_of_month().weekday()).with().day(date.day()).build(),
            _ => Ok(date),
        };
        asked.is_ok_and(|date| fits(&self.days, date.at(0, 0, 0, 0)))
    }
}

/// The first day of a January that begins on a weekday.
fn january_like(weekday: Weekday) -> Date {
    let mut first = Date::constant(2001, 1, 1);
    // The years from 2001 to 2011 begin on every weekday.
    for year in 2001..=2011 {
        first = Date::constant(year, 1, 1);
        if first.weekday() == weekday {
            break;
        }
    }
    first
}

fn fits(crontab: &Crontab, at: DateTime) -> bool {
    Offset::UTC.to_timestamp(at).is_ok_and(|at| crontab.matches(at).unwrap_or_default())
}
