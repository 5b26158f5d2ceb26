//! Runs for ticks that have passed.

use super::*;
use crate::{BackfillResult, Backfilled, By, Error, Operation, Result};

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
        assert_eq!(backfill.to_come().unwrap().strftime("%H:%M").to_string(), "04:00");
        let past = engine.backfill("filled", jiff("01:00"), jiff("03:30")).unwrap();
        assert_eq!(past.to_come(), None);
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

/// The first two of a day take an hour and a half.
#[task]
async fn length(hour: i8) -> u64 {
    if hour < 3 { 90 } else { 1 }
}

workflow! {
    #[schedule(every = "1h", overlap = skip, missed = none, hour = tick.hour())]
    fn skips(hour: i8) -> Result<u64> {
        let minutes = length(hour);
        let worked = work(minutes);
        Ok(worked)
    }
}

workflow! {
    #[schedule(every = "1h", overlap = queue, missed = none, hour = tick.hour())]
    fn queues(hour: i8) -> Result<u64> {
        let minutes = length(hour);
        let worked = work(minutes);
        Ok(worked)
    }
}

workflow! {
    #[schedule(every = "1h", overlap = cancel_old, missed = none, hour = tick.hour())]
    fn cancels(hour: i8) -> Result<u64> {
        let minutes = length(hour);
        let worked = work(minutes);
        Ok(worked)
    }
}

const ALL: Setup = |engine| engine.register::<skips>().register::<queues>().register::<cancels>();

/// What is asked of an engine, once for each hour.
async fn ask(engine: &Engine, graph: &Graph, hours: std::ops::Range<u8>, at_a_time: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for hour in hours {
        let operation = Operation::Backfill {
            workflow: graph.name.to_owned(),
            params: [("hour".to_owned(), hour.into())].into(),
            key: format!("schedule/{}/2026-06-01T{hour:02}:00:00Z", graph.name),
            at_a_time,
        };
        let by = By { actor: "ann".to_owned(), reason: None };
        ids.push(engine.operate(None, operation, by).await.unwrap());
    }
    ids
}

/// The ticks that have a run, and when its first step began.
fn first_steps(store: &Memory, graph: &Graph) -> Vec<String> {
    let runs = runs_of(store, graph).into_iter();
    let mut begun: Vec<_> = runs
        .filter_map(|run| {
            let first = store.journal(run.run).unwrap().first()?.at;
            Some((first, told(&run, &|run| format!("at {} {}", to_jiff(first).strftime("%H:%M"), run.state))))
        })
        .collect();
    begun.sort();
    begun.into_iter().map(|(_, told)| told).collect()
}

#[test]
fn what_is_due_meanwhile_and_a_backfill_leave_each_other_alone() {
    for graph in [skips::GRAPH, queues::GRAPH, cancels::GRAPH] {
        for in_code in [true, false] {
            let store = Memory::new();
            block_on(async {
                let engine = from("03:40", &store, ALL).start().await;
                if in_code {
                    let backfill = engine.backfill(graph.name, jiff("01:00"), jiff("03:00")).unwrap();
                    assert_eq!(backfill.run().await.unwrap().len(), 2);
                } else {
                    ask(&engine, graph, 1..3, 1).await;
                    tokio::time::sleep(Duration::from_secs(180 * 60 + 1)).await;
                }
            });
            assert_eq!(
                first_steps(&store, graph),
                [
                    "06-01 01:00 at 03:40 succeeded",
                    "06-01 04:00 at 04:00 succeeded",
                    "06-01 05:00 at 05:00 succeeded",
                    "06-01 02:00 at 05:10 succeeded",
                    "06-01 06:00 at 06:00 succeeded"
                ],
                "{} {in_code}",
                graph.name
            );
        }
    }
}

#[test]
fn runs_of_a_backfill_wait_for_their_turn_over_restarts() {
    let store = Memory::new();
    let asked = block_on(async {
        let engine = from("2026-06-02T00:30:00Z", &store, SETUP).start().await;
        let asked = ask(&engine, filled::GRAPH, 1..6, 2).await;
        assert_eq!(ask(&engine, filled::GRAPH, 1..6, 2).await, asked, "they are there");
        tokio::time::sleep(Duration::from_secs(3 * 60)).await;
        let states = states(&store, filled::GRAPH);
        let wanted = ["succeeded", "running", "running", "queued", "queued"];
        assert!(states.iter().zip(wanted).all(|(run, state)| run.ends_with(state)), "{states:?}");
        asked
    });
    block_on(async {
        let engine = from("2026-06-02T00:33:30Z", &store, SETUP).start().await;
        tokio::time::sleep(MINUTE).await;
        let states = states(&store, filled::GRAPH);
        assert_eq!(states.iter().filter(|run| run.ends_with("running")).count(), 2, "{states:?}");
        // One that is cancelled while it waits is out of the way.
        let by = By { actor: "ann".to_owned(), reason: None };
        engine.operate(Some(&asked[3]), Operation::Cancel, by).await.unwrap();
        tokio::time::sleep(30 * MINUTE).await;
        let states = self::states(&store, filled::GRAPH);
        let wanted = ["succeeded", "succeeded", "succeeded", "cancelled", "succeeded"];
        assert!(states.iter().zip(wanted).all(|(run, state)| run.ends_with(state)), "{states:?}");
    });
    let begun = first_steps(&store, filled::GRAPH);
    let day: Vec<_> = begun.iter().filter(|run| run.starts_with("06-01")).collect();
    assert_eq!(day.len(), 5);
}

const MINUTE: Duration = Duration::from_secs(60);
