//! duroxide, with its SQLite: an orchestration of one activity after the other.
//!
//! `bench-duroxide RUNS STEPS AT_A_TIME FOLDER` prints the seconds it took.

use std::sync::Arc;
use std::time::{Duration, Instant};

use duroxide::providers::sqlite::SqliteProvider;
use duroxide::runtime::registry::ActivityRegistry;
use duroxide::runtime::{Runtime, RuntimeOptions};
use duroxide::{ActivityContext, Client, OrchestrationContext, OrchestrationRegistry, OrchestrationStatus};

const LONG: Duration = Duration::from_secs(600);

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [runs, steps, at_a_time] =
        [0, 1, 2].map(|place| arguments[place].parse::<usize>().expect("a number"));
    let file = format!("sqlite:{}/runs.db?mode=rwc", arguments[3]);
    let store = Arc::new(SqliteProvider::new(&file, None).await.expect("the file can be made"));

    let activities = ActivityRegistry::builder()
        .register("add", |_: ActivityContext, value: String| async move {
            let value: u64 = value.parse().map_err(|_| "no number")?;
            Ok((value + 1).to_string())
        })
        .build();
    let chain = |context: OrchestrationContext, steps: String| async move {
        let steps: u64 = steps.parse().map_err(|_| "no number")?;
        let mut value = "0".to_owned();
        for _ in 0..steps {
            value = context.schedule_activity("add", value).await?;
        }
        Ok(value)
    };
    let orchestrations = OrchestrationRegistry::builder().register("chain", chain).build();
    // By default it looks for work ten times a second.
    let options = RuntimeOptions {
        dispatcher_min_poll_interval: Duration::from_millis(1),
        ..RuntimeOptions::default()
    };
    let runtime = Runtime::start_with_options(store.clone(), activities, orchestrations, options).await;

    let began = Instant::now();
    let lanes = (0..at_a_time).map(|lane| {
        let client = Client::new(store.clone());
        tokio::spawn(async move {
            for run in (lane..runs).step_by(at_a_time) {
                let id = format!("run-{run}");
                client.start_orchestration(&id, "chain", steps.to_string()).await.expect("it starts");
                match client.wait_for_orchestration(&id, LONG).await.expect("it ends") {
                    OrchestrationStatus::Completed { output, .. } => assert_eq!(output, steps.to_string()),
                    other => panic!("{other:?}"),
                }
            }
        })
    });
    for lane in lanes.collect::<Vec<_>>() {
        lane.await.expect("no run panics");
    }
    println!("{}", began.elapsed().as_secs_f64());
    runtime.shutdown(None).await;
}
