//! Random schedules: whatever way ticks are asked for, they are the same.

use std::time::Duration;

use jiff::SignedDuration;

use super::*;

/// A small generator: the same numbers on every machine.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

const ZONES: [&str; 6] =
    ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca"];

fn schedule(chance: &mut Chance) -> (String, Ticks) {
    let zone: &'static str = ZONES[usize::try_from(chance.below(ZONES.len() as u64)).unwrap()];
    if chance.below(5) == 0 {
        let period = Duration::from_secs(1_800 + chance.below(100_000));
        return (format!("{period:?}"), of(When::Every(period), zone));
    }
    let minute = chance.of(&["*/20", "0", "30", "0,59", "*/7", "15-45/10"]);
    let hour = chance.of(&["*", "2", "0,1,2,3", "23", "*/6", "1-3"]);
    let day = chance.of(&["*", "1", "*/2", "L", "15W", "28-31"]);
    let month = chance.of(&["*", "3,10", "DEC", "*/5"]);
    let weekday = chance.of(&["*", "SUN", "MON-FRI", "5L", "SUN#2"]);
    let expression = format!("{minute} {hour} {day} {month} {weekday}");
    (format!("{expression} {zone}"), cron(expression.leak(), zone))
}

#[test]
fn ticks_agree_however_they_are_asked_for() {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let mut seen = 0;
    for _ in 0..400 {
        let (name, ticks) = schedule(&mut chance);
        // Somewhere within twenty years, for five days.
        let after = at("2010-01-01T00:00:00Z")
            + SignedDuration::from_secs(i64::try_from(chance.below(20 * 365 * 86_400)).unwrap());
        let until = after + SignedDuration::from_hours(120);
        let all: Vec<Zoned> = ticks.within(after, until).collect();
        seen += all.len();
        assert!(all.is_sorted_by(|a, b| a < b), "{name}: {all:?}");
        assert!(all.iter().all(|tick| (after < tick.timestamp()) && (tick.timestamp() <= until)), "{name}");
        // From any moment before a tick on, and after the one before, it is next.
        let mut previous = after;
        for tick in &all {
            let gap = tick.timestamp().as_nanosecond() - previous.as_nanosecond();
            let within = i128::from(chance.below(u64::try_from(gap).unwrap()));
            let between = Timestamp::from_nanosecond(previous.as_nanosecond() + within).unwrap();
            assert_eq!(ticks.after(between).as_ref(), Some(tick), "{name} after {between}");
            previous = tick.timestamp();
        }
        assert!(ticks.after(previous).is_none_or(|next| next.timestamp() > until), "{name}");
        // The last ones are the end of all of them.
        let count = usize::try_from(chance.below(8)).unwrap();
        let last = ticks.last(count, after, until);
        assert_eq!(last, all[all.len().saturating_sub(count)..], "{name}: the last {count}");
    }
    assert!(seen > 2_000, "only {seen} ticks were looked at");
}
