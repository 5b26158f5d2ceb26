//! Builds the tables that `workflow!` would write.

use std::time::Duration;

use crate::policy::{Backoff, Policy, Retry};
use crate::run::Answer;
use crate::task::definition::{
    Expr, Graph, Keep, Kind, Numbers, OnFailure, Outcome, ReconcileDef, Region, Step, TaskDef, TaskStep,
    UndoDef, Until, Yield,
};
use crate::value::{Codec, Value};

/// A step in the making.
#[derive(Clone)]
pub struct Spec {
    pub name: &'static str,
    pub needs: Vec<&'static str>,
    pub make: Make,
    pub policy: Policy,
    pub concurrency: Option<u32>,
    pub at_most_once: bool,
    pub undo: Option<Policy>,
    /// An attempt to undo it must not be repeated.
    pub undo_once: bool,
    pub reconcile: Option<Policy>,
    pub child: Option<&'static Graph>,
    pub value: bool,
    pub always: bool,
}

#[derive(Clone)]
pub enum Make {
    Task,
    Kind(Kind),
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn spec(name: &'static str, make: Make) -> Spec {
    Spec {
        name,
        needs: Vec::new(),
        make,
        policy: Policy::DEFAULT,
        concurrency: None,
        at_most_once: false,
        undo: None,
        undo_once: false,
        reconcile: None,
        child: None,
        value: false,
        always: false,
    }
}

/// No test evaluates an expression; the answers come from the test.
fn never<T>() -> Expr<T> {
    Expr { reads: &[], eval: |_| unreachable!("the machine evaluates nothing"), keep: Keep::NOTHING }
}

pub fn task(name: &'static str) -> Spec {
    spec(name, Make::Task)
}

pub fn child(name: &'static str, graph: &'static Graph) -> Spec {
    Spec { child: Some(graph), ..task(name) }
}

pub fn compute(name: &'static str) -> Spec {
    spec(name, Make::Kind(Kind::Compute(never())))
}

pub fn sleep(name: &'static str) -> Spec {
    spec(name, Make::Kind(Kind::Sleep(never::<Until>())))
}

static UNIT: crate::contract::Codec = crate::contract::Codec::of::<()>();

pub fn signal(name: &'static str, signal: &'static str) -> Spec {
    spec(name, Make::Kind(Kind::Signal { name: signal, codec: &UNIT, key: None, within: None }))
}

pub fn keyed(name: &'static str, signal: &'static str) -> Spec {
    spec(name, Make::Kind(Kind::Signal { name: signal, codec: &UNIT, key: Some(never()), within: None }))
}

/// What a keyed signal's step is answered.
pub fn awaits(key: &str) -> Answer {
    Answer::Awaits { key: key.into(), until: None }
}

pub fn signal_within(name: &'static str, signal: &'static str) -> Spec {
    spec(name, Make::Kind(Kind::Signal { name: signal, codec: &UNIT, key: None, within: Some(never()) }))
}

pub fn each(name: &'static str, region: u16, limit: Option<u32>) -> Spec {
    let collect = |_| Value::new(());
    spec(name, Make::Kind(Kind::Map { items: never(), region, limit, collect }))
}

pub fn turns(name: &'static str, region: u16, limit: u32) -> Spec {
    spec(name, Make::Kind(Kind::Loop { initial: never(), test: never(), region, limit }))
}

pub fn branch(name: &'static str, arms: &[u16]) -> Spec {
    spec(name, Make::Kind(Kind::Branch { choose: never(), arms: leak(arms.to_vec()) }))
}

pub fn select(name: &'static str, race: u16, arms: &[u16]) -> Spec {
    spec(name, Make::Kind(Kind::Select { race, arms: leak(arms.to_vec()) }))
}

impl Spec {
    pub fn needs(mut self, needs: &[&'static str]) -> Self {
        self.needs = needs.to_vec();
        self
    }

    /// Retried after a second each time.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.policy.retry.attempts = attempts;
        self
    }

    pub fn deadline(mut self, seconds: u64) -> Self {
        self.policy.deadline = Some(Duration::from_secs(seconds));
        self
    }

    pub fn budget(mut self, seconds: u64) -> Self {
        self.policy.retry.budget = Some(Duration::from_secs(seconds));
        self
    }

    /// Suspected after so many losses in a row, and so are its undo and its
    /// reconciliation.
    pub fn losses(mut self, losses: u16) -> Self {
        self.policy.losses = losses;
        self
    }

    pub fn limited(mut self) -> Self {
        self.concurrency = Some(1);
        self
    }

    pub fn at_most_once(mut self) -> Self {
        self.at_most_once = true;
        self
    }

    pub fn undo(mut self, attempts: u32) -> Self {
        self.undo = Some(Policy { retry: Retry { attempts, ..Retry::NEVER }, ..Policy::DEFAULT });
        self
    }

    /// A lost attempt of it is not repeated but reconciled.
    pub fn reconciled(mut self, attempts: u32) -> Self {
        let retry = Retry { attempts, backoff: Backoff::Fixed(Duration::from_secs(1)), ..Retry::NEVER };
        self.reconcile = Some(Policy { retry, ..Policy::DEFAULT });
        self.at_most_once()
    }

    /// Its failure is a value.
    pub fn value(mut self) -> Self {
        self.value = true;
        self
    }

    pub fn always(mut self) -> Self {
        self.always = true;
        self
    }

    fn kind(&self) -> Kind {
        let Make::Task = self.make else {
            let Make::Kind(kind) = self.make else { unreachable!() };
            return kind;
        };
        let partner = |policy: Policy, name| {
            let policy = Policy { losses: self.policy.losses, ..policy };
            leak(TaskDef { policy, at_most_once: self.undo_once && name == "undo", ..plain(name) })
        };
        let undo = self.undo.map(|policy| UndoDef { task: partner(policy, "undo") });
        let reconcile = self.reconcile.map(|policy| ReconcileDef { task: partner(policy, "reconcile") });
        let task = leak(TaskDef {
            at_most_once: self.at_most_once,
            concurrency: self.concurrency,
            child: self.child,
            policy: self.policy,
            undo,
            reconcile,
            ..plain(self.name)
        });
        let start = |_: &_, _: &mut _| unreachable!("the machine starts nothing");
        Kind::Task(TaskStep {
            task,
            policy: &task.policy,
            reads: Numbers::NONE,
            moves: Numbers::NONE,
            start,
            arm: 0,
            keeps: false,
        })
    }
}

fn plain(name: &'static str) -> TaskDef {
    TaskDef {
        begin_kept: |_| unreachable!("it begins from its arm"),
        name,
        version: 1,
        fallible: true,
        blocking: false,
        at_most_once: false,
        policy: Policy {
            retry: Retry { backoff: Backoff::Fixed(Duration::from_secs(1)), ..Retry::NEVER },
            ..Policy::DEFAULT
        },
        concurrency: None,
        rate: None,
        cache: None,
        undo: None,
        reconcile: None,
        transaction: false,
        child: None,
        output: Codec::of::<()>(),
    }
}

/// A region without a label.
pub fn region(steps: Vec<Spec>) -> Region {
    labelled("", steps)
}

pub fn labelled(label: &'static str, steps: Vec<Spec>) -> Region {
    let number = |name: &str| steps.iter().position(|step| step.name == name).expect("a step of the region");
    let needs: Vec<Vec<u16>> = steps
        .iter()
        .map(|step| {
            let mut needs: Vec<u16> = step.needs.iter().map(|name| number(name) as u16).collect();
            needs.sort_unstable();
            needs
        })
        .collect();
    let mut dependents: Vec<Vec<u16>> = vec![Vec::new(); steps.len()];
    for (step, needs) in needs.iter().enumerate() {
        for &need in needs {
            dependents[need as usize].push(step as u16);
        }
    }
    let built: Vec<Step> = steps
        .iter()
        .zip(needs.into_iter().zip(dependents))
        .map(|(spec, (needs, dependents))| Step {
            name: spec.name,
            needs: Numbers::of(needs.leak()),
            dependents: Numbers::of(dependents.leak()),
            output: 0,
            kind: spec.kind(),
            on_failure: if spec.value {
                OnFailure::Value(Outcome { ok: |value| value, err: Value::new })
            } else {
                OnFailure::FailRun
            },
            always: spec.always,
            codecs: &[],
            line: 0,
            fingerprint: 0,
        })
        .collect();
    Region {
        label,
        captures: &[],
        slots: 0,
        steps: built.leak(),
        result: Yield::Nothing,
        carried: &[],
        onces: &[],
    }
}

/// A workflow: its body first.
pub fn graph(name: &'static str, regions: Vec<Region>) -> &'static Graph {
    leak(Graph {
        name,
        docs: "",
        file: "",
        line: 0,
        params: &[],
        regions: regions.leak(),
        output: Codec::of::<()>(),
        schedule: None,
        fingerprint: 0,
    })
}

/// A workflow of one region.
pub fn flat(steps: Vec<Spec>) -> &'static Graph {
    graph("w", vec![region(steps)])
}
