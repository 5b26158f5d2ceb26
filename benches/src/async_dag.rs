//! async_dag: a graph of closures, all of it in one future. No states, no
//! panics contained. Its graph is used up by a run, and its futures do not
//! leave their thread.

use async_dag::Graph;

use crate::contestant::{Boxed, Contestant, Once, once};
use crate::plan::Plan;
use crate::shape::Shape;
use crate::work::Work;

pub const ASYNC_DAG: Contestant = Contestant { name: "async_dag 0.1", prepare };

fn prepare(shape: Shape) -> Boxed<Option<Once>> {
    // Its steps never wait, so blocking on them keeps nobody waiting.
    let run = |plan| once(move || async move { futures::executor::block_on(run(plan)) });
    Box::pin(async move { shape.known().map(run) })
}

async fn run(plan: &'static Plan) -> u64 {
    let mut graph = Graph::new();
    let mut nodes = Vec::with_capacity(plan.needs.len());
    for (step, needs) in plan.needs.iter().enumerate() {
        let work = plan.work(step);
        let two = move |left: u64, right: u64| async move { work.of(left.wrapping_add(right)) };
        nodes.push(match needs[..] {
            [] => graph.add_task(move || async move { work.of(0) }),
            [need] => graph
                .add_child_task::<_, u64, _>(nodes[need], move |value: u64| async move { work.of(value) }, 0)
                .unwrap_or_else(|_| unreachable!("a graph has no cycle")),
            [left, right] => {
                let node = graph
                    .add_child_task::<_, u64, _>(nodes[left], two, 0)
                    .unwrap_or_else(|_| unreachable!("a graph has no cycle"));
                graph.update_dependency(nodes[right], node, 1).expect("the types fit");
                node
            }
            // A task has few parameters: joined by hand, below.
            _ => break,
        });
    }
    graph.run().await;
    let value = |node| graph.get_value::<u64>(node).expect("it has run");
    match &plan.needs[plan.needs.len() - 1] {
        last if last.len() > 2 => {
            Work::Add.of(last.iter().map(|need| value(nodes[*need])).fold(0, u64::wrapping_add))
        }
        _ => value(nodes[nodes.len() - 1]),
    }
}
