//! What is left of each step of a run for another life of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::journal::{Holds, StoredRecalled};
use crate::lookup::find_step;
use crate::run::Timestamp;
use crate::task::definition::{Graph, Kind};

/// What is left of each step, by its path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Left {
    pub(crate) steps: BTreeMap<String, Leftover>,
    /// Signals that came and that no step took, in the order they came.
    pub(crate) signals: Vec<KeptSignal>,
}

/// A signal that no step took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptSignal {
    pub(crate) name: String,
    pub(crate) key: Option<Arc<str>>,
    /// The number of the journal's entry that holds the value.
    pub(crate) seq: u64,
}

/// What is left of a step.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Leftover {
    pub(crate) recalled: StoredRecalled,
    /// The number of the journal's entry that holds the value.
    pub(crate) from: Option<u64>,
    /// Whether it is kept even where something before it runs anew.
    pub(crate) held: bool,
    /// How often the step was undone, or did what does not count any more.
    pub(crate) undone: u32,
    /// Whether it had an undo when it was done, and would be undone by it.
    pub(crate) undoable: bool,
    /// The step's path without the numbers of items and turns.
    pub(crate) static_path: String,
}

impl Left {
    /// Puts down what is left of a step. That it was undone before stays true.
    pub(super) fn put(
        &mut self,
        path: String,
        static_path: String,
        recalled: StoredRecalled,
        from: Option<u64>,
        (undone_now, undoable): (bool, bool),
    ) {
        let before = self.steps.get(&path);
        // What was recalled is the same as before.
        let same = before.filter(|before| before.recalled == recalled && before.from == from);
        let held = same.is_some_and(|before| before.held);
        let undoable = undoable || same.is_some_and(|before| before.undoable);
        let undone = before.map_or(0, |before| before.undone).saturating_add(u32::from(undone_now));
        if recalled == StoredRecalled::Nothing && undone == 0 {
            self.steps.remove(&path);
        } else {
            self.steps.insert(path, Leftover { recalled, from, held, undone, undoable, static_path });
        }
    }

    /// Begins another life under `graph`: nothing is left of what is dropped,
    /// and the rest is held as far as that life says.
    pub(crate) fn take_up(&mut self, graph: &'static Graph, dropped: &[String], holds: Holds) {
        for path in dropped {
            self.drop_below(path, true);
            self.reopen(path);
        }
        for (path, left) in &mut self.steps {
            left.held |= match holds {
                Holds::Set => false,
                Holds::Once => left.is_kept() && is_done_once(graph, path),
                Holds::Everything => left.recalled != StoredRecalled::Nothing,
            };
        }
    }

    /// What a step around the path has come to is no more: it is gone through
    /// again.
    pub(crate) fn reopen(&mut self, path: &str) {
        for (end, _) in path.match_indices(['/', '[']) {
            let Some(left) = self.steps.get_mut(&path[..end]) else { continue };
            (left.recalled, left.from, left.held) = (StoredRecalled::Nothing, None, false);
            if left.undone == 0 {
                self.steps.remove(&path[..end]);
            }
        }
    }

    /// What is left of the step of a path is kept in every life to come.
    pub(super) fn hold(&mut self, path: &str) {
        if let Some(left) = self.steps.get_mut(path) {
            left.held = true;
        }
    }

    /// Nothing is left of the step of a path, and of what lies in it: also
    /// not what is held, or only that.
    pub(super) fn drop_below(&mut self, path: &str, held_too: bool) {
        for (of, left) in self.steps.range_mut(path.to_owned()..) {
            let Some(rest) = of.strip_prefix(path) else { break };
            if (rest.is_empty() || rest.starts_with(['/', '['])) && (held_too || !left.held) {
                // What it did stands in the world, and it is done once more.
                left.undone += u32::from(left.recalled == StoredRecalled::Value);
                (left.recalled, left.from, left.held) = (StoredRecalled::Nothing, None, false);
            }
        }
        self.steps.retain(|_, left| left.recalled != StoredRecalled::Nothing || left.undone > 0);
    }

    /// Whether it is unknown what the step of a path has done.
    pub(super) fn is_unknown(&self, path: &str) -> bool {
        self.steps.get(path).is_some_and(|left| left.recalled == StoredRecalled::Unknown)
    }

    /// Whether somewhere the step of a static path has a result, or it is
    /// unknown whether it has.
    pub(crate) fn is_kept(&self, static_path: &str) -> bool {
        self.steps.values().any(|left| left.static_path == static_path && left.is_kept())
    }
}

impl Leftover {
    /// Whether the step has done something, or it is unknown whether it has.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.recalled, StoredRecalled::Value | StoredRecalled::Unknown)
    }

    /// Whether the step has come to something that would be lost, or done
    /// twice, if it ran anew.
    pub(crate) fn is_kept(&self) -> bool {
        matches!(
            self.recalled,
            StoredRecalled::Value | StoredRecalled::Failed { .. } | StoredRecalled::Unknown
        )
    }
}

/// Whether the step of a path calls a task that is not done a second time
/// because something before it is.
fn is_done_once(graph: &'static Graph, path: &str) -> bool {
    find_step(graph, path).is_some_and(|step| match step.kind {
        Kind::Task(task) => task.task.is_done_once(),
        _ => false,
    })
}

/// Whether the step of a path has an undo.
pub(super) fn has_undo(graph: &'static Graph, path: &str) -> bool {
    find_step(graph, path)
        .is_some_and(|step| matches!(step.kind, Kind::Task(task) if task.task.undo.is_some()))
}

/// A failed attempt before one that has not ended: it counts, and the next one
/// may begin at once.
pub(super) fn after_attempts(
    attempts: u32,
    failure: Option<&crate::failure::Failure>,
    losses: u16,
    until: Timestamp,
) -> StoredRecalled {
    match failure {
        Some(failure) if attempts > 0 || losses > 0 => {
            StoredRecalled::Backoff { attempts, until, failure: failure.clone(), losses }
        }
        _ => StoredRecalled::Nothing,
    }
}
