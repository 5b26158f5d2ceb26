//! Durations and times for people.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::run::Timestamp;

/// A duration in two figures or so: `85 µs`, `12 ms`, `1.3 s`, `2 min 5 s`,
/// `3 h 12 min`, `4 d 7 h`.
#[must_use]
pub fn short(duration: Duration) -> String {
    match duration.as_secs() {
        0 if duration.as_millis() == 0 => format!("{} µs", duration.as_micros()),
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        seconds @ 60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds @ 3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        seconds => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// A time in the reader's own zone: `2026-11-21 09:36:47`.
pub(crate) fn local(at: Timestamp) -> String {
    zoned(at, TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A time as programs read it: RFC 3339, in UTC.
pub(crate) fn utc(at: Timestamp) -> String {
    zoned(at, TimeZone::UTC).timestamp().to_string()
}

fn zoned(at: Timestamp, zone: TimeZone) -> jiff::Zoned {
    let at = jiff::Timestamp::from_nanosecond(i128::from(at.0)).unwrap_or(jiff::Timestamp::MAX);
    at.to_zoned(zone)
}

/// The time by the clock on the wall.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::default().after(since.unwrap_or_default())
}

/// `1 run`, `2 runs`.
pub(crate) fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_fits_the_duration() {
        assert_eq!(short(Duration::from_micros(85)), "85 µs");
        assert_eq!(short(Duration::from_micros(12_345)), "12 ms");
        assert_eq!(short(Duration::from_millis(1_340)), "1.3 s");
        assert_eq!(short(Duration::from_secs(125)), "2 min 5 s");
        assert_eq!(short(Duration::from_secs(11_520)), "3 h 12 min");
        assert_eq!(short(Duration::from_secs(370_800)), "4 d 7 h");
    }

    #[test]
    fn times_for_programs_are_in_utc() {
        assert_eq!(utc(Timestamp(1_795_253_807_000_000_000)), "2026-11-21T09:36:47Z");
        assert_eq!(utc(Timestamp(u64::MAX)), "2554-07-21T23:34:33.709551615Z");
    }
}
