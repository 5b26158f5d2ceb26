//! Runs for ticks that have passed.

use super::*;
use crate::{BackfillResult, Backfilled, Error, Result};

workflow! {
    #[schedule(every = "1h", hour = check(tick.hour()))]
    fn filled(hour: i8) -> Result<u64> {
        let minutes = doubled(hour);
        let worked = work(minutes);
        Ok(worked)
    }
}

fn check(hour: i8) -> i8 {
    assert!(hour != 9, "nothing is done at nine");
    hour
}

#[task]
async fn doubled(hour: i8) -> u64 {
    u64::try_from(hour).unwrap_or_default() * 2
}

workflow! {
    fn plain() -> Result<()> {
        Ok(())
    }
}

const SETUP: Setup = |engine| engine.register::<filled>().register::<plain>();

fn jiff(instant: &str) -> jiff::Timestamp {
    to_jiff(at(instant))
}

fn words(result: &Backfilled) -> String {
    let what = match &result.result {
        BackfillResult::Ended { state, .. } => state.to_string(),
        BackfillResult::Existed { .. } => "existed".to_owned(),
        BackfillResult::Refused { reason } => reason.clone(),
    };
    format!("{} {what}", result.tick.strftime("%H:%M"))
}

#[test]
fn a_span_is_filled_and_what_has_run_does_not_run_again() {
    let store = Memory::new();
    from("02:30", &store, SETUP).until("03:30");
    block_on(async {
        let engine = from("03:40", &store, SETUP).start().await;
        let mark_before = mark(&store, filled::GRAPH);
        let backfill = engine.backfill("filled", jiff("01:00"), jiff("04:00")).unwrap();
        let plan = backfill.plan().await.unwrap();
        let planned: Vec<_> = plan.iter().map(|it| (it.key.as_str(), it.run.is_some())).collect();
        assert_eq!(
            planned,
            [
                ("schedule/filled/2026-06-01T01:00:00Z", false),
                ("schedule/filled/2026-06-01T02:00:00Z", false),
                ("schedule/filled/2026-06-01T03:00:00Z", true)
            ]
        );
        assert_eq!(ticks(&store, filled::GRAPH), ["06-01 03:00"], "a plan starts nothing");
        let done = backfill.run().await.unwrap();
        assert_eq!(
            done.iter().map(words).collect::<Vec<_>>(),
            ["01:00 succeeded", "02:00 succeeded", "03:00 existed"]
        );
        // One after the other, the oldest first.
        assert_eq!(
            begins(&store, filled::GRAPH),
            ["06-01 03:00 at 03:00", "06-01 01:00 at 03:40", "06-01 02:00 at 03:42"]
        );
        assert_eq!(mark(&store, filled::GRAPH), mark_before, "the schedule is where it was");
        let again = backfill.run().await.unwrap();
        assert!(again.iter().all(|it| matches!(it.result, BackfillResult::Existed { .. })));
        assert_eq!(runs_of(&store, filled::GRAPH).len(), 3);
    });
}

#[test]
fn so_many_run_at_a_time() {
    let store = Memory::new();
    block_on(async {
        let engine = from("2026-06-02T00:30:00Z", &store, SETUP).start().await;
        let backfill = engine.backfill("filled", jiff("01:00"), jiff("06:00")).unwrap().at_a_time(2);
        assert_eq!(backfill.run().await.unwrap().len(), 5);
        // They take twice as many minutes as it was o'clock.
        assert_eq!(
            begins(&store, filled::GRAPH),
            [
                "06-01 01:00 at 00:30",
                "06-01 02:00 at 00:30",
                "06-01 03:00 at 00:32",
                "06-01 04:00 at 00:34",
                "06-01 05:00 at 00:38"
            ]
        );
    });
}

#[test]
fn what_cannot_run_is_told_and_does_not_stop_the_rest() {
    let store = Memory::new();
    block_on(async {
        let engine = from("2026-06-02T00:30:00Z", &store, SETUP).start().await;
        let done = engine.backfill("filled", jiff("08:00"), jiff("11:00")).unwrap().run().await.unwrap();
        assert_eq!(
            done.iter().map(words).collect::<Vec<_>>(),
            [
                "08:00 succeeded",
                "09:00 its parameters cannot be filled: panicked: nothing is done at nine",
                "10:00 succeeded"
            ]
        );
    });
}

#[test]
fn what_is_to_come_is_left_out() {
    let store = Memory::new();
    block_on(async {
        let engine = from("03:40", &store, SETUP).start().await;
        let backfill = engine.backfill("filled", jiff("02:00"), jiff("23:00")).unwrap();
        assert_eq!(backfill.plan().await.unwrap().len(), 2);
        assert_eq!(engine.backfill("filled", jiff("03:00"), jiff("03:00")).unwrap().run().await.unwrap(), []);
    });
}

#[test]
fn a_backfill_that_dies_goes_on_where_it_was() {
    let store = Memory::new();
    let span = (jiff("01:00"), jiff("06:00"));
    block_on(async {
        let engine = from("2026-06-02T00:30:00Z", &store, SETUP).start().await;
        let backfill = engine.backfill("filled", span.0, span.1).unwrap();
        let within = tokio::time::timeout(Duration::from_secs(5 * 60), backfill.run()).await;
        assert!(within.is_err());
    });
    assert_eq!(ticks(&store, filled::GRAPH), ["06-01 01:00", "06-01 02:00"]);
    block_on(async {
        let engine = from("2026-06-02T00:35:00Z", &store, SETUP).start().await;
        engine.backfill("filled", span.0, span.1).unwrap().run().await.unwrap();
    });
    assert_eq!(ticks(&store, filled::GRAPH).len(), 5);
    assert!(all_succeeded(&store, filled::GRAPH));
}

#[test]
fn it_is_refused_where_there_is_nothing_to_fill() {
    block_on(async {
        let engine = SETUP(Engine::in_memory()).start().await.unwrap();
        let words = |workflow, to: &str| match engine.backfill(workflow, jiff("01:00"), jiff(to)) {
            Err(error @ Error::Schedule { .. }) => error.to_string(),
            other => panic!("{other:?}"),
        };
        let day = "2026-06-02T00:00:00Z";
        assert_eq!(
            words("unknown", day),
            "workflow `unknown` cannot be scheduled: it is not registered with this engine"
        );
        assert_eq!(words("plain", day), "workflow `plain` cannot be scheduled: it has no schedule");
    });
}
