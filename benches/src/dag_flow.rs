//! dag-flow: a graph of tasks with ids, made once; each run is a table of
//! shared futures, polled by one task. No states.

use std::collections::HashMap;

use dag_flow::context::Context;
use dag_flow::engine::Engine;
use dag_flow::task::{Input, Task};

use crate::contestant::{Boxed, Contestant, Once, once};
use crate::plan::Plan;
use crate::shape::Shape;

pub const DAG_FLOW: Contestant = Contestant { name: "dag-flow 0.1", prepare };

struct Step {
    plan: &'static Plan,
    step: usize,
}

impl Task<usize, u64> for Step {
    fn id(&self) -> usize {
        self.step
    }

    fn dependencies(&self) -> Vec<usize> {
        self.plan.needs[self.step].clone()
    }

    async fn run(&self, inputs: HashMap<usize, Input<'_, u64>>) -> Option<u64> {
        let mut sum: u64 = 0;
        for input in inputs.into_values() {
            sum = sum.wrapping_add(input.await?);
        }
        Some(self.plan.work(self.step).of(sum))
    }
}

fn prepare(shape: Shape) -> Boxed<Option<Once>> {
    Box::pin(async move { shape.known().map(prepared) })
}

fn prepared(plan: &'static Plan) -> Once {
    let builder = Engine::builder();
    for step in 0..plan.needs.len() {
        builder.add_task(Step { plan, step });
    }
    let engine = builder.build().expect("a graph has no cycle");
    once(move || {
        let engine = engine.clone();
        async move {
            let context = Context::new();
            engine.run(context.clone()).await;
            let last = context.get(&(plan.needs.len() - 1)).expect("it has run");
            last.await.expect("no step fails")
        }
    })
}
