//! A wall clock that jumps, and a machine that sleeps.

use super::*;
use crate::Result;

workflow! {
    #[schedule(every = "1h", overlap = allow)]
    fn latest() -> Result<u64> {
        let worked = work(1);
        Ok(worked)
    }
}

workflow! {
    #[schedule(every = "1h", overlap = allow, missed = all(2))]
    fn two() -> Result<u64> {
        let worked = work(1);
        Ok(worked)
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// The clock is set at 1:30, by so many hours.
fn set_by(hours: i64, then_for: Duration) -> (Vec<String>, Vec<String>) {
    let store = Memory::new();
    block_on(async {
        let setup: Setup = |engine| engine.register::<latest>().register::<two>();
        let _engine = from("00:30", &store, setup).start().await;
        tokio::time::sleep(60 * MINUTE).await;
        crate::testing::set_wall_clock(jiff::SignedDuration::from_hours(hours));
        tokio::time::sleep(then_for).await;
        (ticks(&store, latest::GRAPH), ticks(&store, two::GRAPH))
    })
}

#[test]
fn a_machine_that_slept_makes_up_for_what_it_missed() {
    let (latest, two) = set_by(5, 2 * MINUTE);
    assert_eq!(latest, ["06-01 01:00", "06-01 06:00"]);
    assert_eq!(two, ["06-01 01:00", "06-01 05:00", "06-01 06:00"]);
    let (latest, _) = set_by(5, 60 * MINUTE);
    assert_eq!(latest, ["06-01 01:00", "06-01 06:00", "06-01 07:00"], "and goes on");
}

#[test]
fn a_clock_that_is_set_back_repeats_nothing() {
    let (latest, two) = set_by(-1, 59 * MINUTE);
    assert_eq!((latest.len(), two.len()), (1, 1), "1:00 comes once more");
    // What has had no run is due when the clock shows it.
    let (latest, _) = set_by(-3, 240 * MINUTE);
    assert_eq!(latest, ["06-01 01:00", "05-31 23:00", "06-01 00:00", "06-01 02:00"]);
}

#[test]
fn time_that_passes_at_once_is_no_reason_to_fire_twice() {
    let store = Memory::new();
    block_on(async {
        let _engine = from("00:30", &store, |engine| engine.register::<latest>()).start().await;
        tokio::time::advance(300 * MINUTE).await;
        tokio::time::sleep(MINUTE).await;
        assert_eq!(ticks(&store, latest::GRAPH), ["06-01 05:00"]);
    });
}

workflow! {
    #[schedule(every = "1h", overlap = cancel_old)]
    fn replaced() -> Result<u64> {
        let worked = work(600);
        Ok(worked)
    }
}

#[test]
fn a_tick_that_comes_once_more_does_not_cancel_its_own_run() {
    let store = Memory::new();
    block_on(async {
        let _engine = from("00:30", &store, |engine| engine.register::<replaced>()).start().await;
        tokio::time::sleep(60 * MINUTE).await;
        crate::testing::set_wall_clock(jiff::SignedDuration::from_mins(-45));
        tokio::time::sleep(60 * MINUTE).await;
        assert_eq!(states(&store, replaced::GRAPH), ["06-01 01:00 running"]);
    });
}
