//! What the lives of a run leave behind: a driver's part of taking it up
//! again. Values are numbers here, so that it shows when a result is kept that
//! was made from others.

use std::collections::{BTreeMap, BTreeSet};

use super::chance::mix;
use crate::run::machine::Machine;
use crate::run::{Change, FrameId, Key, Recalled, StepState, Timestamp, Wait};
use crate::task::definition::{Kind, OnFailure};

#[derive(Default)]
pub struct Memory {
    /// How many lives there were before this one.
    life: u32,
    left: BTreeMap<String, Left>,
    /// The values of this life, by path.
    values: BTreeMap<String, u64>,
    /// Steps whose end was recalled in this life.
    kept: BTreeSet<String>,
    /// Steps whose undo has begun in this life.
    undone: BTreeSet<String>,
    /// Attempts drawn from fate so far, by path.
    drawn: BTreeMap<String, u64>,
    /// Those up to the last failed attempt: what follows is drawn again.
    failed: BTreeMap<String, u64>,
    /// Paths of which an attempt was started in this life.
    begun: BTreeSet<String>,
    /// Whether something failed or was stopped, in whatever life.
    pub stained: bool,
    made: u64,
}

/// What is left of a step.
#[derive(Debug)]
struct Left {
    /// The life that told it.
    life: u32,
    recalled: Recalled,
    /// What it was made from, unless that is nobody's, and what it is.
    inputs: Option<u64>,
    value: u64,
}

/// Whether the path is at or below another one.
fn is_below(path: &str, around: &str) -> bool {
    path.strip_prefix(around).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '[']))
}

/// Whether a frame is the race of a `select!`.
fn is_race(machine: &Machine, frame: FrameId) -> bool {
    machine.frame_parent(frame).is_some_and(|parent| {
        matches!(machine.step(parent.key).unwrap().kind, Kind::Select { race, .. } if race == parent.region)
    })
}

/// Whether the step, or what it is part of, has lost a race.
fn has_lost(machine: &Machine, key: Key) -> bool {
    let around =
        std::iter::successors(Some(key), |key| machine.frame_parent(key.frame).map(|parent| parent.key));
    around.filter(|key| is_race(machine, key.frame)).any(|Key { frame, step }| {
        let steps = (0..).zip(machine.region_of(frame).unwrap().steps);
        let mut others = steps.filter(|(other, _)| *other != step);
        others.any(|(step, other)| {
            let tolerated = matches!(other.on_failure, OnFailure::Value(_));
            match machine.state(Key { frame, step }).unwrap() {
                StepState::Succeeded { .. } => true,
                StepState::Failed => tolerated,
                _ => false,
            }
        })
    })
}

impl Memory {
    /// What is left of a step, for a machine that asks.
    pub fn recall(&mut self, machine: &Machine, key: Key) -> Recalled {
        let path = machine.path(key).unwrap();
        let Some(left) = self.left.get(&path) else { return Recalled::Nothing };
        if matches!(left.recalled, Recalled::Value | Recalled::Failed { .. }) {
            let inputs = self.inputs(machine, key);
            let same = left.inputs.is_none() || inputs.is_none() || left.inputs == inputs;
            assert!(same, "{path} was made from other values");
            self.kept.insert(path.clone());
        }
        if matches!(left.recalled, Recalled::Backoff { .. } | Recalled::Suspected { .. }) {
            let drawn = self.failed[&path];
            self.drawn.insert(path.clone(), drawn);
            self.begun.insert(path.clone());
        }
        left.recalled.clone()
    }

    /// The number of the next attempt of a step. Each life draws those again
    /// that earlier ones have left no trace of.
    pub fn draw(&mut self, path: &str, is_task: bool) -> u64 {
        if self.begun.insert(path.to_owned()) {
            self.drawn.insert(path.to_owned(), 0);
        }
        if is_task {
            assert!(!self.kept.contains(path), "{path} was recalled and starts");
            let done = self.left.get(path).is_some_and(|left| left.recalled == Recalled::Value);
            assert!(self.stained || !done, "{path} has succeeded and starts again");
        }
        let drawn = self.drawn.entry(path.to_owned()).or_default();
        *drawn += 1;
        *drawn - 1
    }

    pub fn note(&mut self, machine: &Machine, change: &Change, now: Timestamp) {
        let Change::Step { key, state, attempt, failure } = change else { return };
        let path = machine.path(*key).unwrap();
        let step = machine.step(*key).unwrap();
        let tolerated = matches!(step.on_failure, OnFailure::Value(_));
        let is_child = matches!(step.kind, Kind::Task(task) if task.task.child.is_some());
        // What has not begun says nothing about what earlier lives have left.
        let stopped = matches!(state, StepState::Cancelled | StepState::UpstreamFailed);
        self.stained |= stopped;
        if stopped {
            // What a loser has made is nobody's.
            self.values.retain(|other, _| !is_below(other, &path));
        }
        let losses = machine.view(*key).unwrap().losses;
        if stopped && *attempt == 0 && losses == 0 && !has_lost(machine, *key) {
            return;
        }
        let undone = self.undone.contains(&path);
        let recalled = match *state {
            _ if undone => None,
            StepState::Succeeded { .. } => Some(Recalled::Value),
            StepState::Failed => match failure {
                Some(failure) if tolerated => {
                    Some(Recalled::Failed { attempts: *attempt, failure: (**failure).clone() })
                }
                _ => None,
            },
            StepState::OutcomeUnknown => Some(Recalled::Unknown),
            StepState::Cancelled if has_lost(machine, *key) => Some(Recalled::Lost),
            StepState::Waiting(Wait::Signal { until })
                if let Some(of) = machine
                    .awaited()
                    .find(|(waits, _)| waits == key)
                    .and_then(|(_, signal)| signal.key.clone()) =>
            {
                Some(Recalled::Awaits { key: of, until })
            }
            StepState::Waiting(Wait::Timer { until } | Wait::Signal { until: Some(until) }) => {
                Some(Recalled::Until(until))
            }
            StepState::Waiting(Wait::Backoff { until }) => {
                self.failed.insert(path.clone(), self.drawn[&path]);
                let failure = failure.clone().expect("a failed attempt says why");
                Some(Recalled::Backoff { attempts: *attempt, until, failure: *failure, losses })
            }
            StepState::Suspected => {
                self.failed.insert(path.clone(), self.drawn[&path]);
                let failure = failure.clone().expect("what is suspected says why");
                Some(Recalled::Suspected { attempts: *attempt, failure: *failure, losses })
            }
            // The attempt is made again, after those that failed.
            StepState::Running if *attempt > 1 || losses > 0 => self.again(&path, *attempt - 1, losses, now),
            StepState::Waiting(_) if *attempt > 0 || losses > 0 => self.again(&path, *attempt, losses, now),
            _ => None,
        };
        if *state == StepState::Undoing {
            self.undone.insert(path.clone());
        }
        self.stained |= *state == StepState::Failed && (is_child || !tolerated);
        match recalled {
            Some(recalled) => self.remember(machine, *key, path, recalled),
            None => {
                self.left.remove(&path);
            }
        }
    }

    fn again(&self, path: &str, attempts: u32, losses: u16, until: Timestamp) -> Option<Recalled> {
        match &self.left.get(path)?.recalled {
            Recalled::Backoff { failure, attempts: made, .. }
            | Recalled::Suspected { failure, attempts: made, .. }
                if *made == attempts =>
            {
                Some(Recalled::Backoff { attempts, until, failure: failure.clone(), losses })
            }
            _ => None,
        }
    }

    fn remember(&mut self, machine: &Machine, key: Key, path: String, recalled: Recalled) {
        let ended = matches!(recalled, Recalled::Value | Recalled::Failed { .. });
        let inputs = if ended { self.inputs(machine, key) } else { None };
        let may_be_recalled = match machine.step(key).unwrap().kind {
            Kind::Task(task) => task.task.child.is_none(),
            Kind::Signal { .. } | Kind::Sleep(_) => true,
            _ => false,
        };
        let value = if self.kept.contains(&path) {
            self.left[&path].value
        } else if may_be_recalled {
            self.made += 1;
            mix(self.made)
        } else if matches!(recalled, Recalled::Failed { .. }) {
            // A region fails by an expression, which says the same again.
            mix(inputs.unwrap_or_default())
        } else {
            self.below(inputs.unwrap_or_default(), &path)
        };
        if inputs.is_some() {
            self.values.insert(path.clone(), value);
        }
        self.left.insert(path, Left { life: self.life, recalled, inputs, value });
    }

    /// What a step is made from; of what has lost a race, nothing is known.
    fn inputs(&self, machine: &Machine, mut key: Key) -> Option<u64> {
        if has_lost(machine, key) {
            return None;
        }
        let mut inputs = 0;
        loop {
            for &need in machine.step(key).unwrap().needs {
                let need = machine.path(Key { frame: key.frame, step: need }).unwrap();
                // What was made in a region that was stopped since is nobody's,
                // also to those that clean up there.
                inputs = mix(inputs ^ self.values.get(&need)?);
            }
            let Some(parent) = machine.frame_parent(key.frame) else { return Some(inputs) };
            key = parent.key;
            if let Kind::Loop { .. } = machine.step(key).unwrap().kind {
                let path = machine.path(key).unwrap();
                for turn in 0..parent.index {
                    inputs = self.below(inputs, &format!("{path}[{turn}]"));
                }
            }
        }
    }

    /// All values below a path.
    fn below(&self, start: u64, path: &str) -> u64 {
        let values = self.values.range(path.to_owned()..).take_while(|(other, _)| other.starts_with(path));
        values.filter(|(other, _)| is_below(other, path)).fold(start, |hash, (_, value)| mix(hash ^ value))
    }

    /// The life of this machine is over.
    pub fn end_life(&mut self, machine: &Machine) {
        for key in machine.anew() {
            let around = machine.path(key).unwrap();
            self.left.retain(|path, left| left.life == self.life || !is_below(path, &around));
        }
        self.values.clear();
        self.kept.clear();
        self.undone.clear();
        self.begun.clear();
        self.life += 1;
    }
}
