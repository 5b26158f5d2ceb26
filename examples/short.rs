//! Durations for people.

use std::time::Duration;

/// A duration in two figures or so: `85 µs`, `12 ms`, `1.3 s`, `2 min 5 s`.
#[must_use]
pub fn short(duration: Duration) -> String {
    match duration.as_secs() {
        0 if duration.as_millis() == 0 => format!("{} µs", duration.as_micros()),
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
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
    }
}
