//! Reading a journal: life after life, each heard by a machine of its own.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use super::left::{Left, has_undo};
use super::life::{Heard, LifeReader};
use super::not_undone;
use super::story::{AttemptStory, Life, Operated, OperatorAct, Outcome, StepStory};
use super::{History, Unreadable, Why};
use crate::journal::{Holds, StoredEvent, StoredRecalled, signer};
use crate::lookup::static_path;
use crate::operation::By;
use crate::panics::contained;
use crate::run::{Event, Key, Machine, RunState, Timestamp};
use crate::store::StoredEntry;
use crate::task::definition::Graph;

/// Reads a journal.
pub(super) fn read(
    graph: &'static Graph,
    entries: &[StoredEntry],
    blueprint_of: &dyn Fn(u64) -> Option<&'static Graph>,
) -> Result<History, Unreadable> {
    let mut reading = Reading::new(graph, blueprint_of, false);
    entries.iter().try_for_each(|entry| reading.entry(entry))?;
    Ok(reading.end())
}

/// A journal that is read entry by entry.
pub(crate) struct Reading<'a> {
    reader: JournalReader<'a>,
    /// The number of the next entry.
    next: u64,
}

impl<'a> Reading<'a> {
    /// `folds`: whether the items of a `for` are only counted once they are
    /// done, so that a run of very many takes little memory. Of such a run it
    /// cannot be told then what is left of it for another life.
    pub(crate) fn new(
        graph: &'static Graph,
        blueprint_of: &'a dyn Fn(u64) -> Option<&'static Graph>,
        folds: bool,
    ) -> Self {
        Self { reader: JournalReader::new(graph, blueprint_of, folds), next: 0 }
    }

    pub(crate) fn entry(&mut self, entry: &StoredEntry) -> Result<(), Unreadable> {
        let number = self.next;
        self.next += 1;
        let of = |reason: String| Unreadable { entry: number, reason };
        if entry.seq != number {
            return Err(of("is missing".to_owned()));
        }
        // A machine holds nothing but numbers, so nothing is left half-done
        // that matters.
        let read = contained(|| self.reader.entry(entry));
        read.unwrap_or_else(|panic| Err(format!("cannot be followed: {panic}"))).map_err(of)
    }

    pub(crate) fn end(self) -> History {
        self.reader.end()
    }
}

impl<'a> JournalReader<'a> {
    fn new(
        graph: &'static Graph,
        blueprint_of: &'a dyn Fn(u64) -> Option<&'static Graph>,
        folds: bool,
    ) -> Self {
        Self {
            graph,
            blueprint_of,
            folds,
            life: None,
            lives: Vec::new(),
            earlier: Earlier::default(),
            left: Left::default(),
            kept: Vec::new(),
            acts: Vec::new(),
            paused: false,
            cancelled: false,
            resuming: false,
            shut_down: false,
            not_begun: false,
            process: None,
            last: Timestamp::default(),
        }
    }
}

struct JournalReader<'a> {
    /// Of the present life.
    graph: &'static Graph,
    blueprint_of: &'a dyn Fn(u64) -> Option<&'static Graph>,
    /// Whether the items of a `for` are only counted once they are done.
    folds: bool,
    life: Option<LifeReader>,
    lives: Vec<Life>,
    earlier: Earlier,
    left: Left,
    /// What an operator said is left, until it is known which graph it is for.
    kept: Vec<(String, StoredRecalled, Option<u64>, bool)>,
    acts: Vec<OperatorAct>,
    paused: bool,
    cancelled: bool,
    /// A life was begun, and its machine has heard nothing but that.
    resuming: bool,
    /// The last entry says that the engine was shut down.
    shut_down: bool,
    /// The last entry says that no open attempt has begun.
    not_begun: bool,
    /// Who writes.
    process: Option<u32>,
    last: Timestamp,
}

impl JournalReader<'_> {
    fn entry(&mut self, entry: &StoredEntry) -> Result<(), String> {
        let stored: StoredEvent =
            serde_json::from_str(&entry.event).map_err(|error| format!("cannot be read: {error}"))?;
        let by = by(&entry.event);
        self.last = entry.at;
        self.process = signer(&entry.event).or(self.process);
        match stored {
            StoredEvent::ShutDown => {
                self.shut_down = true;
                return Ok(());
            }
            StoredEvent::NotBegun => {
                self.not_begun = true;
                return Ok(());
            }
            StoredEvent::LeftBehind { .. } => {
                if let (Some(life), Some((key, epoch))) = (&mut self.life, stored.left()) {
                    life.left_behind(key, epoch);
                }
                return Ok(());
            }
            StoredEvent::Kept { path, recalled, held } => {
                let from = (recalled == StoredRecalled::Value && entry.value.is_some()).then_some(entry.seq);
                self.kept.push((path, recalled, from, held));
                return Ok(());
            }
            StoredEvent::Given { .. } | StoredEvent::Computed { .. } | StoredEvent::Listed { .. } => {
                return Ok(());
            }
            StoredEvent::TakenUp { why, blueprint, dropped, holds, undoes_held, .. } => {
                return self.take_up(entry, why, blueprint, (&dropped, holds, undoes_held), by);
            }
            _ => {}
        }
        (self.shut_down, self.not_begun) = (false, false);
        let from = match &stored {
            StoredEvent::Recalled { from, .. } => *from,
            _ => None,
        };
        let graph = self.graph;
        let Some(event) = stored.event(graph) else {
            return Err("is a signal that the workflow does not have".to_owned());
        };
        if self.life.is_none() {
            self.life = Some(LifeReader::new(Machine::new(graph), graph, self.folds));
            let begun = Life { at: entry.at, entry: entry.seq, why: None, blueprint: None, by: None };
            self.lives.push(begun);
        }
        let (seq, at, process) = (entry.seq, entry.at, self.process);
        let heard = Heard { seq, at, from, has_value: entry.value.is_some(), process };
        if let Some(life) = &mut self.life {
            life.hear(event.clone(), heard)?;
        }
        self.note(event, entry.at, by);
        Ok(())
    }

    /// The present life is over, and another one begins.
    fn take_up(
        &mut self,
        entry: &StoredEntry,
        why: Why,
        blueprint: u64,
        (dropped, holds, undoes_held): (&[String], Holds, bool),
        by: Option<By>,
    ) -> Result<(), String> {
        let graph = (self.blueprint_of)(blueprint).ok_or_else(|| {
            format!("takes the run up under a blueprint that is not there ({blueprint:016x})")
        })?;
        self.fold();
        self.graph = graph;
        self.keep(why == Why::Set);
        self.left.take_up(graph, dropped, holds);
        // Those that no step took come again in the new life.
        self.left.signals.clear();
        self.life = Some(LifeReader::new(holds.machine(graph, undoes_held), graph, self.folds));
        let (at, number) = (entry.at, entry.seq);
        self.lives.push(Life {
            at,
            entry: number,
            why: Some(why),
            blueprint: Some(blueprint),
            by: by.clone(),
        });
        if by.is_some() {
            self.acts.push(OperatorAct { at, what: Operated::TakenUp(why), step: None, by });
        }
        (self.paused, self.cancelled, self.resuming) = (false, false, true);
        (self.shut_down, self.not_begun) = (false, false);
        Ok(())
    }

    /// Ends the present life, and puts down what it leaves.
    fn fold(&mut self) {
        let Some(mut life) = self.life.take() else { return };
        let in_order = self.shut_down || self.not_begun;
        life.cut(self.last, if in_order { Outcome::Interrupted } else { Outcome::Lost });
        life.leave(&mut self.left, self.not_begun);
        self.earlier.take(life.stories(self.lives.len().saturating_sub(1)));
    }

    fn keep(&mut self, set: bool) {
        for (path, recalled, from, held) in std::mem::take(&mut self.kept) {
            let static_path = static_path(self.graph, &path);
            self.left.put(path.clone(), static_path, recalled, from, (false, has_undo(self.graph, &path)));
            if set {
                self.left.reopen(&path);
            }
            if set || held {
                self.left.hold(&path);
            }
        }
    }

    /// What operators did.
    fn note(&mut self, event: Event, at: Timestamp, by: Option<By>) {
        let (what, key): (_, Option<Key>) = match event {
            Event::Begun => return,
            // A run that was paused when it was taken up is told again.
            Event::Paused if std::mem::take(&mut self.resuming) && by.is_none() => {
                self.paused = true;
                return;
            }
            Event::Paused => (Operated::Paused, None),
            Event::Resumed { .. } => (Operated::Resumed, None),
            Event::CancelRequested => (Operated::Cancelled, None),
            Event::Set { key } => (Operated::Set, Some(key)),
            Event::RetryRequested { key } => (Operated::Retried, Some(key)),
            Event::UndoGivenUp { key } => (Operated::GaveUp, Some(key)),
            // Most come from other programs, which are no operators.
            Event::Signalled { signal, step } if by.is_some() => {
                let (name, key) = (signal.name.to_owned(), signal.key.map(|key| String::from(&*key)));
                (Operated::Signalled { name, key }, step)
            }
            _ => {
                self.resuming = false;
                return;
            }
        };
        self.resuming = false;
        match what {
            Operated::Paused => self.paused = true,
            Operated::Resumed => self.paused = false,
            Operated::Cancelled => self.cancelled = true,
            _ => {}
        }
        let step = key.and_then(|key| self.life.as_ref()?.path(key));
        self.acts.push(OperatorAct { at, what, step, by });
    }

    fn end(mut self) -> History {
        let number = self.lives.len().saturating_sub(1);
        let (mut state, mut error, mut ended_at, mut steps) = (RunState::Queued, None, None, Vec::new());
        if let Some(life) = &mut self.life {
            life.leave(&mut self.left, self.not_begun);
            if self.shut_down {
                life.cut(self.last, Outcome::Interrupted);
            }
            if self.not_begun {
                life.begin_nothing();
            }
            (state, error, ended_at) = (life.state(), life.error.take(), life.ended_at);
            steps = life.stories(number);
            self.graph = life.graph();
        }
        self.keep(false);
        let steps = self.earlier.before(steps);
        let not_undone = not_undone::of(self.graph, &self.left, &steps, (state, number));
        History {
            state,
            ended_at,
            error,
            steps,
            not_undone,
            acts: self.acts,
            lives: self.lives,
            paused: self.paused,
            cancelled: self.cancelled,
            left: self.left,
        }
    }
}

/// Who wanted what an entry tells, where that is kept.
fn by(event: &str) -> Option<By> {
    #[derive(Deserialize)]
    struct Wanted {
        #[serde(default)]
        by: Option<By>,
    }
    // Few events have any.
    if !event.contains("\"by\"") {
        return None;
    }
    serde_json::from_str::<Wanted>(event).ok()?.by
}

/// The steps of earlier lives.
#[derive(Default)]
struct Earlier {
    attempts: HashMap<String, Vec<AttemptStory>>,
    /// Those that were heard of, in order, as they were left.
    steps: Vec<StepStory>,
}

impl Earlier {
    fn take(&mut self, steps: Vec<StepStory>) {
        let steps = std::mem::take(self).before(steps);
        for step in &steps {
            if !step.attempts.is_empty() {
                self.attempts.insert(step.path.clone(), step.attempts.clone());
            }
        }
        self.steps = steps;
    }

    /// The steps of a life, with their attempts in those before it, and then
    /// those that it has not come to.
    fn before(mut self, mut steps: Vec<StepStory>) -> Vec<StepStory> {
        for step in &mut steps {
            if let Some(mut attempts) = self.attempts.remove(&step.path) {
                attempts.append(&mut step.attempts);
                step.attempts = attempts;
            }
        }
        let heard: HashSet<&str> = steps.iter().map(|step| &*step.path).collect();
        self.steps.retain(|step| !heard.contains(&*step.path));
        steps.append(&mut self.steps);
        steps
    }
}
