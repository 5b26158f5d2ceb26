//! Ticks that came while no engine ran.

use super::*;
use crate::Result;

workflow! {
    #[schedule(every = "1h", missed = latest)]
    fn latest() -> Result<u64> {
        let worked = work(1);
        Ok(worked)
    }
}

workflow! {
    #[schedule(every = "1h", missed = none)]
    fn none() -> Result<u64> {
        let worked = work(1);
        Ok(worked)
    }
}

workflow! {
    #[schedule(every = "1h", missed = all(3))]
    fn three() -> Result<u64> {
        let worked = work(1);
        Ok(worked)
    }
}

workflow! {
    #[schedule(every = "1h", missed = all(3), overlap = allow)]
    fn three_at_once() -> Result<u64> {
        let worked = work(1);
        Ok(worked)
    }
}

/// Five ticks are missed, from 2:00 to 6:00; one comes later.
fn after_downtime<W: crate::Workflow + crate::RunsOn<crate::NoResources>>(setup: Setup) -> Vec<String> {
    let store = Memory::new();
    from("00:30", &store, setup).until("01:30");
    from("06:20", &store, setup).until("06:50");
    let missed = begins(&store, W::GRAPH);
    from("06:55", &store, setup).until("07:05");
    assert_eq!(begins(&store, W::GRAPH).last().map(String::as_str), Some("06-01 07:00 at 07:00"));
    assert_eq!(begins(&store, W::GRAPH).len(), missed.len() + 1);
    assert!(all_succeeded(&store, W::GRAPH));
    missed[1..].to_vec()
}

#[test]
fn latest_makes_up_for_the_last() {
    assert_eq!(after_downtime::<latest>(|engine| engine.register::<latest>()), ["06-01 06:00 at 06:20"]);
}

#[test]
fn none_passes_over_them() {
    assert_eq!(after_downtime::<none>(|engine| engine.register::<none>()), [""; 0]);
    let store = Memory::new();
    let setup: Setup = |engine| engine.register::<none>();
    from("00:30", &store, setup).until("01:30");
    from("06:20", &store, setup).until("06:21");
    assert_eq!(mark(&store, none::GRAPH).as_deref(), Some("06-01 06:00"));
}

#[test]
fn all_makes_up_for_so_many_one_after_the_other() {
    assert_eq!(
        after_downtime::<three>(|engine| engine.register::<three>()),
        ["06-01 04:00 at 06:20", "06-01 05:00 at 06:21", "06-01 06:00 at 06:22"]
    );
}

#[test]
fn all_makes_up_for_so_many_at_once_where_they_may_overlap() {
    assert_eq!(
        after_downtime::<three_at_once>(|engine| engine.register::<three_at_once>()),
        ["06-01 04:00 at 06:20", "06-01 05:00 at 06:20", "06-01 06:00 at 06:20"]
    );
}

#[test]
fn all_is_not_begun_anew_by_a_second_restart() {
    let store = Memory::new();
    let setup: Setup = |engine| engine.register::<three>();
    from("00:30", &store, setup).until("01:30");
    from("06:20", &store, setup).until("06:21");
    from("06:22", &store, setup).until("06:40");
    assert_eq!(ticks(&store, three::GRAPH), ["06-01 01:00", "06-01 04:00", "06-01 05:00", "06-01 06:00"]);
}
