//! What something that is about to be done to a run makes of its steps. It is
//! done, by the code that does it, to a copy of the run that nobody hears of:
//! nothing of it is committed, so nothing runs. Then the copy is looked at.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::blueprint::{Place, Places};
use crate::engine::instance::{After, Inner, RunHost};
use crate::engine::recover::new_life::TakeUp;
use crate::error::Result;
use crate::history::History;
use crate::lookup::static_path;
use crate::run::{Action, Event, Key, RunState, StepState, Wait};
use crate::task::definition::{Graph, Kind, Step};

/// Whether what is done to a run begins another life, of it or of a run that is
/// made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Same,
    Another,
}

impl TakeUp {
    /// For a copy that is only looked at: it comes as far as it can.
    pub(crate) fn for_looks(mut self) -> Self {
        (self.paused, self.opens_all) = (false, true);
        self
    }
}

/// What becomes of the steps of a run once `happens` has happened to a copy of
/// it. `past` is the story of the run until then.
pub(crate) fn places(
    copy: &Arc<RunHost>,
    past: &History,
    life: Life,
    happens: impl FnOnce(&mut Inner, &mut After) -> Result<()>,
) -> Result<Places> {
    let mut after = Box::<After>::default();
    let mut ended = HashSet::new();
    let places = {
        let mut inner = copy.lock();
        inner.run.log.holds = false;
        happens(&mut inner, &mut after).map(|()| {
            note_ended(&mut after, &mut ended);
            copy.open_all(&mut inner, &mut after, &mut ended);
            Look::at(copy.graph, &inner, past, life, ended).places()
        })
    };
    after.garbage.into_iter().for_each(crate::panics::discard);
    after.rare.map(|rare| rare.values).into_iter().flatten().for_each(crate::panics::discard);
    places
}

/// Notes the paths of steps in regions that have ended.
fn note_ended(after: &mut After, ended: &mut HashSet<String>) {
    for frame in after.garbage.drain(..) {
        let steps = (0..).zip(frame.scope.region.steps).filter(|(_, step)| keeps(step));
        ended.extend(steps.map(|(number, _)| frame.scope.path(number)));
        crate::panics::discard(frame);
    }
}

impl RunHost {
    /// Opens every item that may be open.
    fn open_all(self: &Arc<Self>, inner: &mut Inner, after: &mut After, ended: &mut HashSet<String>) {
        let is_more = |action: &mut Action| matches!(action, Action::OpenMore { .. });
        loop {
            let more: Vec<Action> = inner.uncommitted.actions.extract_if(.., is_more).collect();
            if more.is_empty() {
                return;
            }
            for action in more {
                let Action::OpenMore { key } = action else { continue };
                self.handle(inner, after, Event::MoreWanted { key }, None);
                // Nobody is told of them.
                inner.uncommitted.entries.clear();
                note_ended(after, ended);
            }
        }
    }
}

/// A copy to which something has happened.
struct Look<'a> {
    graph: &'static Graph,
    inner: &'a Inner,
    past: &'a History,
    life: Life,
    /// The paths of steps that run anew, where another life has begun.
    anew: HashSet<String>,
    /// Those of steps whose regions have ended: nothing ran in them, so all that
    /// they came to was kept.
    ended: HashSet<String>,
}

impl<'a> Look<'a> {
    fn at(
        graph: &'static Graph,
        inner: &'a Inner,
        past: &'a History,
        life: Life,
        ended: HashSet<String>,
    ) -> Self {
        let machine = &inner.run.machine;
        let anew = match life {
            Life::Same => HashSet::new(),
            Life::Another => machine.anew().into_iter().filter_map(|key| machine.path(key)).collect(),
        };
        Self { graph, inner, past, life, anew, ended }
    }

    fn places(&self) -> Places {
        let machine = &self.inner.run.machine;
        let mut places = Places::default();
        let undone: BTreeSet<Key> = machine.to_be_undone().into_iter().collect();
        // Many items are in the same region.
        let mut fixed: HashMap<String, String> = HashMap::new();
        let mut static_of = |path: &str| match self.past.left.steps.get(path) {
            Some(left) => left.static_path.clone(),
            None => fixed.entry(path.to_owned()).or_insert_with(|| static_path(self.graph, path)).clone(),
        };
        for view in machine.steps() {
            let Some(path) = machine.path(view.key) else { continue };
            let fixed = static_of(&path);
            let standing = places.open.entry(fixed.clone()).or_default();
            standing.waits |= is_before(view.state);
            standing.runs |= !is_before(view.state) && !view.state.is_ended();
            if !keeps(view.step) {
                continue;
            }
            let place = match undone.contains(&view.key) {
                true => Some(Place::Undone),
                false => self.of_open(&path, view.state),
            };
            // One that is known of and not come to any more is not told.
            if let Some(place) = place {
                places.steps.insert(path, (fixed, place));
            } else {
                places.unreached.insert(path);
            }
        }
        // An operator may have settled one that the run has never come to.
        let leftovers = self.inner.run.leftovers.as_deref();
        let settled = leftovers.into_iter().flat_map(|leftovers| leftovers.paths());
        let past = self.past.left.steps.iter().filter(|(_, left)| left.is_kept() || left.undone > 0);
        for path in past.map(|(path, _)| &**path).chain(settled.filter(|path| self.is_left(path))) {
            if !places.unreached.contains(path) && !places.steps.contains_key(path) {
                places.steps.insert(path.to_owned(), (static_of(path), self.of_closed(path)));
            }
        }
        places
    }

    /// What becomes of a step of a region that is open.
    fn of_open(&self, path: &str, state: StepState) -> Option<Place> {
        match state {
            _ if is_before(state) => Some(if self.is_left(path) { Place::Kept } else { self.runs(path) }),
            StepState::Succeeded { .. } | StepState::Failed | StepState::OutcomeUnknown => Some(Place::Kept),
            StepState::Undoing | StepState::Undone => Some(Place::Undone),
            StepState::Skipped | StepState::UpstreamFailed | StepState::Cancelled => None,
            StepState::Running | StepState::Waiting(_) | StepState::Suspected => Some(self.runs(path)),
        }
    }

    /// What becomes of one whose region has not opened yet, or has closed.
    fn of_closed(&self, path: &str) -> Place {
        match self.life {
            _ if self.is_left(path) => Place::Kept,
            // It stays undone.
            Life::Same if self.is_taken_back() => Place::Undone,
            _ => self.runs(path),
        }
    }

    fn is_taken_back(&self) -> bool {
        matches!(self.inner.run.machine.run_state(), RunState::Undoing | RunState::Cancelling)
    }

    /// Whether the result of a step is kept, should the run come to it.
    fn is_left(&self, path: &str) -> bool {
        let left = self.past.left.steps.get(path);
        match self.life {
            Life::Same => left.is_some_and(|left| left.is_kept()),
            Life::Another => {
                let leftovers = self.inner.run.leftovers.as_deref();
                let all = self.ended.contains(path) || !self.runs_anew(path);
                leftovers.is_some_and(|leftovers| leftovers.keeps(path, all))
            }
        }
    }

    /// Whether a step, or something that it lies in, runs anew.
    fn runs_anew(&self, path: &str) -> bool {
        let ends = path.match_indices(['/', '[']).map(|(end, _)| end).chain([path.len()]);
        ends.into_iter().any(|end| self.anew.contains(&path[..end]))
    }

    fn runs(&self, path: &str) -> Place {
        match self.past.left.steps.get(path) {
            Some(left) if left.is_kept() => Place::Again { done: left.is_done() },
            Some(left) if left.undone > 0 => Place::AgainAfterUndo,
            _ => Place::Runs,
        }
    }
}

/// Whether a step has not begun.
fn is_before(state: StepState) -> bool {
    matches!(state, StepState::Waiting(Wait::Dependencies | Wait::Paused))
}

/// Whether runs keep a result of the step itself.
fn keeps(step: &Step) -> bool {
    match step.kind {
        Kind::Task(task) => task.task.child.is_none(),
        Kind::Signal { .. } | Kind::Sleep(_) => true,
        _ => false,
    }
}
