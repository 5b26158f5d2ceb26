//! Data to tables: the graph that a machine follows.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use super::plan::{Kind, Region, Step, Task, Workflow, Yield};
use super::policy::{Due, Schedule};
use super::{Blueprint, inert};
use crate::policy::Rate;
use crate::task::definition::{
    self, Graph, Numbers, OnFailure, Param, ReconcileDef, TaskDef, TaskStep, UndoDef, When,
};
use crate::value::Codec;

/// By the blueprint's JSON and not by its hash, so that two blueprints never
/// share a graph by chance.
static GRAPHS: LazyLock<Mutex<HashMap<String, &'static Graph>>> = LazyLock::new(Mutex::default);

/// The graph of a blueprint, made the first time it is wanted.
pub(super) fn interned(blueprint: &Blueprint) -> &'static Graph {
    // Nothing in there can panic half way.
    let mut graphs = GRAPHS.lock().unwrap_or_else(PoisonError::into_inner);
    graphs.entry(blueprint.to_json()).or_insert_with(|| make(blueprint))
}

fn make(blueprint: &Blueprint) -> &'static Graph {
    // From the inside out: each workflow comes after those that use it.
    let mut made: HashMap<usize, &'static Graph> = HashMap::new();
    for (place, workflow) in blueprint.workflows.iter().enumerate().rev() {
        let graph = Maker { made: &made }.workflow(workflow);
        made.insert(place, leak(graph));
    }
    made.get(&0).copied().unwrap_or(&EMPTY)
}

/// A checked blueprint has a workflow, so this stands for nothing.
static EMPTY: Graph = Graph {
    name: "",
    docs: "",
    file: "",
    line: 0,
    params: &[],
    regions: &[],
    output: inert::CODEC,
    schedule: None,
    fingerprint: 0,
};

struct Maker<'a> {
    made: &'a HashMap<usize, &'static Graph>,
}

impl Maker<'_> {
    fn workflow(&self, workflow: &Workflow) -> Graph {
        Graph {
            name: text(&workflow.name),
            docs: text(&workflow.docs),
            file: "",
            line: workflow.line,
            params: list(&workflow.params, |param| Param {
                name: text(&param.name),
                ty: text(&param.ty),
                codec: inert::CODEC,
            }),
            regions: list(&workflow.regions, |region| self.region(region)),
            output: inert::CODEC,
            schedule: workflow.schedule.as_ref().map(schedule),
            fingerprint: workflow.fingerprint,
        }
    }

    fn region(&self, region: &Region) -> definition::Region {
        let mut dependents: Vec<Vec<u16>> = vec![Vec::new(); region.steps.len()];
        for (number, step) in (0..).zip(&region.steps) {
            for need in &step.needs {
                if let Some(dependents) = dependents.get_mut(usize::from(*need)) {
                    dependents.push(number);
                }
            }
        }
        let steps = region.steps.iter().zip(dependents).map(|(step, dependents)| self.step(step, dependents));
        definition::Region {
            label: text(&region.label),
            captures: numbers(&region.captures),
            slots: region.slots,
            steps: steps.collect::<Vec<_>>().leak(),
            result: match &region.result {
                Yield::Nothing => definition::Yield::Nothing,
                Yield::Slot(slot) => definition::Yield::Slot(*slot),
                Yield::Compute(reads) => definition::Yield::Compute(inert::expr(numbers(reads))),
            },
            carried: numbers(&region.carried),
            onces: &[],
        }
    }

    fn step(&self, step: &Step, dependents: Vec<u16>) -> definition::Step {
        definition::Step {
            name: text(&step.name),
            needs: Numbers::of(numbers(&step.needs)),
            dependents: Numbers::of(dependents.leak()),
            output: step.output,
            kind: self.kind(&step.kind),
            on_failure: match step.fails_softly {
                true => OnFailure::Value(inert::OUTCOME),
                false => OnFailure::FailRun,
            },
            always: step.always,
            codecs: (0..step.values).map(|_| inert::CODEC).collect::<Vec<_>>().leak(),
            line: step.line,
            fingerprint: step.fingerprint,
        }
    }

    fn kind(&self, kind: &Kind) -> definition::Kind {
        use definition::Kind as Made;
        static CODEC: Codec = inert::CODEC;
        match kind {
            Kind::Task { task, policy, reads, moves } => {
                let task: &'static TaskDef = leak(self.task(task));
                Made::Task(TaskStep {
                    task,
                    policy: policy.as_ref().map_or(&task.policy, |policy| leak(policy.make())),
                    reads: Numbers::of(numbers(reads)),
                    moves: Numbers::of(numbers(moves)),
                    start: inert::start,
                    arm: 0,
                    keeps: false,
                })
            }
            Kind::Signal { name, key, within } => Made::Signal {
                name: text(name),
                codec: &CODEC,
                key: key.as_ref().map(|reads| inert::expr(numbers(reads))),
                within: within.as_ref().map(|reads| inert::expr(numbers(reads))),
            },
            Kind::Sleep { until } => Made::Sleep(inert::expr(numbers(until))),
            Kind::For { items, region, limit } => Made::Map {
                items: inert::expr(numbers(items)),
                region: *region,
                limit: *limit,
                collect: inert::collect,
            },
            Kind::While { initial, test, region, limit } => Made::Loop {
                initial: inert::expr(numbers(initial)),
                test: inert::expr(numbers(test)),
                region: *region,
                limit: *limit,
            },
            Kind::Branch { choose, arms } => {
                Made::Branch { choose: inert::expr(numbers(choose)), arms: numbers(arms) }
            }
            Kind::Select { race, arms } => Made::Select { race: *race, arms: numbers(arms) },
            Kind::Value { reads } => Made::Compute(inert::expr(numbers(reads))),
            Kind::Check { reads } => Made::Check(inert::expr(numbers(reads))),
        }
    }

    fn task(&self, task: &Task) -> TaskDef {
        TaskDef {
            name: text(&task.name),
            version: task.version,
            fallible: task.fallible,
            blocking: task.blocking,
            at_most_once: task.at_most_once,
            transaction: task.transaction,
            policy: task.policy.make(),
            concurrency: task.concurrency,
            rate: task.rate.as_ref().map(|rate| Rate { count: rate.count, per: rate.per }),
            cache: task.cache,
            undo: task.undo.as_ref().map(|undo| UndoDef { task: leak(self.task(undo)) }),
            reconcile: task
                .reconcile
                .as_ref()
                .map(|reconcile| ReconcileDef { task: leak(self.task(reconcile)) }),
            child: task.child.and_then(|child| self.made.get(&(child as usize)).copied()),
            output: inert::CODEC,
            begin_kept: inert::begin_kept,
        }
    }
}

fn schedule(schedule: &Schedule) -> definition::Schedule {
    definition::Schedule {
        when: match &schedule.when {
            Due::Cron(expression) => When::Cron(text(expression)),
            Due::Every(period) => When::Every(*period),
        },
        timezone: text(&schedule.timezone),
        missed: schedule.missed,
        overlap: schedule.overlap,
        fill: inert::fill,
    }
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn text(text: &str) -> &'static str {
    text.to_owned().leak()
}

fn numbers(numbers: &[u16]) -> &'static [u16] {
    numbers.to_vec().leak()
}

fn list<T, U>(items: &[T], make: impl Fn(&T) -> U) -> &'static [U] {
    items.iter().map(make).collect::<Vec<_>>().leak()
}
