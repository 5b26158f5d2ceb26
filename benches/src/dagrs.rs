//! dagrs: nodes with channels between them, made anew for each run. A state,
//! an output and events for each node.

use std::sync::Arc;

use dagrs::{
    Action, Content, DefaultNode, EnvVar, Graph, InChannels, Node, NodeId, NodeTable, OutChannels, Output,
    async_trait::async_trait,
};

use crate::contestant::{Boxed, Contestant, Once, once};
use crate::plan::Plan;
use crate::shape::Shape;
use crate::work::Work;

pub const DAGRS: Contestant = Contestant { name: "dagrs 0.9", prepare };

struct Step(Work);

#[async_trait]
impl Action for Step {
    async fn run(&self, given: &mut InChannels, to: &mut OutChannels, _: Arc<EnvVar>) -> Output {
        let value = |content: Result<Content, _>| {
            content.ok().and_then(Content::into_inner::<u64>).map_or(0, |value| *value)
        };
        let given = given.map(value).await;
        let value = self.0.of(given.into_iter().fold(0, u64::wrapping_add));
        to.broadcast(Content::new(value)).await;
        Output::new(value)
    }
}

fn prepare(shape: Shape) -> Boxed<Option<Once>> {
    Box::pin(async move { shape.known().map(|plan| once(move || run(plan))) })
}

async fn run(plan: &'static Plan) -> u64 {
    let mut table = NodeTable::default();
    let mut graph = Graph::new();
    let mut ids: Vec<NodeId> = Vec::with_capacity(plan.needs.len());
    let mut dependents = vec![Vec::new(); plan.needs.len()];
    for (step, needs) in plan.needs.iter().enumerate() {
        let node = DefaultNode::with_action(step.to_string(), Step(plan.work(step)), &mut table);
        ids.push(node.id());
        graph.add_node(node).expect("its name is new");
        needs.iter().for_each(|need| dependents[*need].push(ids[step]));
    }
    for (id, dependents) in ids.iter().zip(dependents) {
        if !dependents.is_empty() {
            graph.add_edge(*id, dependents).expect("both are there");
        }
    }
    graph.set_env(EnvVar::new(table));
    graph.async_start().await.expect("no step fails");
    let last = graph.get_results::<u64>().remove(&ids[ids.len() - 1]).flatten();
    *last.expect("it has run")
}
