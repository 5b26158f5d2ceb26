//! Tables to data.

use std::collections::HashMap;
use std::ptr;

use super::plan::{Kind, Param, Reads, Region, Step, Task, Workflow, Yield};
use super::policy::{Policy, Rate, Schedule};
use crate::task::definition::{self, Expr, Graph, OnFailure, TaskDef};

/// The workflow and those that it uses, each after every one that uses it.
pub(super) fn workflows(graph: &Graph) -> Vec<Workflow> {
    let mut reader = GraphReader { done: Vec::new(), places: HashMap::new() };
    reader.workflow(graph);
    // They were finished from the inside out, and are numbered from the
    // outside in.
    let last = reader.done.len().saturating_sub(1) as u32;
    let mut workflows = reader.done;
    workflows.reverse();
    for step in
        workflows.iter_mut().flat_map(|workflow| &mut workflow.regions).flat_map(|region| &mut region.steps)
    {
        if let Kind::Task { task, .. } = &mut step.kind {
            task.renumber(last);
        }
    }
    workflows
}

struct GraphReader {
    done: Vec<Workflow>,
    /// Where a graph is in the list, so that none is read twice.
    places: HashMap<*const Graph, u32>,
}

impl GraphReader {
    fn workflow(&mut self, graph: &Graph) -> u32 {
        if let Some(place) = self.places.get(&ptr::from_ref(graph)) {
            return *place;
        }
        let workflow = Workflow {
            name: graph.name.to_owned(),
            docs: graph.docs.to_owned(),
            line: graph.line,
            params: graph
                .params
                .iter()
                .map(|param| Param { name: param.name.to_owned(), ty: param.ty.to_owned() })
                .collect(),
            schedule: graph.schedule.as_ref().map(Schedule::of),
            fingerprint: graph.fingerprint,
            regions: graph.regions.iter().map(|region| self.region(region)).collect(),
        };
        // The same table may stand in two places of a program.
        let place = match self.done.iter().position(|done| *done == workflow) {
            Some(place) => place,
            None => {
                self.done.push(workflow);
                self.done.len() - 1
            }
        } as u32;
        self.places.insert(ptr::from_ref(graph), place);
        place
    }

    fn region(&mut self, region: &definition::Region) -> Region {
        Region {
            label: region.label.to_owned(),
            captures: region.captures.to_vec(),
            slots: region.slots,
            steps: region.steps.iter().map(|step| self.step(step)).collect(),
            result: match region.result {
                definition::Yield::Nothing => Yield::Nothing,
                definition::Yield::Slot(slot) => Yield::Slot(slot),
                definition::Yield::Compute(expr) => Yield::Compute(reads(&expr)),
            },
            carried: region.carried.to_vec(),
        }
    }

    fn step(&mut self, step: &definition::Step) -> Step {
        Step {
            name: step.name.to_owned(),
            needs: step.needs.to_vec(),
            output: step.output,
            kind: self.kind(&step.kind),
            fails_softly: matches!(step.on_failure, OnFailure::Value(_)),
            always: step.always,
            // A step fills no more slots than a frame has.
            values: step.codecs.len() as u16,
            line: step.line,
            fingerprint: step.fingerprint,
        }
    }

    fn kind(&mut self, kind: &definition::Kind) -> Kind {
        use definition::Kind as Given;
        match kind {
            Given::Task(step) => Kind::Task {
                task: Box::new(self.task(step.task)),
                policy: (*step.policy != step.task.policy).then(|| Policy::of(step.policy)),
                reads: step.reads.to_vec(),
                moves: step.moves.to_vec(),
            },
            Given::Signal { name, key, within, .. } => Kind::Signal {
                name: (*name).to_owned(),
                key: key.as_ref().map(reads),
                within: within.as_ref().map(reads),
            },
            Given::Sleep(until) => Kind::Sleep { until: reads(until) },
            Given::Map { items, region, limit, .. } => {
                Kind::For { items: reads(items), region: *region, limit: *limit }
            }
            Given::Loop { initial, test, region, limit } => {
                Kind::While { initial: reads(initial), test: reads(test), region: *region, limit: *limit }
            }
            Given::Branch { choose, arms } => Kind::Branch { choose: reads(choose), arms: arms.to_vec() },
            Given::Select { race, arms } => Kind::Select { race: *race, arms: arms.to_vec() },
            Given::Compute(expr) => Kind::Value { reads: reads(expr) },
            Given::Check(expr) => Kind::Check { reads: reads(expr) },
        }
    }

    fn task(&mut self, task: &TaskDef) -> Task {
        Task {
            name: task.name.to_owned(),
            version: task.version,
            fallible: task.fallible,
            blocking: task.blocking,
            at_most_once: task.at_most_once,
            transaction: task.transaction,
            policy: Policy::of(&task.policy),
            concurrency: task.concurrency,
            rate: task.rate.map(|rate| Rate { count: rate.count, per: rate.per }),
            cache: task.cache,
            undo: task.undo.map(|undo| Box::new(self.task(undo.task))),
            reconcile: task.reconcile.map(|reconcile| Box::new(self.task(reconcile.task))),
            child: task.child.map(|child| self.workflow(child)),
        }
    }
}

impl Task {
    fn renumber(&mut self, last: u32) {
        if let Some(child) = &mut self.child {
            *child = last - *child;
        }
        let others = [&mut self.undo, &mut self.reconcile];
        others.into_iter().flatten().for_each(|task| task.renumber(last));
    }
}

fn reads<T>(expr: &Expr<T>) -> Reads {
    expr.reads.to_vec()
}
