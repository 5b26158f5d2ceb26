//! dagx: a typed graph, made anew for each run. What a chain needs runs inline,
//! the rest is spawned. It knows the values, no states.

use dagx::{DagRunner, TaskHandle, task_fn};

use crate::contestant::{Boxed, Contestant, Once, once};
use crate::plan::Plan;
use crate::shape::Shape;
use crate::work::Work;

pub const DAGX: Contestant = Contestant { name: "dagx 0.3", prepare };

fn prepare(shape: Shape) -> Boxed<Option<Once>> {
    Box::pin(async move { shape.known().map(|plan| once(move || run(plan))) })
}

async fn run(plan: &'static Plan) -> u64 {
    let graph = DagRunner::new();
    let mut handles: Vec<TaskHandle<u64>> = Vec::with_capacity(plan.needs.len());
    for (step, needs) in plan.needs.iter().enumerate() {
        let work = plan.work(step);
        handles.push(match needs[..] {
            [] => graph.add_task(task_fn(move |_: ()| async move { work.of(0) })).into(),
            [need] => graph
                .add_task(task_fn(move |value: u64| async move { work.of(value) }))
                .depends_on(handles[need]),
            [left, right] => graph
                .add_task(task_fn(move |(left, right): (u64, u64)| async move {
                    work.of(left.wrapping_add(right))
                }))
                .depends_on((&handles[left], &handles[right])),
            // A task has at most eight parameters: joined by hand, below.
            _ => break,
        });
    }
    let ran = graph.run(|task| {
        tokio::spawn(task);
    });
    ran.await.expect("no step fails");
    let value = |handle| graph.get(handle).expect("it has run");
    match &plan.needs[plan.needs.len() - 1] {
        last if last.len() > 2 => {
            Work::Add.of(last.iter().map(|need| value(handles[*need])).fold(0, u64::wrapping_add))
        }
        _ => value(handles[handles.len() - 1]),
    }
}
