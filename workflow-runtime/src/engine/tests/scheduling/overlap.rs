//! Ticks that come while an earlier run has not ended. A run takes two and a
//! half hours, and ticks come every hour.

use super::*;
use crate::Result;

workflow! {
    #[schedule(every = "1h", overlap = skip)]
    fn skip() -> Result<u64> {
        let worked = work(150);
        Ok(worked)
    }
}

workflow! {
    #[schedule(every = "1h", overlap = queue)]
    fn queue() -> Result<u64> {
        let worked = work(150);
        Ok(worked)
    }
}

workflow! {
    #[schedule(every = "1h", overlap = queue, missed = none)]
    fn queue_none() -> Result<u64> {
        let worked = work(150);
        Ok(worked)
    }
}

workflow! {
    #[schedule(every = "1h", overlap = queue, missed = all(10))]
    fn queue_all() -> Result<u64> {
        let worked = work(90);
        Ok(worked)
    }
}

workflow! {
    #[schedule(every = "1h", overlap = cancel_old)]
    fn cancel_old() -> Result<u64> {
        let worked = work(150);
        Ok(worked)
    }
}

workflow! {
    #[schedule(every = "1h", overlap = allow)]
    fn allow() -> Result<u64> {
        let worked = work(150);
        Ok(worked)
    }
}

fn six_hours<W: crate::Workflow>(setup: Setup) -> (Vec<String>, Vec<String>) {
    let store = Memory::new();
    from("00:30", &store, setup).until("06:45");
    assert!(mark(&store, W::GRAPH).is_some());
    (begins(&store, W::GRAPH), states(&store, W::GRAPH))
}

#[test]
fn skip_passes_over_the_tick() {
    let (begins, _) = six_hours::<skip>(|engine| engine.register::<skip>());
    assert_eq!(begins, ["06-01 01:00 at 01:00", "06-01 04:00 at 04:00"]);
}

#[test]
fn skip_moves_the_mark() {
    let store = Memory::new();
    let setup: Setup = |engine| engine.register::<skip>();
    from("00:30", &store, setup).until("03:10");
    assert_eq!(mark(&store, skip::GRAPH).as_deref(), Some("06-01 03:00"));
    // So nothing is made up for.
    from("03:11", &store, setup).until("03:55");
    assert_eq!(ticks(&store, skip::GRAPH), ["06-01 01:00"]);
}

#[test]
fn queue_starts_the_latest_when_the_earlier_run_has_ended() {
    let (begins, _) = six_hours::<queue>(|engine| engine.register::<queue>());
    assert_eq!(begins, ["06-01 01:00 at 01:00", "06-01 03:00 at 03:30", "06-01 06:00 at 06:00"]);
}

#[test]
fn queue_survives_a_restart() {
    for (setup, graph) in [
        ((|engine| engine.register::<queue>()) as Setup, queue::GRAPH),
        // The tick was not missed: it waited.
        (|engine| engine.register::<queue_none>(), queue_none::GRAPH),
    ] {
        let store = Memory::new();
        from("00:30", &store, setup).until("02:10");
        assert_eq!(states(&store, graph), ["06-01 01:00 running"]);
        // The attempt begins anew, at 2:20, and takes until 4:50.
        from("02:20", &store, setup).until("02:50");
        assert_eq!(ticks(&store, graph), ["06-01 01:00"], "it still waits");
        from("02:55", &store, setup).until("06:00");
        assert_eq!(begins(&store, graph), ["06-01 01:00 at 01:00", "06-01 05:00 at 05:25"]);
    }
}

#[test]
fn queue_keeps_as_many_as_are_made_up_for() {
    let (begins, _) = six_hours::<queue_all>(|engine| engine.register::<queue_all>());
    assert_eq!(
        begins,
        ["06-01 01:00 at 01:00", "06-01 02:00 at 02:30", "06-01 03:00 at 04:00", "06-01 04:00 at 05:30"]
    );
}

#[test]
fn cancel_old_cancels_the_earlier_run() {
    let (begins, states) = six_hours::<cancel_old>(|engine| engine.register::<cancel_old>());
    assert_eq!(begins.len(), 6);
    assert_eq!(begins[5], "06-01 06:00 at 06:00");
    assert!(states[..5].iter().all(|state| state.ends_with("cancelled")), "{states:?}");
    assert_eq!(states[5], "06-01 06:00 running");
}

#[test]
fn allow_starts_them_beside_each_other() {
    let (begins, states) = six_hours::<allow>(|engine| engine.register::<allow>());
    assert_eq!(begins.len(), 6);
    let running = states.iter().filter(|state| state.ends_with("running")).count();
    assert_eq!(running, 2, "those of 5:00 and 6:00: {states:?}");
}

#[test]
fn runs_that_somebody_else_started_do_not_count() {
    let store = Memory::new();
    block_on(async {
        let engine = from("00:30", &store, |engine| engine.register::<skip>()).start().await;
        let _other = engine.start(skip()).key("by hand").await.unwrap();
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        let keys: Vec<_> = runs_of(&store, skip::GRAPH).into_iter().filter_map(|run| run.key).collect();
        assert_eq!(keys, ["by hand", "schedule/skip/2026-06-01T01:00:00Z"]);
    });
}

#[test]
fn overlap_holds_in_memory() {
    block_on(async {
        let setup =
            |engine: EngineBuilder| engine.register::<queue>().register::<cancel_old>().register::<allow>();
        let engine = setup(Engine::in_memory()).start().await.unwrap();
        tokio::time::sleep(Duration::from_secs(6 * 3_600 + 60)).await;
        let live = |name: &str| {
            let live = engine.registry().live().into_iter();
            live.filter(|host| host.graph.name == name).count()
        };
        assert_eq!((live("queue"), live("cancel_old")), (1, 1));
        // As many as the real time of day makes of it.
        assert!(matches!(live("allow"), 2 | 3), "{}", live("allow"));
    });
}
