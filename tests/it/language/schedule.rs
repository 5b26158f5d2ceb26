//! Rule 14: `#[schedule]` fills every parameter by an expression over `tick`.
//! When it fires is in `schedules`.

use std::time::Duration;

use jiff::Zoned;
use jiff::civil::{Date, date};
use workflow_runtime::definition::{Missed, Overlap, Schedule, When};
use workflow_runtime::{task, workflow};

const SOURCE: &str = "https://example.org";

#[task]
async fn report(day: &Date, source: &str, hour: i8) -> String {
    format!("{day} {source} {hour}")
}

workflow! {
    #[schedule("0 2 * * *", timezone = "Europe/Berlin", day = tick.date(), hour = tick.hour(), source = SOURCE.to_owned())]
    fn nightly(day: Date, source: String, hour: i8) -> Result<String> {
        let reported = report(&day, &source, hour);
        Ok(reported)
    }
}

workflow! {
    #[schedule("*/5 * * * *")]
    fn often() -> Result<()> {
        sleep("1s");
        Ok(())
    }
}

#[test]
fn a_schedule_fills_the_parameters_at_a_tick() {
    let Some(Schedule { when, timezone, fill, .. }) = nightly::GRAPH.schedule else { panic!("it has one") };
    assert_eq!((when, timezone), (When::Cron("0 2 * * *"), "Europe/Berlin"));
    let tick: Zoned = date(2026, 11, 20).at(2, 0, 0, 0).in_tz("Europe/Berlin").unwrap();
    let values = fill(&tick);
    assert_eq!(values.len(), 3, "in the order of the parameters, and not of the attribute");
    assert_eq!(values[0].get::<Date>(), Some(&date(2026, 11, 20)));
    assert_eq!(values[1].get::<String>().map(String::as_str), Some(SOURCE));
    assert_eq!(values[2].get::<i8>(), Some(&2));
}

#[test]
fn without_a_time_zone_it_is_utc() {
    let Some(Schedule { timezone, .. }) = often::GRAPH.schedule else { panic!("it has one") };
    assert_eq!(timezone, "UTC");
}

workflow! {
    #[schedule(every = "1h30m", missed = all(10), overlap = allow, timezone = "Asia/Tokyo")]
    fn again() -> Result<()> {
        sleep("1s");
        Ok(())
    }
}

workflow! {
    #[schedule("0 0 L 12 *", overlap = cancel_old, missed = none)]
    fn yearly() -> Result<()> {
        sleep("1s");
        Ok(())
    }
}

#[test]
fn a_schedule_has_options() {
    let options = |schedule: Option<Schedule>| schedule.map(|it| (it.when, it.missed, it.overlap));
    let when = When::Every(Duration::from_secs(90 * 60));
    assert_eq!(options(again::GRAPH.schedule), Some((when, Missed::All(10), Overlap::Allow)));
    let when = When::Cron("0 0 L 12 *");
    assert_eq!(options(yearly::GRAPH.schedule), Some((when, Missed::None, Overlap::CancelOld)));
    let when = When::Cron("*/5 * * * *");
    assert_eq!(options(often::GRAPH.schedule), Some((when, Missed::Latest, Overlap::Queue)));
}
