//! What is left of the steps of a run that was taken up again: what its fresh
//! machine asks for before it begins a step, by the step's path.

use std::collections::HashMap;

use super::Execution;
use super::brought::output_codec;
use super::coded::coded;
use super::kept::KeptValues;
use crate::held::hold_in;
use crate::journal::StoredRecalled;
use crate::lookup::find_step;
use crate::run::{Key, Recalled};
use crate::task::definition::{Graph, Kind, Step};
use crate::value::{Payload, Value};

/// What is left, step by step.
#[derive(Default)]
pub(crate) struct Leftovers {
    pub(super) steps: HashMap<String, Leftover>,
    /// What was computed, and is that for ever.
    pub(crate) kept: KeptValues,
    /// Why a value could not be read, the first time that happened.
    pub(crate) unreadable: Option<String>,
}

/// What a run takes over of a step.
pub(crate) struct Kept {
    pub(crate) path: String,
    pub(crate) recalled: StoredRecalled,
    pub(crate) value: Option<Payload>,
    /// Whether it is kept even where something before it runs anew.
    pub(crate) held: bool,
}

/// What is left of one step.
pub(crate) struct Leftover {
    pub(crate) recalled: StoredRecalled,
    /// The journal's entry with the value.
    pub(crate) from: Option<u64>,
    pub(crate) value: Option<Payload>,
    /// Whether it is kept even where something before it runs anew.
    pub(crate) held: bool,
    /// How often the step was undone, or did what does not count any more:
    /// what it does next is not what it did then, and has another idempotency
    /// key.
    pub(crate) undone: u32,
    /// Whether it had an undo when it was done.
    pub(crate) undoable: bool,
    /// Whether this life has come to the step, and asked for it.
    pub(crate) met: bool,
}

impl Leftovers {
    pub(crate) fn insert(&mut self, path: String, leftover: Leftover) {
        self.steps.insert(path, leftover);
    }

    /// Notes what is left of a step by an operator's order.
    pub(crate) fn keep(
        &mut self,
        path: String,
        recalled: StoredRecalled,
        from: Option<u64>,
        value: Option<Payload>,
        held: bool,
    ) {
        let undone = self.steps.get(&path).map_or(0, |left| left.undone);
        self.steps
            .insert(path, Leftover { recalled, from, value, held, undone, undoable: false, met: false });
    }

    /// What a step around the path has come to is no more.
    pub(crate) fn reopen(&mut self, path: &str) {
        for (end, _) in path.match_indices(['/', '[']) {
            if let Some(left) = self.steps.get_mut(&path[..end]) {
                (left.recalled, left.from, left.value) = (StoredRecalled::Nothing, None, None);
            }
        }
    }

    /// Whether what the step of a path came to is kept: all of it, or only what is
    /// held.
    pub(crate) fn keeps(&self, path: &str, all: bool) -> bool {
        use StoredRecalled::{Failed, Unknown, Value};
        let is_kept = |left: &Leftover| matches!(left.recalled, Value | Failed { .. } | Unknown);
        self.steps.get(path).is_some_and(|left| is_kept(left) && (all || left.held))
    }

    /// The paths of steps of which something is left.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.steps.keys().map(String::as_str)
    }

    /// How often the step had done something that its next attempt, or its
    /// undo, is not about.
    pub(crate) fn earlier(&self, path: &str, undo: bool) -> u32 {
        // One whose result is left, and that is attempted, runs anew.
        let anew = |left: &Leftover| !undo && left.recalled == StoredRecalled::Value;
        self.steps.get(path).map_or(0, |left| left.undone + u32::from(anew(left)))
    }

    /// Takes out what is left of the steps that are wanted, where they ended:
    /// each with whether it is held, or not at all.
    pub(crate) fn take(self, is_wanted: impl Fn(&str) -> Option<bool>) -> Vec<Kept> {
        let ended = |left: &Leftover| {
            use StoredRecalled::{Failed, Lost, Value};
            matches!(left.recalled, Value | Failed { .. } | Lost)
        };
        let kept = self.steps.into_iter().filter(|(_, left)| ended(left)).filter_map(|(path, left)| {
            let held = is_wanted(&path)?;
            Some(Kept { path, recalled: left.recalled, value: left.value, held })
        });
        let mut kept: Vec<_> = kept.collect();
        kept.sort_by(|left, right| left.path.cmp(&right.path));
        kept
    }

    /// Whether every value can be read as `graph` wants it, so that no caller is
    /// surprised in the middle of a run.
    pub(crate) fn check(&self, graph: &'static Graph) -> Result<(), String> {
        for (path, leftover) in &self.steps {
            let Some(step) = find_step(graph, path) else { continue };
            if leftover.recalled == StoredRecalled::Value && leftover.value.is_some() {
                check(path, step, leftover.value.as_ref())?;
            }
        }
        Ok(())
    }
}

impl Execution {
    pub(crate) fn leftover(&self, key: Key) -> Option<&Leftover> {
        let leftovers = self.leftovers.as_ref()?;
        let path = self.frames.get(key.frame)?.scope.path(key.step);
        leftovers.steps.get(&path)
    }

    /// What a child workflow has come to, where that is kept: its failure,
    /// which is a value. One that ended well is gone through again, step by
    /// step, so that what it did can be undone.
    pub(crate) fn outcome_of_child(&self, key: Key) -> Option<Recalled> {
        self.leftovers.as_ref()?;
        let (_, step) = self.frames.step(key)?;
        let is_child = matches!(step.kind, Kind::Task(task) if task.task.child.is_some());
        let left =
            self.leftover(key).filter(|left| is_child && (left.held || !self.machine.runs_anew(key)))?;
        let recalled = left.recalled.clone().recalled();
        (matches!(recalled, Recalled::Failed { .. }) && self.machine.fits(key, &recalled)).then_some(recalled)
    }

    /// Has a step be given what it was given in an earlier life, unless that was
    /// undone: then it is something else to the world.
    fn give_as_before(&mut self, key: Key) {
        let Some(leftovers) = &self.leftovers else { return };
        let Some(frame) = self.frames.get_mut(key.frame) else { return };
        let path = frame.scope.path(key.step);
        let is_undone = leftovers.steps.get(&path).is_some_and(|left| left.undone > 0);
        if let Some(arguments) = leftovers.kept.arguments(&path).filter(|_| !is_undone) {
            frame.give(key.step, arguments.bytes.as_slice().into());
        }
    }

    /// Answers what is left of a step, and its value.
    /// Of one that has to run anew, only what is held.
    pub(crate) fn recall(&mut self, key: Key, fresh: bool) -> (Recalled, Option<Value>) {
        let Some((frame, step)) = self.frames.step(key) else { return (Recalled::Nothing, None) };
        if let Some(leftovers) = &mut self.leftovers
            && let Some(left) = leftovers.steps.get_mut(&frame.scope.path(key.step))
        {
            left.met = true;
        }
        if !fresh {
            self.give_as_before(key);
        }
        let leftover = self.leftover(key).filter(|left| !fresh || left.held);
        let Some(leftover) = leftover else { return (Recalled::Nothing, None) };
        let recalled = leftover.recalled.clone().recalled();
        // The step of this path may be of another kind by now.
        if !self.machine.fits(key, &recalled) {
            return (Recalled::Nothing, None);
        }
        // What a sleep is worth is decided before it ends.
        if matches!(step.kind, Kind::Sleep(_)) {
            let value = matches!(recalled, Recalled::Value | Recalled::Until(_)).then(|| Value::new(()));
            return (recalled, value);
        }
        if recalled != Recalled::Value {
            return (recalled, None);
        }
        let path = self.frames.get(key.frame).map(|frame| frame.scope.path(key.step)).unwrap_or_default();
        match read(&path, step, leftover.value.as_ref()) {
            Ok(value) => (recalled, Some(value)),
            Err(reason) => {
                if let Some(leftovers) = &mut self.leftovers {
                    leftovers.unreadable.get_or_insert(reason);
                }
                (Recalled::Nothing, None)
            }
        }
    }
}

/// Whether a step can have a value as its result. What is made of other steps
/// has none of its own.
pub(crate) fn check(path: &str, step: &'static Step, stored: Option<&Payload>) -> Result<(), String> {
    match output_codec(step) {
        Some(_) => read(path, step, stored).map(drop),
        None => Ok(()),
    }
}

pub(super) fn read(path: &str, step: &'static Step, stored: Option<&Payload>) -> Result<Value, String> {
    let (Some(codec), Some(stored)) = (output_codec(step), stored) else {
        return Err(format!("the result of step `{path}` is missing"));
    };
    hold_in(&stored.bytes);
    coded(|| (codec.decode)(&stored.bytes)).map_err(|failure| {
        format!("the result of step `{path}`, stored as `{}`: {failure}", stored.type_name)
    })
}
