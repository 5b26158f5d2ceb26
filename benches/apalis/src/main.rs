//! apalis with apalis-workflow and its SQLite: a graph of one node after the
//! other, each of them a job.
//!
//! `bench-apalis RUNS STEPS AT_A_TIME FOLDER` prints the seconds it took.

use std::sync::Arc;
use std::time::{Duration, Instant};

use apalis::prelude::*;
use apalis_sqlite::{Config, SqlitePool, SqliteStorage};
use apalis_workflow::{GraphFlow, WorkflowSink};
use tokio::sync::Semaphore;

async fn add(value: u64) -> Result<u64, BoxDynError> {
    Ok(value + 1)
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [runs, steps, at_a_time] =
        [0, 1, 2].map(|place| arguments[place].parse::<usize>().expect("a number"));
    let pool = SqlitePool::connect(&format!("sqlite:{}/runs.db?mode=rwc", arguments[3])).await;
    let pool = pool.expect("the file can be made");
    SqliteStorage::setup(&pool).await.expect("the file can be written");
    // It looks for work every millisecond.
    let backend = SqliteStorage::new(&pool)
        .with_config(Config::default().queue("chain").batch_size(at_a_time))
        .poll_with_interval(Duration::from_millis(1));

    let ended = Arc::new(Semaphore::new(0));
    let end = {
        let ended = ended.clone();
        move |value: u64| {
            assert_eq!(value + 1, steps as u64);
            ended.add_permits(1);
            async move { Ok::<_, BoxDynError>(value + 1) }
        }
    };
    let graph = GraphFlow::new("chain");
    let first = graph.add_task(add);
    let mut before = graph.add_task(add).depends_on(&first);
    for _ in 3..steps {
        before = graph.add_task(add).depends_on(&before);
    }
    graph.add_task(end).depends_on(&before);

    let mut starts = backend.clone();
    let worker = WorkerBuilder::new("bench").backend(backend).build(graph);
    let worker = tokio::spawn(worker.run());
    let began = Instant::now();
    for run in 0..runs {
        if run >= at_a_time {
            ended.acquire().await.expect("it is never closed").forget();
        }
        starts.push_start(0).await.expect("it can be written");
    }
    let last = ended.acquire_many(runs.min(at_a_time) as u32).await;
    last.expect("it is never closed").forget();
    println!("{}", began.elapsed().as_secs_f64());
    worker.abort();
}
