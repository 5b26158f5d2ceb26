//! Graphs by hand: constant functions for their parts, and a macro that makes
//! a workflow of them. Steps are written as closures over their values; the
//! first parameter of a workflow is whatever a test wants to share with them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use crate::failure::{Cause, Failure};
use crate::policy::{Backoff, Policy, Retry};
use crate::resources::NoResources;
use crate::task::definition::{
    Expr, Keep, Kind, Numbers, OnFailure, Outcome, Region, Start, Step, TaskDef, TaskStep, Yield,
};
use crate::task::{Ended, Retryability};
use crate::value::{Codec, Value};
use crate::{Engine, EngineBuilder};

pub const CODEC: Codec = Codec::of::<u64>();

pub static PLAIN: TaskDef = task("plain");
pub static BLOCKING: TaskDef = TaskDef { blocking: true, ..task("blocking") };

pub const fn task(name: &'static str) -> TaskDef {
    TaskDef {
        begin_kept: |_| unreachable!("it begins from its arm"),
        name,
        version: 1,
        fallible: true,
        blocking: false,
        at_most_once: false,
        policy: Policy::DEFAULT,
        concurrency: None,
        rate: None,
        cache: None,
        undo: None,
        reconcile: None,
        transaction: false,
        child: None,
        output: Codec::of::<u64>(),
    }
}

/// Three attempts, ten seconds apart.
pub static RETRYING: Policy = Policy {
    retry: Retry { attempts: 3, backoff: Backoff::Fixed(Duration::from_secs(10)), jitter: 0.0, budget: None },
    ..Policy::DEFAULT
};

pub const fn use_of(def: &'static TaskDef, reads: &'static [u16], start: Start) -> Kind {
    Kind::Task(TaskStep {
        task: def,
        policy: &def.policy,
        reads: Numbers::of(reads),
        moves: Numbers::NONE,
        start,
        arm: 0,
        keeps: false,
    })
}

pub const fn step(
    name: &'static str,
    needs: &'static [u16],
    dependents: &'static [u16],
    output: u16,
    kind: Kind,
) -> Step {
    Step {
        name,
        needs: Numbers::of(needs),
        dependents: Numbers::of(dependents),
        output,
        kind,
        on_failure: OnFailure::FailRun,
        always: false,
        codecs: &[],
        line: 0,
        fingerprint: 0,
    }
}

/// The failure as a value: what a step without `?` has.
pub const AS_VALUE: OnFailure = OnFailure::Value(Outcome {
    ok: |value| Value::new(Ok::<u64, crate::StepError>(*value.get::<u64>().unwrap())),
    err: |error| Value::new(Err::<u64, crate::StepError>(error)),
});

pub const fn body(slots: u16, steps: &'static [Step], result: Yield) -> Region {
    Region { label: "", captures: &[], slots, steps, result, carried: &[], onces: &[] }
}

pub const fn nested(label: &'static str, captures: &'static [u16], body: Region) -> Region {
    Region { label, captures, ..body }
}

pub const fn expr<T>(reads: &'static [u16], eval: fn(&crate::task::Env) -> T) -> Expr<T> {
    Expr { reads, eval, keep: Keep::NOTHING }
}

/// The steps of a region. A constant of its own, because what a call is given
/// by reference would not live long enough.
macro_rules! steps {
    ($($step:expr),* $(,)?) => {
        const { &[$($step),*] }
    };
}
pub(crate) use steps;

/// A workflow of the given regions that results in a `u64`.
macro_rules! workflow {
    ($name:ident, $($region:expr),+ $(,)?) => {
        #[allow(non_camel_case_types)]
        pub struct $name;

        impl crate::Task for $name {
            type Args<'a> = Vec<crate::contract::Value>;
            type Return = ();
            type Ok = u64;
            type Outcome = u64;
            const DEF: crate::task::definition::TaskDef = crate::task::definition::TaskDef {
                child: Some(<$name as crate::Workflow>::GRAPH),
                ..support::task(stringify!($name))
            };
            fn start<'a>(args: Vec<crate::contract::Value>, _: &'a crate::Context) -> crate::contract::Running<'a> {
                Box::pin(std::future::ready(crate::Ended::Arguments(args)))
            }
            fn finish((): ()) -> crate::Ended {
                unreachable!("never mocked")
            }
        }

        impl crate::Workflow for $name {
            const GRAPH: &'static crate::task::definition::Graph = &crate::task::definition::Graph {
                name: stringify!($name),
                docs: "",
                file: file!(),
                line: line!(),
                params: &[crate::task::definition::Param { name: "shared", ty: "u64", codec: support::CODEC }],
                regions: &[$($region),+],
                output: support::CODEC,
                schedule: None,
                fingerprint: 0,
            };
        }

        impl<R> crate::RunsOn<R> for $name {}

        impl $name {
            pub fn with<T: Send + Sync + 'static>(shared: T) -> crate::Invocation<$name> {
                crate::Invocation::new(vec![crate::contract::Value::new(shared)])
            }
        }
    };
}
pub(crate) use workflow;

pub fn ok(value: u64) -> Ended {
    Ended::Ok(Value::new(value))
}

pub fn failed(message: &str) -> Ended {
    Ended::Err(Failure::new(Cause::Error, message), Retryability::Retry)
}

/// What a test and the steps of its run share.
#[derive(Clone, Default)]
pub struct Shared(Arc<State>);

#[derive(Default)]
struct State {
    count: AtomicU32,
    said: Mutex<Vec<String>>,
    gate: Notify,
    running: AtomicU32,
    most: AtomicU32,
}

impl Shared {
    /// Counts, from 1.
    pub fn count(&self) -> u32 {
        self.0.count.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub fn say(&self, words: impl Into<String>) {
        self.0.said.lock().unwrap().push(words.into());
    }

    pub fn said(&self) -> Vec<String> {
        self.0.said.lock().unwrap().clone()
    }

    /// Waits until the test opens the gate.
    pub async fn gate(&self) {
        self.0.gate.notified().await;
    }

    pub fn open_gate(&self) {
        self.0.gate.notify_one();
    }

    /// Says so when it is dropped: a future that holds one was dropped.
    pub fn on_drop(&self, words: &'static str) -> impl Send + use<> {
        struct OnDrop(Shared, &'static str);
        impl Drop for OnDrop {
            fn drop(&mut self) {
                self.0.say(self.1);
            }
        }
        OnDrop(self.clone(), words)
    }

    /// Counts how many are within at a time.
    pub fn enter(&self) {
        let running = self.0.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(running, Ordering::SeqCst);
    }

    pub fn leave(&self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }

    pub fn most(&self) -> u32 {
        self.0.most.load(Ordering::SeqCst)
    }
}

pub async fn engine() -> Engine {
    builder().start().await.unwrap()
}

pub fn builder() -> EngineBuilder<NoResources> {
    Engine::in_memory()
}

/// Lets everything that is ready happen, without letting time pass.
pub async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

pub const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
