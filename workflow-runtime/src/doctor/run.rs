//! One run: its row, and its journal from the first entry to the last.

use std::collections::HashMap;

use super::finding::{NotFollowed, Problem, Report, Stands, Suspected};
use super::graphs::{Graphs, Known};
use super::life::{ReplayedLife, Wrong};
use super::source::Source;
use super::{row, sleep, values};
use crate::history::{History, Operated, OperatorAct};
use crate::journal::{StoredEvent, first_graph_of};
use crate::run::{Machine, StepState, Timestamp};
use crate::store::{StoreError, StoredEntry, StoredRun};
use crate::task::definition::Graph;

/// Examines a run. Returns the time of the last thing that happened to it.
pub(super) fn examine<S: Source + ?Sized>(
    store: &S,
    graphs: &mut Graphs,
    stored: &StoredRun,
    in_clear: bool,
    report: &mut Report,
) -> Result<Timestamp, StoreError> {
    for (step, problem, what) in row::alone(stored, in_clear) {
        report.find(stored, step, None, problem, what);
    }
    let journal = match store.journal(stored.run) {
        Ok(journal) => journal,
        Err(StoreError::Closed) => return Err(StoreError::Closed),
        Err(error) => {
            report.find(stored, None, None, Problem::Journal, format!("its journal cannot be read: {error}"));
            return Ok(stored.created_at);
        }
    };
    report.entries += journal.len();
    let latest = journal.last().map_or(stored.created_at, |last| last.at.max(stored.created_at));
    let Some(events) = read(stored, &journal, report) else { return Ok(latest) };
    let mut followed = FollowedRun { store, graphs, stored, in_clear, report };
    if let Some(life) = followed.follow(&journal, events)? {
        followed.compare(&life, journal.is_empty())?;
    }
    Ok(latest)
}

/// The events of a journal, if all of them are there and can be read.
fn read(stored: &StoredRun, journal: &[StoredEntry], report: &mut Report) -> Option<Vec<StoredEvent>> {
    let mut events = Vec::with_capacity(journal.len());
    for (number, entry) in (0..).zip(journal) {
        let problem = if entry.seq == number {
            match serde_json::from_str::<StoredEvent>(&entry.event) {
                Ok(event) => {
                    events.push(event);
                    continue;
                }
                Err(error) => format!("it cannot be read: {error}"),
            }
        } else {
            format!("it is missing, and entry {} comes instead", entry.seq)
        };
        report.find(stored, None, Some(number), Problem::Journal, problem);
        return None;
    }
    Some(events)
}

/// A run that is being followed.
struct FollowedRun<'a, S: ?Sized> {
    store: &'a S,
    graphs: &'a mut Graphs,
    stored: &'a StoredRun,
    in_clear: bool,
    report: &'a mut Report,
}

impl<S: Source + ?Sized> FollowedRun<'_, S> {
    /// Has machines hear the journal, one for each life of the run. Gives back
    /// the last one, if it heard all there is.
    fn follow(
        &mut self,
        journal: &[StoredEntry],
        events: Vec<StoredEvent>,
    ) -> Result<Option<ReplayedLife>, StoreError> {
        let Some(first) = self.graph(first_graph_of(&events, self.stored.fingerprint))? else {
            return Ok(None);
        };
        let mut graph = first;
        let mut later = HashMap::new();
        let mut life = ReplayedLife::new(Machine::new(graph));
        let mut wrong = Vec::new();
        for ((number, entry), event) in (0..).zip(journal).zip(events) {
            if let Some(what) = values::of_recalled(&event, number, journal) {
                wrong.push((None, Problem::Value, what));
            }
            if let StoredEvent::TakenUp { blueprint, holds, undoes_held, .. } = event {
                let Some(next) = self.graph(blueprint)? else { return Ok(None) };
                graph = next;
                later.insert(blueprint, next);
                life = ReplayedLife::new(holds.machine(graph, undoes_held));
                continue;
            }
            if matches!(
                event,
                StoredEvent::ShutDown
                    | StoredEvent::Given { .. }
                    | StoredEvent::Computed { .. }
                    | StoredEvent::Listed { .. }
                    | StoredEvent::NotBegun
                    | StoredEvent::LeftBehind { .. }
                    | StoredEvent::Kept { .. }
            ) {
                continue;
            }
            let heard = match event.event(graph) {
                None => Err("is a signal that the workflow does not have".to_owned()),
                Some(event) => {
                    wrong.extend(values::of_event(&life, &event, entry.value.as_ref(), self.in_clear));
                    life.hear(entry.at, event, &mut wrong)
                        .map_err(|refused| format!("does not follow from those before: {refused}"))
                }
            };
            for (step, problem, what) in wrong.drain(..) {
                self.report.find(self.stored, step, Some(entry.seq), problem, what);
            }
            if let Err(what) = heard {
                let what = format!("it {what}");
                self.report.find(self.stored, None, Some(entry.seq), Problem::Order, what);
                return Ok(None);
            }
        }
        // What people are shown of the run.
        match History::read(first, journal, &|hash| later.get(&hash).copied()) {
            Ok(history) => {
                self.note_suspected(&history);
                self.note_not_undone(&history);
            }
            Err(unreadable) => {
                let what = format!("it {}", unreadable.reason);
                self.report.find(self.stored, None, Some(unreadable.entry), Problem::Order, what);
            }
        }
        if let Some((step, problem, what)) = row::params(self.stored, graph, self.in_clear) {
            self.find((step, problem, what));
        }
        Ok(Some(life))
    }

    fn note_suspected(&mut self, history: &History) {
        let (run, workflow) = (&self.stored.id, &self.stored.workflow);
        let suspected = history.steps.iter().filter(|step| step.state == StepState::Suspected);
        self.report.suspected.extend(suspected.map(|step| Suspected {
            run: run.clone(),
            workflow: workflow.clone(),
            step: step.path.clone(),
            losses: step.losses,
        }));
    }

    fn note_not_undone(&mut self, history: &History) {
        let is_given_up = |path: &str| {
            let gave_up = |act: &OperatorAct| act.what == Operated::GaveUp;
            history.acts.iter().any(|act| gave_up(act) && act.step.as_deref() == Some(path))
        };
        let (run, workflow) = (&self.stored.id, &self.stored.workflow);
        let not_undone = history.not_undone.iter().filter(|step| !is_given_up(&step.path));
        self.report.not_undone.extend(not_undone.map(|step| Stands {
            run: run.clone(),
            workflow: workflow.clone(),
            step: step.clone(),
        }));
    }

    /// The graph of a blueprint, where it is known. What is wrong with it is
    /// noted.
    fn graph(&mut self, hash: u64) -> Result<Option<&'static Graph>, StoreError> {
        match self.graphs.find(self.store, &self.stored.workflow, hash)? {
            Known::Graph(graph) => return Ok(Some(graph)),
            Known::Wrong(what) => self.find((None, Problem::Blueprint, what)),
            Known::Nothing => self.report.not_followed.push(NotFollowed {
                run: self.stored.id.clone(),
                workflow: self.stored.workflow.clone(),
                blueprint: format!("{hash:016x}"),
            }),
        }
        Ok(None)
    }

    /// Compares what the journal says at its end with the row.
    fn compare(&mut self, life: &ReplayedLife, empty: bool) -> Result<(), StoreError> {
        if empty {
            // Created by a process that did not let it begin; the next engine
            // does.
            return Ok(());
        }
        let mut wrong: Vec<Wrong> = row::beside(self.stored, life).into_iter().collect();
        wrong.extend(life.left_open());
        if self.stored.end.is_none() && !life.state().is_ended() {
            wrong.extend(life.stuck());
            wrong.extend(sleep::examine(self.store, self.stored, life)?);
        }
        wrong.into_iter().for_each(|wrong| self.find(wrong));
        Ok(())
    }

    fn find(&mut self, (step, problem, what): Wrong) {
        self.report.find(self.stored, step, None, problem, what);
    }
}
