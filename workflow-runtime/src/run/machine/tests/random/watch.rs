//! Promises about the whole of a run, checked change by change.

use std::collections::{BTreeMap, BTreeSet};

use crate::run::machine::Machine;
use crate::run::{Action, Change, FrameId, Key, RunState, StepState, Wait};
use crate::task::definition::{Kind, OnFailure};

#[derive(Default)]
pub struct Watch {
    /// The last state of every step, by path.
    pub last: BTreeMap<String, StepState>,
    states: BTreeMap<Key, StepState>,
    /// The highest epoch told for each step.
    epochs: BTreeMap<Key, u32>,
    /// Who has asked for room or a turn, with the epoch of that.
    asked: BTreeSet<(Key, u32)>,
    open: BTreeSet<FrameId>,
    /// The body frames of workflows in which a step has failed.
    failed: BTreeSet<FrameId>,
    cancelled: bool,
    /// Whether any part of the run has failed or was stopped.
    stopped: bool,
    /// Steps that can be undone, with their scopes, in the order they ended.
    undoable: Vec<(FrameId, Key)>,
    /// Those of them that belong to `#[always]` steps, and are not undone
    /// unless a child workflow among these fails by itself.
    exempt: BTreeSet<Key>,
    finished: bool,
}

/// The steps around a step up to the body of the run, itself first.
fn around(machine: &Machine, key: Key) -> impl Iterator<Item = Key> {
    std::iter::successors(Some(key), |key| machine.frame_parent(key.frame).map(|parent| parent.key))
}

fn is_child(machine: &Machine, key: Key) -> bool {
    matches!(machine.step(key).unwrap().kind, Kind::Task(task) if task.task.child.is_some())
}

/// The frames of the workflows around a step, the innermost first, up to the
/// first `#[always]` step when `stop` says so.
fn scopes(machine: &Machine, key: Key, stop: bool) -> Vec<FrameId> {
    let mut scopes = Vec::new();
    for key in around(machine, key) {
        if stop && machine.step(key).unwrap().always {
            break;
        }
        let opener = machine.frame_parent(key.frame).map(|parent| parent.key);
        if opener.is_none_or(|opener| is_child(machine, opener)) {
            scopes.push(key.frame);
        }
    }
    scopes
}

impl Watch {
    pub fn cancelled(&mut self) {
        self.cancelled = true;
    }

    /// Whether any part of the run has failed or was stopped.
    pub fn is_ending(&self) -> bool {
        self.cancelled || self.stopped
    }

    pub fn change(&mut self, machine: &Machine, change: &Change) {
        let Change::Step { key, state, attempt, .. } = change else { return };
        let (key, state) = (*key, *state);
        let path = machine.path(key).expect("a change is about an open step");
        let before = self.states.insert(key, state).unwrap_or(StepState::Waiting(Wait::Dependencies));
        if before.is_ended() {
            let undo = matches!(before, StepState::Succeeded { .. }) && state == StepState::Undoing;
            // Somebody has found out how it ended.
            let settled = before == StepState::OutcomeUnknown && state != StepState::Undoing;
            assert!(undo || settled, "{path} was {before} and is {state}");
        }
        if before == StepState::Undoing {
            let fits = matches!(state, StepState::Undone | StepState::Failed | StepState::Suspected);
            assert!(fits, "{path} undo became {state}");
        }
        let step = machine.step(key).unwrap();
        let Kind::Task(task) = step.kind else { return self.ended(machine, key, before, state, path) };
        if state == StepState::Running && task.task.child.is_none() {
            assert!(*attempt <= task.policy.retry.attempts, "{path} attempt {attempt}");
        }
        if matches!(state, StepState::Succeeded { .. }) && task.task.undo.is_some() {
            self.undoable.push((scopes(machine, key, false)[0], key));
            if around(machine, key).any(|key| machine.step(key).unwrap().always) {
                self.exempt.insert(key);
            }
        }
        self.ended(machine, key, before, state, path);
    }

    fn ended(&mut self, machine: &Machine, key: Key, before: StepState, state: StepState, path: String) {
        self.stopped |= matches!(state, StepState::Failed | StepState::Cancelled);
        let fails_run = matches!(machine.step(key).unwrap().on_failure, OnFailure::FailRun);
        if state == StepState::Failed && before != StepState::Undoing && fails_run {
            self.failed.insert(scopes(machine, key, false)[0]);
        }
        self.last.insert(path, state);
    }

    pub fn action(&mut self, machine: &Machine, action: &Action) {
        assert!(!self.finished, "{action:?} after the end");
        self.not_paused(machine, action);
        match *action {
            Action::Open { frame, .. } => assert!(self.open.insert(frame), "opened twice"),
            Action::Close { frame } => {
                assert!(self.open.remove(&frame), "closed twice");
                for step in 0..machine.region_of(frame).unwrap().steps.len() {
                    let key = Key { frame, step: step as u16 };
                    let state = machine.state(key).unwrap();
                    assert!(state.is_ended(), "closed while {} {state}", machine.path(key).unwrap());
                }
            }
            Action::Start { key, epoch, .. } => {
                self.attempt(machine, key, epoch);
                self.may_start(machine, key);
            }
            Action::Acquire { key, epoch, .. } => {
                self.epoch(key, epoch, false);
                self.asked.insert((key, epoch));
            }
            Action::Timer { key, epoch, .. } => self.epoch(key, epoch, false),
            Action::Reconcile { key, epoch, .. } => {
                self.attempt(machine, key, epoch);
                assert_eq!(machine.state(key), Some(StepState::OutcomeUnknown));
                assert!(machine.view(key).unwrap().unresolved);
            }
            Action::Undo { key, epoch, attempt } => {
                self.attempt(machine, key, epoch);
                if attempt == 1 {
                    self.in_reverse(machine, key);
                }
            }
            Action::Stop { key, .. } | Action::Abort { key, graceful: false, .. } => {
                let path = machine.path(key).unwrap();
                assert!(!machine.step(key).unwrap().always, "{path} is always done");
                let state = machine.state(key).unwrap();
                let runs = matches!(state, StepState::Running | StepState::OutcomeUnknown);
                assert!(runs, "{path} is stopped and {state}");
            }
            Action::Finish { state, ref cause } => {
                self.finished = true;
                assert!(self.open.is_empty(), "left open: {:?}", self.open);
                assert_eq!(cause.is_some(), state == RunState::Failed);
                if let Some((key, ..)) = cause {
                    // The body of a run without steps can only fail itself.
                    let steps = machine.region_of(key.frame).expect("the cause can be looked at").steps;
                    assert!(steps.is_empty() || machine.path(*key).is_some());
                }
                for (_, key) in &self.undoable {
                    let state = self.states[key];
                    if self.exempt.contains(key) {
                        continue;
                    }
                    let left = matches!(state, StepState::Succeeded { .. });
                    assert!(!left || machine.run_state() == RunState::Succeeded, "not undone");
                }
            }
            _ => {}
        }
    }

    /// In a paused run only what has failed or was stopped does something.
    fn not_paused(&self, machine: &Machine, action: &Action) {
        let (Action::Start { key, .. } | Action::Acquire { key, .. } | Action::Reconcile { key, .. }) =
            action
        else {
            return;
        };
        // What has to be undone is undone in a pause too.
        let undo = machine.state(*key) == Some(StepState::Undoing);
        assert!(
            undo || self.is_ending() || !machine.is_paused(),
            "{} starts in a pause",
            machine.path(*key).unwrap()
        );
    }

    /// An attempt has the epoch of its request, where it has one. What was lost
    /// before has had to ask.
    fn attempt(&mut self, machine: &Machine, key: Key, epoch: u32) {
        let asked = self.asked.contains(&(key, epoch));
        let losses = machine.view(key).unwrap().losses;
        assert!(asked || losses == 0, "{} begins unasked", machine.path(key).unwrap());
        self.epoch(key, epoch, asked);
    }

    fn epoch(&mut self, key: Key, epoch: u32, granted: bool) {
        let highest = self.epochs.entry(key).or_default();
        assert!(epoch > *highest || (granted && epoch == *highest), "epoch {epoch} after {highest}");
        *highest = epoch;
    }

    fn may_start(&self, machine: &Machine, key: Key) {
        let path = machine.path(key).unwrap();
        let step = machine.step(key).unwrap();
        for &need in step.needs {
            let need = Key { frame: key.frame, step: need };
            let valued = match machine.state(need).unwrap() {
                StepState::Succeeded { .. } | StepState::Undone => true,
                // Of a failed undo there is a value too.
                StepState::Failed => true,
                _ => false,
            };
            assert!(valued, "{path} started before its needs");
        }
        let always = around(machine, key).any(|key| machine.step(key).unwrap().always);
        assert!(always || !self.cancelled, "{path} started in a cancelled run");
        for scope in scopes(machine, key, true) {
            assert!(!self.failed.contains(&scope), "{path} started in a failed workflow");
        }
    }

    /// Of one workflow, what ended later is undone earlier.
    fn in_reverse(&self, machine: &Machine, key: Key) {
        let place = self.undoable.iter().position(|(_, other)| *other == key).expect("undo of what ended");
        let scope = self.undoable[place].0;
        for (_, later) in self.undoable[place + 1..].iter().filter(|(other, _)| *other == scope) {
            let state = self.states[later];
            let undone = matches!(state, StepState::Undone | StepState::Failed);
            let exempt = self.exempt.contains(later);
            assert!(undone || exempt, "{} is undone before {later:?}", machine.path(key).unwrap());
        }
    }
}
