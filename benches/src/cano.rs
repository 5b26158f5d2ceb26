//! cano: a machine of states, made anew for each run, since a run's data is
//! bound to it. Where steps run beside each other, all of a layer end before
//! the next one begins. Values pass through cells of our own, which is quicker
//! than its store. It contains panics and tells observers; it tracks no states.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cano::RedbCheckpointStore;
use cano::prelude::*;

use crate::contestant::{Boxed, Contestant, Once, once};
use crate::durable::{Keeper, Load, timed};
use crate::plan::Plan;
use crate::shape::Shape;

pub const CANO: Contestant = Contestant { name: "cano 0.15", prepare };

pub const REDB: Keeper = Keeper {
    name: "cano 0.15",
    durability: "redb, synced",
    fewer: 10,
    turn: |load, folder| Box::pin(kept(load, folder)),
};

/// A step of a run, which then goes to the state of the next layer.
#[derive(Clone)]
struct Step {
    plan: &'static Plan,
    step: usize,
    values: Arc<Vec<AtomicU64>>,
    next: usize,
}

#[task]
impl Task<usize> for Step {
    fn config(&self) -> TaskConfig {
        TaskConfig::minimal()
    }

    async fn run_bare(&self) -> Result<TaskResult<usize>, CanoError> {
        let given = self.plan.needs[self.step].iter().map(|need| self.values[*need].load(Ordering::Relaxed));
        let value = self.plan.work(self.step).of(given.fold(0, u64::wrapping_add));
        self.values[self.step].store(value, Ordering::Relaxed);
        Ok(TaskResult::Single(self.next))
    }
}

fn prepare(shape: Shape) -> Boxed<Option<Once>> {
    Box::pin(async move { shape.known().map(|plan| once(move || run(plan))) })
}

async fn run(plan: &'static Plan) -> u64 {
    let (workflow, values) = workflow(plan);
    workflow.orchestrate(0, CancellationToken::disabled()).await.expect("no step fails");
    values[values.len() - 1].load(Ordering::Relaxed)
}

/// The states are the numbers of the layers; the one after the last is the end.
fn workflow(plan: &'static Plan) -> (Workflow<usize>, Arc<Vec<AtomicU64>>) {
    let values: Arc<Vec<AtomicU64>> = Arc::new(plan.needs.iter().map(|_| AtomicU64::new(0)).collect());
    let layers = plan.layers();
    let mut workflow = Workflow::bare().add_exit_state(layers.len());
    for (layer, steps) in layers.into_iter().enumerate() {
        let next = layer + 1;
        let step = |step| Step { plan, step, values: values.clone(), next };
        workflow = if steps.len() == 1 {
            workflow.register(layer, step(steps.start))
        } else {
            let join = JoinConfig::new(JoinStrategy::All, next);
            workflow.register_split(layer, steps.map(step), join)
        };
    }
    (workflow, values)
}

/// It keeps which state a run is in, not what its steps gave.
async fn kept(load: Load, folder: PathBuf) -> Duration {
    let plan: &'static Plan = if load.runs == 1 { Shape::Chain.plan() } else { Shape::Runs.plan() };
    let store = Arc::new(RedbCheckpointStore::new(folder.join("runs.redb")).expect("a file can be made"));
    let number = AtomicU64::new(0);
    let once = once(move || {
        let id = number.fetch_add(1, Ordering::Relaxed).to_string();
        let store = store.clone();
        async move {
            let (workflow, values) = workflow(plan);
            let workflow = workflow.with_checkpoint_store(store).with_workflow_id(id);
            workflow.orchestrate(0, CancellationToken::disabled()).await.expect("no step fails");
            values[values.len() - 1].load(Ordering::Relaxed)
        }
    });
    timed(once, load).await
}
