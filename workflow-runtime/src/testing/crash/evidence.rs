//! What was committed and what was started, over all processes of one run,
//! and whether that is as promised.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::doctor;
use crate::engine::Begun;
use crate::error::{Error, Result};
use crate::journal::StoredEvent;
use crate::run::{RunState, StepState};
use crate::store::{self, Entry, Memory, Store, StoreError, StoredEntry, StoredRun};
use crate::task::definition::Graph;

#[derive(Default)]
pub(super) struct Evidence(Mutex<Observed>);

#[derive(Default)]
struct Observed {
    steps: HashMap<String, StepEvidence>,
    /// How many signals of each name and key were accepted.
    signals: HashMap<(String, Option<String>), usize>,
    ended: Option<RunState>,
    /// Whether nothing may start any more.
    over: bool,
    story: Vec<String>,
    problems: Vec<String>,
}

/// One step, over all processes.
#[derive(Default)]
struct StepEvidence {
    /// As it is committed.
    state: Option<StepState>,
    /// How many starts are committed, and how many there were.
    starts: (usize, usize),
    /// The idempotency keys of its attempts and of its undo's.
    keys: [Option<String>; 2],
}

impl Evidence {
    /// A commit is written.
    pub(super) fn committed(&self, entries: &[Entry], end: Option<&store::RunEnd>) {
        let mut seen = self.seen();
        seen.tell("commit".to_owned());
        if seen.ended.is_some() {
            seen.problem("something was committed after the run's end".to_owned());
        }
        for entry in entries {
            seen.tell(format!("  {}", entry.event));
            if let Ok(StoredEvent::Signalled { name, key, .. }) = serde_json::from_str(&entry.event) {
                *seen.signals.entry((name, key)).or_default() += 1;
            }
            for change in &entry.changes {
                seen.tell(format!("    {} {}", change.path, change.state));
                seen.changed(&change.path, change.state);
            }
        }
        if let Some(end) = end {
            seen.tell(format!("  the run {}", end.state));
            seen.ended = Some(end.state);
        }
    }

    /// The store refused a batch: the engine's count of entries is wrong, or
    /// it writes what has ended.
    pub(super) fn refused(&self, error: &StoreError) {
        if *error != StoreError::Closed {
            self.seen().problem(format!("the store refused a batch: {error}"));
        }
    }

    /// An attempt begins.
    pub(super) fn begun(&self, begun: Begun) {
        let Begun { step: path, needs, attempt, undo, idempotency_key, run: _ } = begun;
        let mut seen = self.seen();
        let what = if undo { "the undo of " } else { "" };
        seen.tell(format!("start {what}{path}, attempt {attempt}"));
        if seen.over {
            seen.problem(format!("{what}{path} started in a run that has ended"));
        }
        for need in needs.iter().filter(|_| !undo) {
            // What is undone had ended. That its dependants are cancelled may be
            // committed at the very moment at which one of them begins.
            let ended = |state: StepState| state.is_ended() || state == StepState::Undoing;
            if !seen.steps.get(need).and_then(|step| step.state).is_some_and(ended) {
                seen.problem(format!("{path} started, and no commit says that {need} has ended"));
            }
        }
        let step = seen.steps.entry(path.clone()).or_default();
        let state = step.state;
        step.starts.1 += usize::from(!undo);
        let uncommitted =
            if undo { state != Some(StepState::Undoing) } else { step.starts.1 > step.starts.0 };
        let other_key = step.keys[usize::from(undo)].replace(idempotency_key.clone());
        if !undo && matches!(state, Some(StepState::Succeeded { .. })) {
            seen.problem(format!("{path} started again after its success was committed"));
        }
        if uncommitted {
            seen.problem(format!("{what}{path} started, and no commit says so"));
        }
        if let Some(other) = other_key.filter(|other| *other != idempotency_key) {
            seen.problem(format!("{what}{path} has two idempotency keys: {other} and {idempotency_key}"));
        }
    }

    pub(super) fn expect_no_attempt(&self) {
        self.seen().over = true;
    }

    pub(super) fn signalled(&self) -> HashMap<(String, Option<String>), usize> {
        self.seen().signals.clone()
    }

    /// Is what a process left as it should be?
    pub(super) fn examine(&self, memory: &Memory, graph: &'static Graph) {
        match doctor::examine(memory, &[graph]) {
            Ok(report) if report.is_healthy() && report.not_followed.is_empty() => {}
            Ok(report) => self.seen().problem(report.to_string()),
            Err(error) => self.seen().problem(error.to_string()),
        }
    }

    /// The run has ended with `result`: is that what is stored?
    pub(super) fn check_end<T>(
        &self,
        memory: &Memory,
        stored: std::result::Result<Option<StoredRun>, StoreError>,
        result: &Result<T>,
    ) {
        let mut seen = self.seen();
        let Ok(Some(stored)) = stored else { return seen.problem("the run is not stored".to_owned()) };
        let told = match result {
            Ok(_) => RunState::Succeeded,
            Err(Error::Failed { .. }) => RunState::Failed,
            Err(Error::Cancelled { .. }) => RunState::Cancelled,
            Err(error) => return seen.problem(format!("the run did not end: {error}")),
        };
        if stored.end.as_ref().map(|end| end.state) != Some(told) {
            seen.problem(format!("the run is {told}, and stored as {}", stored.state));
        }
        match memory.journal(stored.run) {
            Ok(journal) => seen.check_journal(&journal),
            Err(error) => seen.problem(error.to_string()),
        }
    }

    /// # Panics
    /// When something was not as promised.
    pub(super) fn assert_sound(&self) {
        let problems = self.seen().problems.join("\n  ");
        assert!(problems.is_empty(), "not as promised:\n  {problems}\n{self}");
    }

    fn seen(&self) -> MutexGuard<'_, Observed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observed {
    fn tell(&mut self, line: String) {
        self.story.push(line);
    }

    fn problem(&mut self, problem: String) {
        self.tell(format!("!! {problem}"));
        self.problems.push(problem);
    }

    fn changed(&mut self, path: &str, state: StepState) {
        let step = self.steps.entry(path.to_owned()).or_default();
        let before = step.state.replace(state);
        step.starts.0 += usize::from(state == StepState::Running);
        let undone = matches!(state, StepState::Undoing | StepState::Undone);
        let open = before.is_none_or(|before| !before.is_ended() || before == StepState::OutcomeUnknown);
        if !open && !undone {
            self.problem(format!("{path} had ended, and became {state}"));
        }
    }

    fn check_journal(&mut self, journal: &[StoredEntry]) {
        let mut epochs = HashMap::new();
        for (number, entry) in (0..).zip(journal) {
            if entry.seq != number {
                self.problem(format!("entry {number} of the journal has the number {}", entry.seq));
            }
            let Ok(event) = serde_json::from_str::<StoredEvent>(&entry.event) else {
                self.problem(format!("entry {number} of the journal cannot be read: {}", entry.event));
                continue;
            };
            let (StoredEvent::AttemptSucceeded { step, epoch }
            | StoredEvent::AttemptFailed { step, epoch, .. }
            | StoredEvent::AttemptLost { step, epoch, .. }
            | StoredEvent::AttemptReused { step, epoch }
            | StoredEvent::AttemptNotDone { step, epoch }
            | StoredEvent::AttemptNotBegun { step, epoch }
            | StoredEvent::AttemptInterrupted { step, epoch, .. }
            | StoredEvent::AttemptCancelled { step, epoch }) = event
            else {
                continue;
            };
            if epochs.insert(step, epoch).is_some_and(|before| before >= epoch) {
                self.problem(format!("the epochs of a step do not grow: {}", entry.event));
            }
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "what happened:")?;
        self.seen().story.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}
