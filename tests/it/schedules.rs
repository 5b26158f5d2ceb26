//! Schedules on the engine's own store. When ticks come, and what they do, is
//! tested where time is steered; here it is that a file remembers them.

use jiff::Timestamp;
use workflow_runtime::store::{Sqlite, Store};
use workflow_runtime::{BackfillResult, Engine, task, workflow};

#[task]
async fn report(day: &jiff::civil::Date) -> String {
    format!("report of {day}")
}

workflow! {
    #[schedule("0 2 * * *", timezone = "Europe/Berlin", day = tick.date())]
    fn nightly(day: jiff::civil::Date) -> Result<String> {
        let reported = report(&day);
        Ok(reported)
    }
}

#[tokio::test]
async fn a_file_remembers_what_has_run_and_how_far_a_schedule_is() {
    let folder = std::env::temp_dir().join(format!("workflow-schedules-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("runs.db");
    let span: (Timestamp, Timestamp) =
        ("2026-03-28T00:00:00Z".parse().unwrap(), "2026-03-31T00:00:00Z".parse().unwrap());
    let mut marks = Vec::new();
    for again in [false, true] {
        let engine = Engine::open(&file).register::<nightly>().start().await.unwrap();
        let done = engine.backfill("nightly", span.0, span.1).unwrap().at_a_time(2).run().await.unwrap();
        let days: Vec<_> = done.iter().map(|it| it.tick.date().day()).collect();
        assert_eq!(days, [28, 29, 30]);
        // The night of the 29th has no two o'clock.
        assert_eq!(done[1].key, "schedule/nightly/2026-03-29T01:00:00Z");
        let existed = done.iter().filter(|it| matches!(it.result, BackfillResult::Existed { .. })).count();
        assert_eq!(existed, if again { 3 } else { 0 });
        // By its key, it is a run as any other.
        let run = engine.start(nightly(done[1].tick.date())).key(&done[1].key).await.unwrap();
        assert_eq!(run.await.unwrap(), "report of 2026-03-29");
        engine.shutdown().await;
        let store = Sqlite::options().open(&file).unwrap();
        marks.push(store.schedules().unwrap());
        store.close();
    }
    assert_eq!(marks[0].len(), 1);
    assert_eq!(marks[0], marks[1], "where it was when it was first seen");
    std::fs::remove_dir_all(&folder).unwrap();
}
