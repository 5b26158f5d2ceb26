//! One attempt, in whichever process, from bytes to bytes.

use std::any::TypeId;
use std::future::{poll_fn, ready};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use super::coded::{coded, saved};
use super::order::{Goal, Order, Outcome};
use crate::failure::{Cause, Failure};
use crate::panics::contained;
use crate::task::context::{Context, Host, Remembered};
use crate::task::definition::{Graph, Kind, TaskDef};
use crate::task::place::Key;
use crate::task::{Ended, Env, Purpose, Retryability, Shared};
use crate::value::Value;

/// What an attempt finds around it, in the process that makes it.
pub trait AttemptHost: Send + Sync {
    /// The resource of a type, as [`Resources::find`](crate::Resources::find)
    /// gives it.
    fn resource(&self, id: TypeId) -> Option<&(dyn std::any::Any + Send + Sync)> {
        let _ = id;
        None
    }

    /// Whether the attempt was asked to stop. If not, the task is to be woken
    /// once it is, where there is a `cx`.
    fn poll_cancelled(&self, cx: Option<&mut TaskContext<'_>>) -> Poll<()> {
        let _ = cx;
        Poll::Pending
    }

    /// The task told how far it is.
    fn progress(&self, done: u64, total: u64) {
        let _ = (done, total);
    }

    /// The task told that it is alive.
    fn heartbeat(&self) {}
}

/// An attempt that finds nothing around it.
impl AttemptHost for () {}

/// Makes an attempt. `graph` is that of its run's workflow. Panics of the task
/// are failures; time limits are the caller's ([`Order::timeout`]), who drops
/// the future, and so is a thread of its own for a task that
/// [blocks](Order::blocking).
pub async fn perform(graph: &'static Graph, order: &Order, host: Arc<dyn AttemptHost>) -> Outcome {
    let task = match find(graph, order) {
        Some(task) if task.name == order.task => task,
        _ => {
            let words = format!(
                "this program has no step `{}` of the task `{}`: it has another version of workflow `{}`",
                order.path, order.task, order.workflow
            );
            return Outcome::failed(Failure::new(Cause::Fatal, words), Retryability::Fatal);
        }
    };
    match attempt(task, order, host).await {
        Ok(Ended::Ok(value) | Ended::Reused(value) | Ended::Remember(value, _)) => {
            let written = match order.goal {
                Goal::Undo => Ok(b"null".to_vec()),
                Goal::Do | Goal::Reconcile => {
                    saved(&task.output, &value, usize::MAX).map(|saved| saved.bytes)
                }
            };
            let outcome = written.and_then(|bytes| {
                Outcome::ok(&bytes).map_err(|error| Failure::from_error(Cause::Fatal, &error))
            });
            outcome.unwrap_or_else(|failure| Outcome::failed(failure, Retryability::Fatal))
        }
        Ok(Ended::NotDone) => Outcome::NotDone,
        Ok(Ended::Err(failure, retryability)) => Outcome::failed(failure, retryability),
        Ok(Ended::Kept(_) | Ended::Arguments(_)) => {
            let words = "a workflow was started as a task; please report this";
            Outcome::failed(Failure::new(Cause::Fatal, words), Retryability::Fatal)
        }
        Err(panic) => Outcome::failed(panic, Retryability::Retry),
    }
}

async fn attempt(
    task: &'static TaskDef,
    order: &Order,
    host: Arc<dyn AttemptHost>,
) -> Result<Ended, Failure> {
    let purpose = match (order.goal, &order.output) {
        (Goal::Do, _) => Purpose::Attempt,
        (Goal::Reconcile, _) => Purpose::Reconcile,
        (Goal::Undo, Some(output)) => match coded(|| (task.output.decode)(output.get().as_bytes())) {
            Ok(output) => Purpose::Undo { output },
            Err(failure) => return Ok(Ended::Err(failure, Retryability::Fatal)),
        },
        (Goal::Undo, None) => {
            let words = "what is to be undone was not handed over; please report this";
            return Ok(Ended::Err(Failure::new(Cause::Fatal, words), Retryability::Fatal));
        }
    };
    let (key, epoch) = order.id.key();
    let (run, path) = (order.run.clone(), order.path.clone());
    let around = Arc::new(Elsewhere { run, path, earlier: order.earlier, host });
    let context = Context::elsewhere(around, key, epoch, order.attempt, order.goal == Goal::Undo);
    let mut env = Env::new(context);
    env.prepare(purpose, 0);
    env.give(Some(order.arguments.get().as_bytes()));
    let mut running = contained(|| (task.begin_kept)(&env))?;
    poll_fn(|cx| match contained(|| running.as_mut().poll(cx)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(ended)) => Poll::Ready(Ok(ended)),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

/// The task of a step: in the run's graph, or in that of a workflow it uses.
fn find(graph: &'static Graph, order: &Order) -> Option<&'static TaskDef> {
    if graph.name == order.workflow
        && let Some(region) = graph.regions.get(usize::from(order.region))
        && let Some(Kind::Task(step)) = region.steps.get(usize::from(order.step)).map(|step| &step.kind)
    {
        return Some(step.task);
    }
    let steps = graph.regions.iter().flat_map(|region| region.steps);
    let children = steps.filter_map(|step| match step.kind {
        Kind::Task(step) => step.task.child,
        _ => None,
    });
    children.into_iter().find_map(|child| find(child, order))
}

/// What an attempt asks of its run, in another process than that.
struct Elsewhere {
    run: String,
    path: String,
    earlier: u32,
    host: Arc<dyn AttemptHost>,
}

impl Host for Elsewhere {
    fn run_id(&self) -> &str {
        &self.run
    }

    fn path(&self, _: Key) -> String {
        self.path.clone()
    }

    fn resource(&self, id: TypeId) -> Option<&Shared> {
        self.host.resource(id)
    }

    fn mock(&self, _: TypeId) -> Option<&Shared> {
        None
    }

    fn remembered<'a>(&'a self, _: &'a [u8], _: &'static TaskDef) -> Remembered<'a> {
        Box::pin(ready(None::<Value>))
    }

    fn poll_cancelled(&self, _: Key, _: u32, cx: Option<&mut TaskContext<'_>>) -> Poll<()> {
        self.host.poll_cancelled(cx)
    }

    fn earlier(&self, _: &str, _: bool) -> u32 {
        self.earlier
    }

    fn progress(&self, _: Key, _: u32, done: u64, total: u64) {
        self.host.progress(done, total);
    }

    fn heartbeat(&self, _: Key, _: u32) {
        self.host.heartbeat();
    }
}
