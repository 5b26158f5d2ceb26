//! Which rule the mark of a schedule belongs to, and from when on ticks are
//! due: by the same rule from the mark on, by another one from now on.

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

use super::ticks::Ticks;
use crate::task::definition::{Schedule, When};

/// A mark that is later than now by more than this was set while the clock was
/// ahead. Smaller steps of a clock are not worth a second look at a tick.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);

/// The rule of a schedule that its workflow does not have any more.
pub(crate) const REMOVED: &str = "none";

/// When a schedule is due, as it is stored beside its mark. What becomes of
/// its ticks (`missed`, `overlap`, the parameters) is no part of it: that may
/// change and the mark stays what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    when: String,
    /// None where instants do not depend on it.
    timezone: Option<String>,
    /// The last fixed time that had its tick in another time zone, which this
    /// one may show once more.
    had: Option<DateTime>,
}

const BETWEEN: &str = " | ";
const HAD: &str = "not again at ";

impl Rule {
    pub(crate) fn of(schedule: &Schedule) -> Self {
        let (when, timezone) = match schedule.when {
            When::Cron(text) => {
                let fields: Vec<&str> = text.split_ascii_whitespace().collect();
                (fields.join(" "), Some(schedule.timezone.to_owned()))
            }
            // Counted from 1970, whatever clocks show.
            When::Every(period) => (format!("every {}ns", period.as_nanos()), None),
        };
        Self { when, timezone, had: None }
    }

    /// As it was stored; what is not understood is another rule than any.
    fn read(text: &str) -> Self {
        let mut parts = text.split(BETWEEN);
        let when = parts.next().unwrap_or_default().to_owned();
        let timezone = parts.next().map(str::to_owned);
        let had = parts.next().and_then(|part| part.strip_prefix(HAD)?.parse().ok());
        Self { when, timezone, had }
    }

    /// As it is stored.
    pub(crate) fn text(&self) -> String {
        let timezone = self.timezone.iter().cloned();
        let had = self.had.iter().map(|time| format!("{HAD}{time}"));
        let parts = std::iter::once(self.when.clone()).chain(timezone).chain(had);
        parts.collect::<Vec<_>>().join(BETWEEN)
    }

    fn is(&self, other: &Self) -> bool {
        (&self.when, &self.timezone) == (&other.when, &other.timezone)
    }

    /// The last fixed time that had its tick under this rule, by which the
    /// mark stands there.
    fn last_had(&self, mark: Timestamp) -> Option<DateTime> {
        let ticks = Ticks::read(&self.when, self.timezone.as_deref()?).ok()?;
        let before = mark.checked_sub(SignedDuration::from_nanos(1)).ok()?;
        let tick = ticks.after(before).filter(|tick| tick.timestamp() == mark);
        tick.map(|tick| tick.datetime()).max(self.had)
    }
}

/// Where a schedule goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    /// Ticks up to here have been dealt with.
    pub(crate) mark: Timestamp,
    pub(crate) rule: Rule,
    /// Why that is not what was stored, if it is not.
    pub(crate) news: Option<News>,
}

/// Why a schedule does not go on from its mark as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// It has no mark yet.
    New,
    /// The mark belongs to another rule.
    Changed,
    /// The mark has no rule, since an earlier version has written it.
    Unruled,
    /// The mark is still to come: the clock was ahead when it was set.
    Ahead,
}

impl Start {
    /// By what is stored of a schedule: its mark, and the rule that it belongs
    /// to.
    pub(crate) fn of(schedule: &Schedule, stored: Option<(Timestamp, Option<&str>)>, now: Timestamp) -> Self {
        let rule = Rule::of(schedule);
        let anew = |rule, news| Self { mark: now, rule, news: Some(news) };
        let Some((mark, stored)) = stored else { return anew(rule, News::New) };
        let Some(stored) = stored.map(Rule::read) else {
            return match is_ahead(mark, now) {
                true => anew(rule, News::Ahead),
                false => Self { mark, rule, news: Some(News::Unruled) },
            };
        };
        if rule.is(&stored) {
            return match is_ahead(mark, now) {
                true => anew(stored, News::Ahead),
                false => Self { mark, rule: stored, news: None },
            };
        }
        // The same times in another zone: none of them comes twice.
        let had = if rule.when == stored.when { stored.last_had(mark) } else { None };
        anew(Rule { had, ..rule }, News::Changed)
    }

    /// Before this, no tick is due.
    pub(crate) fn not_before(&self, ticks: &Ticks) -> Option<Timestamp> {
        ticks.fixed_tick(self.rule.had?)
    }
}

/// Whether a mark was set while the clock was ahead.
pub(crate) fn is_ahead(mark: Timestamp, now: Timestamp) -> bool {
    mark.duration_since(now) > AHEAD
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::task::definition::{Missed, Overlap};

    fn cron(text: &'static str, timezone: &'static str) -> Schedule {
        let (missed, overlap) = (Missed::Latest, Overlap::Queue);
        Schedule { when: When::Cron(text), timezone, missed, overlap, fill: |_| Vec::new() }
    }

    fn every(seconds: u64) -> Schedule {
        Schedule { when: When::Every(Duration::from_secs(seconds)), ..cron("", "UTC") }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The next tick of a schedule whose stored mark belongs to another one.
    fn next(before: &Schedule, mark: &str, now: &Schedule, at_time: &str) -> String {
        let rule = Rule::of(before).text();
        let start = Start::of(now, Some((at(mark), Some(&rule))), at(at_time));
        // Said once more, it is the same.
        let again = Start::of(now, Some((start.mark, Some(&start.rule.text()))), at(at_time));
        assert_eq!((again.mark, &again.rule, again.news), (start.mark, &start.rule, None));
        let ticks = Ticks::of_schedule(now).unwrap();
        let from = start.not_before(&ticks).map_or(start.mark, |time| time.max(start.mark));
        ticks.after(from).unwrap().to_string()
    }

    #[test]
    fn a_mark_belongs_to_its_rule() {
        let (two, ten) = (cron("0 2 * * *", "UTC"), cron("0 10 * * *", "UTC"));
        let (mark, now) = ("2026-06-01T02:00:00Z", "2026-06-02T15:00:00Z");
        assert_eq!(next(&two, mark, &two, now), "2026-06-02T02:00:00+00:00[UTC]", "missed, and kept");
        assert_eq!(next(&two, mark, &ten, now), "2026-06-03T10:00:00+00:00[UTC]");
        assert_eq!(next(&two, mark, &every(3600), now), "2026-06-02T16:00:00+00:00[UTC]");
        assert_eq!(next(&every(3600), mark, &every(1800), now), "2026-06-02T15:30:00+00:00[UTC]");
        assert_eq!(next(&every(3600), mark, &two, now), "2026-06-03T02:00:00+00:00[UTC]");
    }

    #[test]
    fn what_is_written_otherwise_or_is_done_with_ticks_is_no_other_rule() {
        let two = cron("0 2 * * *", "UTC");
        let (mark, now) = ("2026-06-01T02:00:00Z", "2026-06-02T15:00:00Z");
        let missed = "2026-06-02T02:00:00+00:00[UTC]";
        assert_eq!(next(&two, mark, &cron("0  2 *\t* *", "UTC"), now), missed);
        assert_eq!(next(&two, mark, &Schedule { missed: Missed::All(3), ..two }, now), missed);
        assert_eq!(next(&two, mark, &Schedule { overlap: Overlap::Allow, ..two }, now), missed);
        assert_eq!(next(&two, mark, &Schedule { fill: |_| vec![], ..two }, now), missed);
        // The same instants, shown otherwise.
        let berlin = Schedule { timezone: "Europe/Berlin", ..every(3600) };
        assert_eq!(next(&every(3600), mark, &berlin, now), "2026-06-01T05:00:00+02:00[Europe/Berlin]");
    }

    #[test]
    fn a_changed_time_zone_has_no_date_twice() {
        let (berlin, york) = (cron("0 2 * * *", "Europe/Berlin"), cron("0 2 * * *", "America/New_York"));
        let mark = "2026-06-01T00:00:00Z";
        // An hour later it is still the day before in New York.
        for now in ["2026-06-01T01:00:00Z", "2026-06-01T05:59:59Z", "2026-06-01T15:00:00Z"] {
            assert_eq!(next(&berlin, mark, &york, now), "2026-06-02T02:00:00-04:00[America/New_York]");
        }
        let mark = "2026-06-01T06:00:00Z";
        let now = "2026-06-01T07:00:00Z";
        assert_eq!(next(&york, mark, &berlin, now), "2026-06-02T02:00:00+02:00[Europe/Berlin]");
        // Where the mark is no tick, no date had one.
        let seen = "2026-06-01T00:30:00Z";
        let now = "2026-06-01T01:00:00Z";
        assert_eq!(next(&berlin, seen, &york, now), "2026-06-01T02:00:00-04:00[America/New_York]");
        // What follows the time that passes has no time twice anyway.
        let (berlin, york) = (cron("0 * * * *", "Europe/Berlin"), cron("0 * * * *", "America/New_York"));
        assert_eq!(next(&berlin, mark, &york, now), "2026-05-31T22:00:00-04:00[America/New_York]");
    }

    #[test]
    fn two_changes_of_the_time_zone_forget_nothing() {
        let zones = ["Europe/Berlin", "America/New_York", "America/Los_Angeles"];
        let [berlin, york, angeles] = zones.map(|zone| cron("0 2 * * *", zone));
        let stored = |of: &Start| (of.mark, of.rule.text());
        let first = Rule::of(&berlin).text();
        let mark = at("2026-06-01T00:00:00Z");
        let second = stored(&Start::of(&york, Some((mark, Some(&first))), at("2026-06-01T01:00:00Z")));
        let third = Start::of(&angeles, Some((second.0, Some(&second.1))), at("2026-06-01T02:00:00Z"));
        let ticks = Ticks::of_schedule(&angeles).unwrap();
        assert_eq!(third.not_before(&ticks), Some(at("2026-06-01T09:00:00Z")));
        let back =
            Start::of(&berlin, Some((third.mark, Some(&third.rule.text()))), at("2026-06-01T03:00:00Z"));
        let ticks = Ticks::of_schedule(&berlin).unwrap();
        assert_eq!((back.mark, back.not_before(&ticks)), (at("2026-06-01T03:00:00Z"), Some(mark)));
    }

    #[test]
    fn a_mark_of_an_earlier_version_belongs_to_any_rule() {
        let two = cron("0 2 * * *", "UTC");
        let (mark, now) = (at("2026-06-01T02:00:00Z"), at("2026-06-02T15:00:00Z"));
        let start = Start::of(&two, Some((mark, None)), now);
        assert_eq!((start.mark, start.news), (mark, Some(News::Unruled)));
        assert_eq!(start.rule.text(), "0 2 * * * | UTC");
        assert_eq!(Start::of(&two, None, now).news, Some(News::New));
    }

    #[test]
    fn a_mark_that_is_to_come_is_none() {
        let two = cron("0 2 * * *", "UTC");
        let rule = Rule::of(&two).text();
        let (mark, now) = (at("2026-06-02T15:00:00Z"), at("2026-06-01T15:00:00Z"));
        for rule in [None, Some(&*rule)] {
            let start = Start::of(&two, Some((mark, rule)), now);
            assert_eq!((start.mark, start.news), (now, Some(News::Ahead)));
        }
        // A clock that was set back a little.
        let start = Start::of(&two, Some((mark, Some(&rule))), at("2026-06-02T14:59:30Z"));
        assert_eq!((start.mark, start.news), (mark, None));
        // Added again after it was removed.
        let start = Start::of(&two, Some((now, Some(REMOVED))), mark);
        assert_eq!((start.mark, start.news), (mark, Some(News::Changed)));
    }
}
