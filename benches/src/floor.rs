//! What a run costs at least, by hand: dependency counters, boxed futures, and
//! the first step that a step makes ready runs inline, the others spawned.
//! `TRACKED` adds a cell with the state of each step and two readings of the
//! clock, which is what every engine that can be asked has to do: the reference.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::oneshot;

use crate::contestant::{Boxed, Contestant, Once, once};
use crate::shape::Shape;
use crate::work::Work;

pub const COUNTERS: Contestant = Contestant { name: "floor: counters", prepare: prepare::<false> };
pub const TRACKED: Contestant = Contestant { name: "floor: states + 2 clocks", prepare: prepare::<true> };

/// A step of the table that a graph is.
struct Row {
    needs: Vec<usize>,
    dependents: Vec<usize>,
    task: fn(u64) -> Boxed<u64>,
}

#[allow(dead_code, reason = "nobody asks")]
enum State {
    Waiting,
    Running { since: Instant },
    Succeeded { since: Instant, until: Instant },
}

struct Run {
    table: Arc<Vec<Row>>,
    missing: Vec<AtomicU32>,
    values: Vec<AtomicU64>,
    states: Vec<Mutex<State>>,
    result: Mutex<Option<oneshot::Sender<u64>>>,
}

fn prepare<const TRACKED: bool>(shape: Shape) -> Boxed<Option<Once>> {
    let table = Arc::new(table(shape));
    let once = once(move || run::<TRACKED>(table.clone()));
    Box::pin(async { Some(once) })
}

fn table(shape: Shape) -> Vec<Row> {
    let plan = shape.plan();
    let mut table: Vec<Row> = Vec::new();
    for (step, needs) in plan.needs.iter().enumerate() {
        let task: fn(u64) -> Boxed<u64> = match plan.work(step) {
            Work::Add => |sum| Box::pin(async move { Work::Add.of(sum) }),
            Work::Collatz => |sum| Box::pin(async move { Work::Collatz.of(sum) }),
            Work::Compute => |sum| Box::pin(async move { Work::Compute.of(sum) }),
        };
        table.push(Row { needs: needs.clone(), dependents: Vec::new(), task });
        for need in needs {
            table[*need].dependents.push(step);
        }
    }
    table
}

async fn run<const TRACKED: bool>(table: Arc<Vec<Row>>) -> u64 {
    let (sender, result) = oneshot::channel();
    let states = if TRACKED { table.len() } else { 0 };
    let run = Arc::new(Run {
        missing: table.iter().map(|row| AtomicU32::new(row.needs.len() as u32)).collect(),
        values: table.iter().map(|_| AtomicU64::new(0)).collect(),
        states: (0..states).map(|_| Mutex::new(State::Waiting)).collect(),
        result: Mutex::new(Some(sender)),
        table,
    });
    spawn::<TRACKED>(run, 0);
    result.await.expect("the last step ends")
}

fn spawn<const TRACKED: bool>(run: Arc<Run>, step: usize) {
    tokio::spawn(drive::<TRACKED>(run, step));
}

async fn drive<const TRACKED: bool>(run: Arc<Run>, mut step: usize) {
    loop {
        let row = &run.table[step];
        let since = TRACKED.then(Instant::now);
        if let Some(since) = since {
            *run.states[step].lock().unwrap() = State::Running { since };
        }
        let given = row.needs.iter().map(|need| run.values[*need].load(Ordering::Relaxed));
        let value = (row.task)(given.fold(0, u64::wrapping_add)).await;
        run.values[step].store(value, Ordering::Relaxed);
        if let Some(since) = since {
            *run.states[step].lock().unwrap() = State::Succeeded { since, until: Instant::now() };
        }
        let mut next = None;
        for dependent in &row.dependents {
            // The last one to count down sees the values of all others.
            if run.missing[*dependent].fetch_sub(1, Ordering::AcqRel) == 1 {
                match next {
                    None => next = Some(*dependent),
                    Some(_) => spawn::<TRACKED>(run.clone(), *dependent),
                }
            }
        }
        let Some(dependent) = next else {
            if row.dependents.is_empty() {
                let result = run.result.lock().unwrap().take().expect("there is one last step");
                let _ = result.send(value);
            }
            return;
        };
        step = dependent;
    }
}
