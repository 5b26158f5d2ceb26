//! Schedules that are edited between two processes.

use super::*;

/// The same workflow, from day to day.
macro_rules! edited {
    ($module:ident, $($schedule:tt)*) => {
        mod $module {
            use super::{check, minutes, work};
            use crate::{Result, workflow};

            workflow! {
                #[schedule($($schedule)*)]
                pub fn edited(day: i8) -> Result<u64> {
                    let minutes = minutes(day);
                    let worked = work(minutes);
                    Ok(worked)
                }
            }

            pub fn setup(engine: super::EngineBuilder) -> super::EngineBuilder {
                let (_, _) = (check, edited);
                engine.register::<edited>()
            }
        }
    };
}

fn check(day: i8) -> i8 {
    day
}

#[task]
async fn minutes(day: i8) -> u64 {
    u64::from(day > 99)
}

edited!(two, "0 2 * * *", day = 1);
edited!(ten, "0 10 * * *", day = 1);
edited!(spaced, "0  2 * * *", day = check(1));
edited!(all, "0 2 * * *", missed = all(5), overlap = allow, day = 1);
edited!(none, "0 2 * * *", missed = none, day = 1);
edited!(hourly, every = "1h", day = 1);
edited!(berlin, "0 2 * * *", timezone = "Europe/Berlin", day = 1);
edited!(york, "0 2 * * *", timezone = "America/New_York", day = 1);

mod unscheduled {
    use super::{minutes, work};
    use crate::{Result, workflow};

    workflow! {
        pub fn edited(day: i8) -> Result<u64> {
            let minutes = minutes(day);
            let worked = work(minutes);
            Ok(worked)
        }
    }

    pub fn setup(engine: super::EngineBuilder) -> super::EngineBuilder {
        let _ = edited;
        engine.register::<edited>()
    }
}

fn day(day: u8, time: &str) -> String {
    format!("2026-06-{day:02}T{time}:00Z")
}

/// Processes, one after the other: from when, until when, and with which
/// schedule. The ticks that had a run, and when that began.
fn lived(lives: &[(&str, &str, Setup)]) -> Vec<String> {
    let store = Memory::new();
    for (begin, end, setup) in lives {
        from(begin, &store, *setup).until(end);
    }
    begins(&store, two::edited::GRAPH)
}

#[test]
fn an_edited_schedule_begins_when_it_is_edited() {
    let [noon, night, afternoon, next] = [day(1, "12:00"), day(2, "03:00"), day(2, "15:00"), day(3, "12:00")];
    for (setup, wanted) in [
        (two::setup as Setup, "06-03 02:00 at 02:00"),
        (ten::setup, "06-03 10:00 at 10:00"),
        (spaced::setup, "06-03 02:00 at 02:00"),
    ] {
        let lives = [(&*noon, &*night, two::setup as Setup), (&*afternoon, &*next, setup)];
        assert_eq!(lived(&lives), ["06-02 02:00 at 02:00", wanted]);
    }
    // Into a period, and back.
    let lives = [
        (&*noon, &*night, two::setup as Setup),
        (&day(2, "15:10"), &day(2, "16:10"), hourly::setup),
        (&day(2, "20:10"), &next, two::setup),
    ];
    let wanted = ["06-02 02:00 at 02:00", "06-02 16:00 at 16:00", "06-03 02:00 at 02:00"];
    assert_eq!(lived(&lives), wanted);
}

#[test]
fn what_was_missed_is_made_up_for_as_long_as_the_rule_is_the_same() {
    let [noon, later] = [day(1, "12:00"), day(4, "12:00")];
    let after =
        |setup| lived(&[(&*noon, &day(1, "13:00"), two::setup as Setup), (&*later, &day(4, "13:00"), setup)]);
    assert_eq!(after(two::setup), ["06-04 02:00 at 12:00"]);
    let all = ["06-02 02:00 at 12:00", "06-03 02:00 at 12:00", "06-04 02:00 at 12:00"];
    assert_eq!(after(all::setup), all);
    assert_eq!(after(none::setup), [""; 0]);
    assert_eq!(after(hourly::setup), ["06-04 13:00 at 13:00"]);
    assert_eq!(after(ten::setup), [""; 0]);
}

#[test]
fn a_changed_time_zone_sends_no_date_twice() {
    // 2:00 in Berlin is 0:00, and in New York 6:00.
    for edited in [day(2, "01:00"), day(2, "13:00")] {
        let lives = [
            (&*day(1, "12:00"), &*day(2, "00:30"), berlin::setup as Setup),
            (&*edited, &*day(3, "12:00"), york::setup),
        ];
        assert_eq!(lived(&lives), ["06-02 00:00 at 00:00", "06-03 06:00 at 06:00"]);
    }
    // Also where the process ends before the date that had its run is over.
    let lives = [
        (&*day(1, "12:00"), &*day(2, "00:30"), berlin::setup as Setup),
        (&*day(2, "01:00"), &*day(2, "01:30"), york::setup),
        (&*day(2, "02:00"), &*day(3, "12:00"), york::setup),
    ];
    assert_eq!(lived(&lives), ["06-02 00:00 at 00:00", "06-03 06:00 at 06:00"]);
    let lives = [
        (&*day(1, "12:00"), &*day(2, "06:30"), york::setup as Setup),
        (&*day(2, "07:00"), &*day(3, "12:00"), berlin::setup),
    ];
    assert_eq!(lived(&lives), ["06-02 06:00 at 06:00", "06-03 00:00 at 00:00"]);
}

#[test]
fn a_schedule_that_was_removed_begins_anew_when_it_comes_back() {
    let lives = [
        (&*day(1, "12:00"), &*day(2, "03:00"), two::setup as Setup),
        (&*day(2, "12:00"), &*day(3, "03:00"), unscheduled::setup),
        (&*day(9, "12:00"), &*day(10, "03:00"), two::setup),
    ];
    assert_eq!(lived(&lives), ["06-02 02:00 at 02:00", "06-10 02:00 at 02:00"]);
}

#[test]
fn two_programs_in_turns_fire_what_comes_while_they_run() {
    let mut lives = Vec::new();
    let times: Vec<_> =
        (2..6).map(|d| [day(d, "01:00"), day(d, "05:00"), day(d, "09:00"), day(d, "12:00")]).collect();
    for times in &times {
        lives.push((&*times[0], &*times[1], two::setup as Setup));
        lives.push((&*times[2], &*times[3], ten::setup as Setup));
    }
    let wanted: Vec<_> =
        (2..6).flat_map(|d| [2, 10].map(|hour| format!("06-{d:02} {hour:02}:00 at {hour:02}:00"))).collect();
    assert_eq!(lived(&lives), wanted);
}

#[test]
fn a_mark_of_an_earlier_version_fires_nothing_anew_and_loses_nothing() {
    let store = Memory::new();
    store.mark(crate::store::Tick { schedule: "edited".to_owned(), at: at(&day(1, "02:00")) }).unwrap();
    from(&day(1, "12:00"), &store, two::setup).until(&day(1, "13:00"));
    assert_eq!(ticks(&store, two::edited::GRAPH), [""; 0]);
    from(&day(2, "12:00"), &store, two::setup).until(&day(2, "13:00"));
    assert_eq!(begins(&store, two::edited::GRAPH), ["06-02 02:00 at 12:00"], "missed meanwhile");
    assert_eq!(store.rules().unwrap()[0].rule, "0 2 * * * | UTC");
}

#[test]
fn a_start_with_the_clock_ahead_silences_nothing() {
    for (setup, wanted) in
        [(hourly::setup as Setup, vec!["06-01 12:00 at 12:00", "06-01 13:00 at 13:00"]), (two::setup, vec![])]
    {
        let store = Memory::new();
        // A day ahead, and then right; with no tick, and with one.
        from(&day(2, "11:10"), &store, setup).until(&day(2, "11:20"));
        from(&day(1, "11:30"), &store, setup).until(&day(1, "13:30"));
        assert_eq!(begins(&store, two::edited::GRAPH), wanted);
        assert!(store.schedules().unwrap()[0].mark <= at(&day(1, "13:30")));
    }
    let store = Memory::new();
    from(&day(2, "00:30"), &store, two::setup).until(&day(2, "02:30"));
    from(&day(1, "00:30"), &store, two::setup).until(&day(3, "02:30"));
    // The day that was reached too early is not there twice.
    let wanted = ["06-02 02:00 at 02:00", "06-01 02:00 at 02:00", "06-03 02:00 at 02:00"];
    assert_eq!(begins(&store, two::edited::GRAPH), wanted);
}
