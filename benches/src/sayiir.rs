//! sayiir, in process: a tree of tasks, made once. What a task gives is encoded
//! for the next one; a fork is spawned, and its join is given all of it, so all
//! of a layer end before the next one begins. No states, no times.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sayiir_runtime::prelude::*;

use crate::contestant::{Boxed, Contestant, Once, once};
use crate::plan::Plan;
use crate::shape::Shape;

pub const SAYIIR: Contestant = Contestant { name: "sayiir 1.0", prepare };

fn prepare(shape: Shape) -> Boxed<Option<Once>> {
    Box::pin(async move { shape.known().map(prepared) })
}

/// A task takes the values of the layer before, and a join gives those of its
/// fork: a branch sees nothing else.
fn prepared(plan: &'static Plan) -> Once {
    // Its runner says that it has ended and not with what.
    let result = Arc::new(AtomicU64::new(0));
    let last = plan.needs.len() - 1;
    let context = WorkflowContext::new("bench", Arc::new(RkyvCodec), Arc::new(()));
    let mut layers = plan.layers().into_iter();
    let mut builder = WorkflowBuilder::<_, Vec<u64>, Vec<u64>>::new(context)
        .then("0", move |_: Vec<u64>| async move { Ok(vec![plan.work(0).of(0)]) });
    let mut before = layers.next().expect("there is a source");
    for layer in layers {
        let first = before.start;
        let value = move |step: usize, values: &[u64]| {
            let given = plan.needs[step].iter().map(|need| values[need - first]);
            plan.work(step).of(given.fold(0, u64::wrapping_add))
        };
        builder = if layer.len() == 1 {
            let (step, result) = (layer.start, result.clone());
            builder.then(&step.to_string(), move |values: Vec<u64>| {
                let value = value(step, &values);
                if step == last {
                    result.store(value, Ordering::Relaxed);
                }
                async move { Ok(vec![value]) }
            })
        } else {
            let names: Arc<Vec<String>> = Arc::new(layer.clone().map(|step| step.to_string()).collect());
            let ids = names.clone();
            let fork = builder.branches(|branches| {
                for (step, id) in layer.clone().zip(ids.iter()) {
                    branches.add(id, move |values: Vec<u64>| async move { Ok(value(step, &values)) });
                }
            });
            fork.join(&format!("join {}", layer.start), move |outputs| {
                let values =
                    names.iter().map(|name| outputs.get_by_id::<u64>(name)).collect::<Result<Vec<_>, _>>();
                async move { values }
            })
        };
        before = layer;
    }
    let workflow = Arc::new(builder.build().expect("it is a workflow"));
    once(move || {
        let (workflow, result) = (workflow.clone(), result.clone());
        async move {
            let ended = InProcessRunner.run(&*workflow, Vec::new()).await;
            assert!(matches!(ended, Ok(WorkflowStatus::Completed)), "no step fails");
            result.load(Ordering::Relaxed)
        }
    })
}
