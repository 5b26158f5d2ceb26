//! The semantics once more, without time, events or frames: a recursive walk
//! that says how a run ends when nothing depends on the order of events.

use std::collections::BTreeMap;

use super::fate::Fate;
use super::plan::TURNS;
use crate::run::{AttemptEnd, RunState, StepState};
use crate::task::Retryability;
use crate::task::definition::{Graph, Kind, OnFailure, TaskStep};

/// How a run ends.
pub struct Expected {
    pub state: RunState,
    /// The states of the steps that do not depend on what failed when.
    pub steps: BTreeMap<String, StepState>,
}

/// The step or region failed.
struct Failed;

struct Reference<'a> {
    fate: &'a Fate,
    /// An item of a `for` fails its step and another one the workflow: which
    /// of them comes first decides.
    ambiguous: bool,
    steps: BTreeMap<String, StepState>,
}

/// Predicts a run, unless the order of events decides how it ends.
pub fn predict(graph: &'static Graph, fate: &Fate) -> Option<Expected> {
    let mut reference = Reference { fate, ambiguous: false, steps: BTreeMap::new() };
    let state = match reference.region(graph, 0, graph.name) {
        Ok(()) => RunState::Succeeded,
        Err(Failed) => {
            reference.steps.clear();
            RunState::Failed
        }
    };
    (!reference.ambiguous).then_some(Expected { state, steps: reference.steps })
}

impl Reference<'_> {
    /// Runs a region to its end. A failure inside a region is one of the
    /// workflow around it: nobody up to there asks further.
    fn region(&mut self, graph: &'static Graph, region: u16, path: &str) -> Result<(), Failed> {
        let steps = graph.regions[region as usize].steps;
        for always in [false, true] {
            let mut done = vec![false; steps.len()];
            while let Some(next) = (0..steps.len()).find(|&step| {
                steps[step].always == always
                    && !done[step]
                    // Needs of the other phase have ended with it.
                    && steps[step].needs.iter().all(|&need| {
                        done[need as usize] || steps[need as usize].always != always
                    })
            }) {
                done[next] = true;
                let step = &steps[next];
                let path = format!("{path}/{}", step.name);
                let state = match self.step(graph, &step.kind, &path) {
                    Ok(()) => StepState::Succeeded { cached: false },
                    Err(reach) => {
                        self.forget_below(&path);
                        match (reach, step.on_failure) {
                            (Reach::Step, OnFailure::Value(_)) => StepState::Failed,
                            _ => return Err(Failed),
                        }
                    }
                };
                self.steps.insert(path, state);
            }
        }
        match self.fate.yield_panics(path) {
            Some(_) => Err(Failed),
            None => Ok(()),
        }
    }

    /// What ran inside a failed step depends on the order of events.
    fn forget_below(&mut self, path: &str) {
        self.steps
            .retain(|other, _| !other.strip_prefix(path).is_some_and(|rest| rest.starts_with(['/', '['])));
    }

    fn step(&mut self, graph: &'static Graph, kind: &Kind, path: &str) -> Result<(), Reach> {
        let asks = match kind {
            Kind::Task(task) => task.task.child.is_some(),
            Kind::Signal { key, within, .. } => key.is_some() || within.is_some(),
            Kind::Loop { .. } => false,
            _ => true,
        };
        if asks && self.fate.panics(path, 0).is_some() {
            return Err(Reach::Step);
        }
        match *kind {
            Kind::Task(task) => match task.task.child {
                Some(child) => self.region(child, 0, path).map_err(|Failed| Reach::Step),
                None => self.task(&task, path),
            },
            // The driver sends the others until they are all taken.
            Kind::Signal { within: Some(_), .. } => Err(Reach::Step),
            Kind::Signal { .. } | Kind::Sleep(_) | Kind::Compute(_) | Kind::Check(_) => Ok(()),
            Kind::Map { region, .. } => {
                let (mut of_step, mut of_workflow) = (false, false);
                for item in 0..self.fate.items(path) {
                    match self.inner(graph, region, &format!("{path}[{item}]")) {
                        Ok(()) => {}
                        Err(Reach::Step) => of_step = true,
                        Err(Reach::Workflow) => of_workflow = true,
                    }
                }
                self.ambiguous |= of_step && of_workflow;
                match (of_step, of_workflow) {
                    (_, true) => Err(Reach::Workflow),
                    (true, false) => Err(Reach::Step),
                    (false, false) => Ok(()),
                }
            }
            Kind::Loop { region, .. } => {
                for turn in 0..=TURNS {
                    if self.fate.panics(path, u64::from(turn)).is_some() {
                        return Err(Reach::Step);
                    }
                    if !self.fate.turn(path, turn) {
                        return Ok(());
                    }
                    if turn < TURNS {
                        self.inner(graph, region, &format!("{path}[{turn}]"))?;
                    }
                }
                Err(Reach::Step)
            }
            Kind::Branch { arms, .. } => {
                let arm = arms[self.fate.arm(path)];
                let label = graph.regions[arm as usize].label;
                self.inner(graph, arm, &format!("{path}[{label}]"))
            }
            Kind::Select { .. } => unreachable!("a select depends on the order of events"),
        }
    }

    /// A region of the same workflow: a failed step fails all of it, a value
    /// that cannot be made only the step around.
    fn inner(&mut self, graph: &'static Graph, region: u16, path: &str) -> Result<(), Reach> {
        self.region(graph, region, path).map_err(|Failed| {
            if self.fate.yield_panics(path).is_some() && self.steps_end_well(graph, region, path) {
                Reach::Step
            } else {
                Reach::Workflow
            }
        })
    }

    /// Whether the region failed by its value alone.
    fn steps_end_well(&self, graph: &'static Graph, region: u16, path: &str) -> bool {
        let steps = graph.regions[region as usize].steps;
        steps.iter().all(|step| self.steps.contains_key(&format!("{path}/{}", step.name)))
    }

    fn task(&self, task: &TaskStep, path: &str) -> Result<(), Reach> {
        let mut attempt = 1;
        for number in 0.. {
            match self.fate.attempt(path, number) {
                AttemptEnd::Ok | AttemptEnd::Reused | AttemptEnd::NotDone => return Ok(()),
                // However often: an operator has it go on where it is suspected.
                AttemptEnd::Lost | AttemptEnd::Interrupted | AttemptEnd::NotBegun => {}
                AttemptEnd::Failed(_, retryability) => {
                    attempt += 1;
                    if retryability == Retryability::Fatal || attempt > task.policy.retry.attempts {
                        break;
                    }
                }
                AttemptEnd::Cancelled | AttemptEnd::Legacy { .. } => unreachable!("nobody cancels"),
            }
        }
        Err(Reach::Step)
    }
}

/// How far a failure reaches.
enum Reach {
    /// The step; what it means to the workflow is the step's to say.
    Step,
    /// The workflow around it.
    Workflow,
}
