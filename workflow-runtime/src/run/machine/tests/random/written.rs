//! The journal of a run, as an engine would write it, and whether its story is
//! what has happened.

use std::collections::BTreeMap;

use super::watch::Watch;
use crate::blueprint::Blueprint;
use crate::history::{AttemptKind, History, Outcome, Reading};
use crate::journal::StoredEvent;
use crate::run::machine::Machine;
use crate::run::{Event, Recalled, StepState, Timestamp};
use crate::store::{Payload, StoredEntry};
use crate::task::definition::Graph;

#[derive(Default)]
pub struct Journal {
    entries: Vec<StoredEntry>,
    /// What the lives before this one have left, by what is written.
    before: Option<History>,
}

impl Journal {
    pub fn note(&mut self, now: Timestamp, graph: &'static Graph, event: &Event) {
        let event = StoredEvent::of(event);
        // An engine refuses a signal that no step waits for.
        if event.clone().event(graph).is_some() {
            self.add(now, serde_json::to_string(&event).unwrap());
        }
    }

    fn add(&mut self, at: Timestamp, event: String) {
        let seq = self.entries.len() as u64;
        let value = Some(Payload { type_name: "u8".into(), bytes: b"0".to_vec() });
        self.entries.push(StoredEntry { seq, at, event, value });
    }

    pub fn taken_up(&mut self, now: Timestamp, graph: &'static Graph) {
        let hash = Blueprint::of(graph).hash();
        self.add(
            now,
            format!(r#"{{"event":"taken_up","why":"retried","before":{hash},"blueprint":{hash}}}"#),
        );
        self.before = Some(self.read(graph));
    }

    fn read(&self, graph: &'static Graph) -> History {
        let hash = Blueprint::of(graph).hash();
        History::read(graph, &self.entries, &|wanted| (wanted == hash).then_some(graph)).unwrap()
    }

    /// What is written of a step is what its driver remembers.
    pub fn check_left(&self, path: &str, remembered: &Recalled) {
        let history = self.before.as_ref().expect("a run that was taken up");
        let left = history.left.steps.get(path);
        let told = left.map_or(Recalled::Nothing, |left| left.recalled.clone().recalled());
        let undone = history
            .step(path)
            .is_some_and(|step| step.attempts.iter().any(|attempt| attempt.kind == AttemptKind::Undo));
        let agree = match (&told, remembered) {
            // Drivers here try again what nobody knows the end of, or forget
            // it when it has lost a race, take all that was undone for gone,
            // and do not see who wins a race that has been stopped before.
            (Recalled::Lost, Recalled::Nothing) => true,
            (Recalled::Unknown, Recalled::Nothing | Recalled::Backoff { .. } | Recalled::Lost) => true,
            (Recalled::Value, Recalled::Nothing) => undone,
            (told, remembered) => told == remembered,
        };
        assert!(agree, "{path}: {told:?} is written, and {remembered:?} was");
    }

    /// The story is what has happened.
    pub fn check(&self, graph: &'static Graph, machine: &Machine, watch: &Watch) {
        let history = self.read(graph);
        assert_eq!(history.state, machine.run_state());
        let life = history.lives.len() - 1;
        let states: BTreeMap<&str, StepState> = history
            .steps
            .iter()
            .filter(|step| step.life == life)
            .map(|step| (&*step.path, step.state))
            .collect();
        for (path, state) in &watch.last {
            assert_eq!(states.get(&**path), Some(state), "{path}");
        }
        for step in &history.steps {
            let ended = history.state.is_ended();
            let running = step.attempts.iter().any(|attempt| attempt.outcome == Outcome::Running);
            assert!(!ended || !running, "{step:?} runs in a run that has ended");
        }
        assert_eq!(history.paused, machine.is_paused());
        self.check_folded(graph, &history);
    }

    /// Where good items of a `for` are only counted, all else is told the same.
    fn check_folded(&self, graph: &'static Graph, whole: &History) {
        let hash = Blueprint::of(graph).hash();
        let blueprint_of = |wanted| (wanted == hash).then_some(graph);
        let mut reading = Reading::new(graph, &blueprint_of, true);
        self.entries.iter().for_each(|entry| reading.entry(entry).unwrap());
        let folded = reading.end();
        assert_eq!((folded.state, &folded.error, &folded.acts), (whole.state, &whole.error, &whole.acts));
        // What is told of a step may be put together from several lives.
        if whole.lives.len() > 1 {
            return;
        }
        let mut told = folded.steps.iter().peekable();
        for step in &whole.steps {
            match told.next_if(|told| told.path == step.path) {
                Some(told) => {
                    assert_eq!((told.state, &told.attempts), (step.state, &step.attempts));
                    assert!(step.items.is_none() || told.items == step.items, "{told:?} {step:?}");
                }
                None => {
                    let well = matches!(step.state, StepState::Succeeded { .. } | StepState::Skipped);
                    assert!(well && step.path.contains('['), "{step:?} is not told");
                }
            }
        }
        assert!(told.next().is_none(), "in the same order");
    }
}
