//! Schedules that fire, on days that take milliseconds. One call of
//! [`Process::until`] is one process: it dies at its end, without a word.

mod backfill;
mod clocks;
mod crash;
mod edits;
mod firing;
mod missed;
mod overlap;

use std::sync::Arc;
use std::time::Duration;

use crate::run::{RunState, Timestamp};
use crate::schedule::{from_jiff, to_jiff};
use crate::store::{Memory, RunFilter, Store, StoredRun};
use crate::task::definition::Graph;
use crate::testing::block_on;
use crate::{Engine, EngineBuilder, Result, task, workflow};

/// A task that takes its time.
#[task]
async fn work(minutes: u64) -> u64 {
    tokio::time::sleep(Duration::from_secs(60 * minutes)).await;
    minutes
}

fn at(instant: &str) -> Timestamp {
    let instant =
        if instant.contains('T') { instant.to_owned() } else { format!("2026-06-01T{instant}:00Z") };
    from_jiff(instant.parse().unwrap())
}

/// What a test sets its engines up with.
type Setup = fn(EngineBuilder) -> EngineBuilder;

/// A process that begins at a time.
struct Process<'a> {
    store: &'a Memory,
    begin: Timestamp,
    setup: Setup,
}

fn from<'a>(begin: &str, store: &'a Memory, setup: Setup) -> Process<'a> {
    Process { store, begin: at(begin), setup }
}

impl Process<'_> {
    async fn start(&self) -> Engine {
        let store = Arc::new(self.store.clone());
        let engine = (self.setup)(Engine::in_memory()).under_test(store, self.begin, Arc::new(|_| ()));
        engine.start().await.unwrap()
    }

    /// Lives until a time.
    fn until(self, end: &str) {
        block_on(async {
            let engine = self.start().await;
            // A moment longer, for what begins at the end.
            tokio::time::sleep(at(end).since(self.begin) + Duration::from_millis(1)).await;
            drop(engine);
        });
    }
}

/// A run as a test wants to see it.
fn told(run: &StoredRun, what: &dyn Fn(&StoredRun) -> String) -> String {
    let tick = run.key.as_deref().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned();
    format!("{} {}", short(&tick), what(run)).trim_end().to_owned()
}

/// `06-01 09:00`
fn short(instant: &str) -> String {
    instant.parse::<jiff::Timestamp>().unwrap().strftime("%m-%d %H:%M").to_string()
}

fn runs_of(store: &Memory, graph: &Graph) -> Vec<StoredRun> {
    let workflow = Some(graph.name.to_owned());
    let mut runs = store.list(&RunFilter { workflow, at_most: 1_000, ..RunFilter::default() }).unwrap();
    runs.reverse();
    runs
}

/// The ticks that have a run, in the order in which the runs began.
fn ticks(store: &Memory, graph: &Graph) -> Vec<String> {
    runs_of(store, graph).iter().map(|run| told(run, &|_| String::new())).collect()
}

/// The ticks that have a run, and when that began.
fn begins(store: &Memory, graph: &Graph) -> Vec<String> {
    let begin = |run: &StoredRun| format!("at {}", to_jiff(run.created_at).strftime("%H:%M"));
    runs_of(store, graph).iter().map(|run| told(run, &begin)).collect()
}

/// The ticks that have a run, and the run's state.
fn states(store: &Memory, graph: &Graph) -> Vec<String> {
    runs_of(store, graph).iter().map(|run| told(run, &|run| run.state.to_string())).collect()
}

fn mark(store: &Memory, graph: &Graph) -> Option<String> {
    let schedules = store.schedules().unwrap();
    let stored = schedules.iter().find(|stored| stored.schedule == graph.name);
    stored.map(|stored| short(&to_jiff(stored.mark).to_string()))
}

fn all_succeeded(store: &Memory, graph: &Graph) -> bool {
    runs_of(store, graph).iter().all(|run| run.state == RunState::Succeeded)
}

workflow! {
    #[schedule(every = "1h", hour = tick.hour())]
    fn hourly(hour: i8) -> Result<u64> {
        let worked = work(u64::try_from(hour).unwrap_or_default() % 3);
        Ok(worked)
    }
}
