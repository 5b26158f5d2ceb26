//! When ticks start runs, and when not.

use super::*;
use crate::Result;

workflow! {
    #[schedule("30 2 * * *", timezone = "Europe/Berlin", day = tick.date().to_string(), offset = tick.offset().seconds())]
    fn nightly(day: String, offset: i32) -> Result<String> {
        Ok(format!("{day} {offset}"))
    }
}

workflow! {
    #[schedule(every = "1h", hour = fill(tick.hour()))]
    fn panics(hour: i8) -> Result<i8> {
        Ok(hour)
    }
}

fn fill(hour: i8) -> i8 {
    assert!(hour != 2, "nothing is done at two");
    hour
}

workflow! {
    #[schedule("0 0 29 2 *")]
    fn rare() -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_day_of_ticks() {
    let store = Memory::new();
    from("00:30", &store, |engine| engine.register::<hourly>()).until("2026-06-02T00:30:00Z");
    let expected: Vec<String> = (1..24).map(|hour| format!("06-01 {hour:02}:00 at {hour:02}:00")).collect();
    let told = begins(&store, hourly::GRAPH);
    assert_eq!(told[..23], expected);
    assert_eq!(told[23..], ["06-02 00:00 at 00:00"]);
    assert!(all_succeeded(&store, hourly::GRAPH));
    assert_eq!(mark(&store, hourly::GRAPH).as_deref(), Some("06-02 00:00"));
}

#[test]
fn parameters_are_filled_in_the_time_zone() {
    let store = Memory::new();
    from("2026-03-27T12:00:00Z", &store, |engine| engine.register::<nightly>()).until("2026-03-30T12:00:00Z");
    let told: Vec<String> = runs_of(&store, nightly::GRAPH)
        .iter()
        .map(|run| told(run, &|run| String::from_utf8_lossy(&run.params).into_owned()))
        .collect();
    assert_eq!(
        told,
        [
            r#"03-28 01:30 ["2026-03-28",3600]"#,
            // Clocks go from 2:00 to 3:00.
            r#"03-29 01:00 ["2026-03-29",7200]"#,
            r#"03-30 00:30 ["2026-03-30",7200]"#,
        ]
    );
    let keys: Vec<_> = runs_of(&store, nightly::GRAPH).into_iter().filter_map(|run| run.key).collect();
    assert_eq!(keys[0], "schedule/nightly/2026-03-28T01:30:00Z");
}

#[test]
fn a_restart_between_ticks_neither_loses_nor_repeats_one() {
    let store = Memory::new();
    let setup: Setup = |engine| engine.register::<hourly>();
    from("00:30", &store, setup).until("01:30");
    from("01:31", &store, setup).until("01:40");
    from("01:41", &store, setup).until("03:00");
    from("03:00", &store, setup).until("04:10");
    assert_eq!(ticks(&store, hourly::GRAPH), ["06-01 01:00", "06-01 02:00", "06-01 03:00", "06-01 04:00"]);
}

#[test]
fn what_was_due_before_a_schedule_was_there_is_not_made_up_for() {
    let store = Memory::new();
    let setup: Setup = |engine| engine.register::<hourly>();
    from("05:30", &store, setup).until("05:40");
    assert_eq!(ticks(&store, hourly::GRAPH), [""; 0]);
    assert_eq!(mark(&store, hourly::GRAPH).as_deref(), Some("06-01 05:30"));
    from("05:50", &store, setup).until("06:10");
    assert_eq!(ticks(&store, hourly::GRAPH), ["06-01 06:00"]);
}

#[test]
fn a_panic_while_parameters_are_filled_costs_its_own_tick() {
    let store = Memory::new();
    let setup: Setup = |engine| engine.register::<panics>().register::<hourly>().register::<rare>();
    let mut gone = store.schedules().unwrap();
    assert!(gone.is_empty());
    store.mark(crate::store::Tick { schedule: "gone".to_owned(), at: at("00:00") }).unwrap();
    from("00:30", &store, setup).until("03:30");
    assert_eq!(ticks(&store, panics::GRAPH), ["06-01 01:00", "06-01 03:00"]);
    assert_eq!(ticks(&store, hourly::GRAPH), ["06-01 01:00", "06-01 02:00", "06-01 03:00"]);
    assert_eq!(mark(&store, panics::GRAPH).as_deref(), Some("06-01 03:00"));
    gone = store.schedules().unwrap();
    assert_eq!(gone.iter().find(|it| it.schedule == "gone").map(|it| it.mark), Some(at("00:00")));
}

#[test]
fn nothing_fires_when_nobody_wants_it() {
    let store = Memory::new();
    from("00:30", &store, |engine| engine.register::<hourly>().schedules(false)).until("03:30");
    from("03:30", &store, |engine| engine).until("06:30");
    assert_eq!((ticks(&store, hourly::GRAPH), mark(&store, hourly::GRAPH)), (vec![], None));
}

#[test]
fn an_engine_that_is_shut_down_or_let_go_of_starts_nothing() {
    let hour = Duration::from_secs(3_600);
    let store = Memory::new();
    block_on(async {
        let engine = from("00:30", &store, |engine| engine.register::<hourly>()).start().await;
        let other = engine.clone();
        drop(engine);
        tokio::time::sleep(hour).await;
        assert_eq!(ticks(&store, hourly::GRAPH).len(), 1, "a handle is left");
        drop(other);
        tokio::time::sleep(5 * hour).await;
        assert_eq!(ticks(&store, hourly::GRAPH).len(), 1, "none is left");
    });
    block_on(async {
        let engine = from("01:30", &store, |engine| engine.register::<hourly>()).start().await;
        engine.shutdown().await;
        tokio::time::sleep(5 * hour).await;
        assert_eq!(ticks(&store, hourly::GRAPH).len(), 1);
    });
}

#[test]
fn an_engine_in_memory_fires_too() {
    block_on(async {
        let engine = Engine::in_memory().register::<hourly>().start().await.unwrap();
        let day = Duration::from_secs(24 * 3_600);
        tokio::time::sleep(10 * day).await;
        let now = to_jiff(engine.core().clock.now());
        let all = crate::schedule::Ticks::of(hourly::GRAPH).unwrap().unwrap();
        let past = all.last(200, now - jiff::SignedDuration::from_hours(240), now);
        assert_eq!(past.len(), 200);
        let kept = past
            .iter()
            .filter(|tick| engine.registry().by_key(&crate::schedule::key("hourly", tick)).is_some())
            .count();
        assert_eq!(kept, 100, "it does not grow for ever");
    });
}
