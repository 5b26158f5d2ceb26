//! Processes that die at every commit around a tick.

use super::*;
use crate::Result;
use crate::testing::ticks_everywhere;

workflow! {
    #[schedule(every = "1h", missed = all(10), overlap = queue, hour = tick.hour())]
    fn queued(hour: i8) -> Result<i8> {
        let doubled = double(hour);
        Ok(doubled)
    }
}

workflow! {
    #[schedule(every = "1h", missed = all(10), overlap = allow, hour = tick.hour())]
    fn beside(hour: i8) -> Result<i8> {
        let doubled = double(hour);
        Ok(doubled)
    }
}

#[task]
async fn double(hour: i8) -> i8 {
    2 * hour
}

#[test]
fn every_tick_has_one_run_wherever_the_process_dies() {
    let hours = Duration::from_secs(4 * 3_600);
    let expected =
        ["06-01 01:00 succeeded", "06-01 02:00 succeeded", "06-01 03:00 succeeded", "06-01 04:00 succeeded"];
    let queued_deaths =
        ticks_everywhere(|| Engine::in_memory().register::<queued>(), at("00:30"), hours, &|store| {
            assert_eq!(states(store, queued::GRAPH), expected)
        });
    let beside_deaths =
        ticks_everywhere(|| Engine::in_memory().register::<beside>(), at("00:30"), hours, &|store| {
            assert_eq!(states(store, beside::GRAPH), expected)
        });
    // The first mark, and for each tick a run and the end of it.
    assert!(queued_deaths >= 2 * 9 && beside_deaths >= 2 * 9, "{queued_deaths} {beside_deaths}");
}
