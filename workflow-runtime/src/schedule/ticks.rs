//! The times at which a schedule is due, by the rule of Debian's cron.

use std::collections::VecDeque;
use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, Zoned};

use super::cron::Cron;
use crate::error::{Error, Result};
use crate::task::definition::{Graph, Schedule, When};

/// The times at which a schedule is due.
///
/// Where the clocks of the schedule's time zone change:
///
/// - A schedule at **fixed times** (neither the minute nor the hour field of
///   its cron expression begins with `*`) is due once for each of them. A
///   time that does not exist on a day is made up for at the first moment
///   after the gap, and one that exists twice is meant the first time. A day
///   that a zone leaves out altogether, as Samoa did in 2011, is no day.
/// - Any other **follows the time that passes**: it is not due in an hour
///   that does not exist, and is due in both of a repeated hour.
/// - `every` counts from 1970, whatever clocks show.
///
/// ```
/// use workflow_runtime::schedule::Ticks;
/// use workflow_runtime::{Result, Workflow, workflow};
///
/// workflow! {
///     #[schedule("30 2 * * *", timezone = "Europe/Berlin")]
///     fn nightly() -> Result<()> {
///         sleep("1s");
///         Ok(())
///     }
/// }
///
/// let ticks = Ticks::of(nightly::GRAPH)?.unwrap();
/// let tick = ticks.after("2026-03-28T12:00:00Z".parse().unwrap()).unwrap();
/// // On this day clocks go from 2:00 to 3:00.
/// assert_eq!(tick.to_string(), "2026-03-29T03:00:00+02:00[Europe/Berlin]");
/// # Ok::<(), workflow_runtime::Error>(())
/// ```
pub struct Ticks {
    rule: Recurrence,
    zone: TimeZone,
}

enum Recurrence {
    Cron(Cron),
    Every(SignedDuration),
}

impl Ticks {
    /// Those of a workflow's schedule, if it has one.
    ///
    /// # Errors
    /// [`Error::Schedule`] when the schedule means nothing here, such as a
    /// time zone that this machine's database does not have. `workflow!` has
    /// checked what can be checked when it compiled.
    pub fn of(graph: &Graph) -> Result<Option<Self>> {
        let ticks = graph.schedule.as_ref().map(Self::of_schedule).transpose();
        ticks.map_err(|reason| Error::Schedule { workflow: graph.name.to_owned(), reason })
    }

    pub(super) fn of_schedule(schedule: &Schedule) -> std::result::Result<Self, String> {
        let period = match schedule.when {
            When::Cron(text) => return Self::read(text, schedule.timezone),
            When::Every(period) => period,
        };
        let rule = match SignedDuration::try_from(period) {
            Ok(period) if period.is_positive() => Recurrence::Every(period),
            _ => return Err(format!("{period:?} is no period")),
        };
        Ok(Self { rule, zone: zone(schedule.timezone)? })
    }

    /// Those of a cron expression.
    pub(super) fn read(cron: &str, timezone: &str) -> std::result::Result<Self, String> {
        Ok(Self { rule: Recurrence::Cron(Cron::parse(cron)?), zone: zone(timezone)? })
    }

    /// When a local time is due, for a schedule at fixed times.
    pub(super) fn fixed_tick(&self, civil: DateTime) -> Option<Timestamp> {
        match &self.rule {
            Recurrence::Cron(cron) if cron.fixed => self.tick_of(civil),
            _ => None,
        }
    }

    /// The first tick after an instant; `None` if there is none.
    #[must_use]
    pub fn after(&self, instant: Timestamp) -> Option<Zoned> {
        let tick = match &self.rule {
            Recurrence::Every(period) => next_multiple(instant, *period),
            Recurrence::Cron(cron) if cron.fixed => self.fixed_after(cron, instant),
            Recurrence::Cron(cron) => self.passing_after(cron, instant),
        };
        tick.map(|tick| tick.to_zoned(self.zone.clone()))
    }

    /// The ticks after `after` up to and including `until`, the earliest
    /// first.
    pub fn within(&self, after: Timestamp, until: Timestamp) -> impl Iterator<Item = Zoned> + use<'_> {
        let next = move |tick: Option<Zoned>| tick.filter(|tick| tick.timestamp() <= until);
        std::iter::successors(next(self.after(after)), move |tick| next(self.after(tick.timestamp())))
    }

    /// The last `count` of the ticks after `after` up to and including
    /// `until`, the earliest first.
    #[must_use]
    pub fn last(&self, count: usize, after: Timestamp, until: Timestamp) -> Vec<Zoned> {
        // Looks back from the end, further and further, so that a year of
        // minutes is not walked through for one of them.
        let mut back = FIRST_LOOK_BACK;
        loop {
            let from = until.checked_sub(back).map_or(after, |from| from.max(after));
            let mut last = VecDeque::new();
            for tick in self.within(from, until) {
                last.push_back(tick);
                if last.len() > count {
                    last.pop_front();
                }
            }
            if last.len() == count || from <= after {
                return last.into();
            }
            back = back.saturating_add(back);
        }
    }

    fn fixed_after(&self, cron: &Cron, instant: Timestamp) -> Option<Timestamp> {
        // The later a time on the calendar, the later or at least the same
        // its tick; and none before the local time comes after `instant`.
        let mut civil = cron.after(self.zone.to_datetime(instant))?;
        loop {
            match self.tick_of(civil) {
                Some(tick) if tick > instant => return Some(tick),
                _ => civil = cron.after(civil)?,
            }
        }
    }

    /// When a fixed time is due.
    fn tick_of(&self, civil: DateTime) -> Option<Timestamp> {
        match self.zone.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
                offset.to_timestamp(civil).ok()
            }
            AmbiguousOffset::Gap { after, .. } => {
                // By the clock of afterwards, the time is before the change.
                let end = self.zone.following(after.to_timestamp(civil).ok()?).next()?.timestamp();
                let before = self.zone.to_datetime(end.checked_sub(SignedDuration::from_nanos(1)).ok()?);
                let days = [before.date(), self.zone.to_datetime(end).date()];
                days.contains(&civil.date()).then_some(end)
            }
        }
    }

    fn passing_after(&self, cron: &Cron, instant: Timestamp) -> Option<Timestamp> {
        let civil_of = |instant| self.zone.to_offset(instant).to_datetime(instant);
        let mut from = instant;
        let mut civil = cron.after(civil_of(from))?;
        loop {
            // Until the next change of the clocks, both go at one pace.
            let tick = self.zone.to_offset(from).to_timestamp(civil).ok()?;
            match self.zone.following(from).next() {
                Some(change) if change.timestamp() <= tick => {
                    from = change.timestamp();
                    civil = cron.at_or_after(civil_of(from))?;
                }
                _ => return Some(tick),
            }
        }
    }
}

/// `UTC` is known also where nothing else is.
fn zone(name: &str) -> std::result::Result<TimeZone, String> {
    match name {
        "UTC" => Ok(TimeZone::UTC),
        name => TimeZone::get(name).map_err(|error| error.to_string()),
    }
}

/// How far [`Ticks::last`] looks back at first.
const FIRST_LOOK_BACK: SignedDuration = SignedDuration::from_hours(1);

fn next_multiple(instant: Timestamp, period: SignedDuration) -> Option<Timestamp> {
    let (now, period) = (instant.as_nanosecond(), period.as_nanos());
    let next = now.checked_div_euclid(period)?.checked_add(1)?.checked_mul(period)?;
    Timestamp::from_nanosecond(next).ok()
}

impl fmt::Debug for Ticks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Ticks");
        if let Recurrence::Every(period) = &self.rule {
            debug.field("every", period);
        }
        debug.field("zone", &self.zone.iana_name()).finish_non_exhaustive()
    }
}
