//! One life of a run: from its start, or from where it was taken up again, to
//! the next time that it was.

use std::collections::HashMap;

use super::finding::Problem;
use super::under_way::UnderWay;
use crate::run::{
    Change, Effects, Event, Key, Machine, Refused, RunState, StepState, StepView, Timestamp, Wait,
};
use crate::task::definition::Kind;

/// Something wrong, and with which step.
pub(super) type Wrong = (Option<String>, Problem, String);

/// A machine that hears what a run has heard, and what it has decided.
pub(super) struct ReplayedLife {
    pub(super) machine: Machine,
    pub(super) under_way: UnderWay,
    effects: Effects,
    /// Steps that do not wait for others any more. Those of regions that have
    /// been closed are kept, to notice that one comes back.
    states: HashMap<Key, StepState>,
}

impl ReplayedLife {
    /// The first one, or one that asks what is left of those before.
    pub(super) fn new(machine: Machine) -> Self {
        let effects = Effects { observed: true, ..Effects::default() };
        Self { machine, under_way: UnderWay::default(), effects, states: HashMap::new() }
    }

    /// Hears an event, and looks at what follows from it.
    pub(super) fn hear(
        &mut self,
        at: Timestamp,
        event: Event,
        wrong: &mut Vec<Wrong>,
    ) -> Result<(), Refused> {
        self.effects.actions.clear();
        self.effects.changes.clear();
        let heard = event.clone();
        self.machine.apply(at, event, &mut self.effects)?;
        self.under_way.hear(&heard);
        for change in std::mem::take(&mut self.effects.changes) {
            if let Change::Step { key, state, .. } = change {
                let before = self.states.insert(key, state).unwrap_or(NOT_BEGUN);
                wrong.extend(self.changed(key, before, state));
            }
        }
        for action in std::mem::take(&mut self.effects.actions) {
            if let Some(what) = self.under_way.take(&action) {
                let step = attempted(&action).and_then(|key| self.machine.path(key));
                wrong.push((step, Problem::Attempts, what));
            }
        }
        Ok(())
    }

    fn changed(&self, key: Key, before: StepState, state: StepState) -> Option<Wrong> {
        let path = || self.machine.path(key);
        let succeeded = |state| matches!(state, StepState::Succeeded { .. });
        let is_undo = succeeded(before) && matches!(state, StepState::Undoing | StepState::Undone);
        // What is not known can still be found out.
        if before.is_ended() && before != StepState::OutcomeUnknown && !is_undo {
            let what = if succeeded(before) && succeeded(state) {
                "it succeeded twice".to_owned()
            } else {
                format!("it had ended ({before}), and became: {state}")
            };
            return Some((path(), Problem::Repeated, what));
        }
        if state != StepState::Running {
            return None;
        }
        let needs = self.machine.step(key)?.needs.iter();
        let open = needs.map(|step| Key { step: *step, ..key }).find(|need| !self.has_ended(*need))?;
        let what = format!("it started, and `{}` had not ended", self.machine.path(open).unwrap_or_default());
        Some((path(), Problem::StartedEarly, what))
    }

    fn has_ended(&self, key: Key) -> bool {
        self.states.get(&key).is_some_and(|state| state.is_ended())
    }

    /// The steps that will not go on by themselves, and do not wait for an
    /// operator.
    pub(super) fn stuck(&self) -> Vec<Wrong> {
        let open = || self.machine.steps().filter(|view| !view.state.is_ended());
        let stuck = open().filter_map(|view| {
            let lacks = self.lacks(&view)?;
            Some((self.machine.path(view.key), Problem::Stuck, format!("it is {}, and {lacks}", view.state)))
        });
        let mut stuck: Vec<Wrong> = stuck.collect();
        let waits_for_somebody = self.machine.is_paused()
            || self.machine.steps().any(|view| view.state == StepState::OutcomeUnknown);
        if open().next().is_none() && !self.under_way.is_any() && !waits_for_somebody {
            let what = "every step has ended, and the run has not".to_owned();
            stuck.push((None, Problem::Stuck, what));
        }
        stuck
    }

    /// What an unfinished step would need to go on, and does not have.
    fn lacks(&self, view: &StepView<'_>) -> Option<&'static str> {
        let key = view.key;
        if self.under_way.is_asked(key) {
            return None;
        }
        let unless = |there: bool, lacks| (!there).then_some(lacks);
        let is_task = matches!(view.step.kind, Kind::Task(task) if task.task.child.is_none());
        match view.state {
            StepState::Waiting(Wait::Dependencies) => {
                unless(self.awaits_others(view), "every step that it uses has ended")
            }
            StepState::Waiting(Wait::Slot | Wait::Turn) => {
                unless(self.under_way.has_request(key), "nobody was asked for one")
            }
            StepState::Waiting(Wait::Signal { until: None }) => None,
            StepState::Waiting(Wait::Timer { .. } | Wait::Signal { .. } | Wait::Backoff { .. }) => {
                unless(self.under_way.timer(key).is_some(), "its time will not come")
            }
            StepState::Waiting(Wait::Paused) => unless(self.machine.is_paused(), "the run is not paused"),
            StepState::Running if is_task => {
                unless(self.under_way.has_attempt(key), "no attempt of it is under way")
            }
            StepState::Running => unless(self.has_frames(key), "no region of it is open"),
            StepState::Undoing if is_task => {
                let there = self.under_way.has_attempt(key)
                    || self.under_way.has_request(key)
                    || self.under_way.timer(key).is_some();
                unless(there, "no attempt to undo it is under way")
            }
            _ => None,
        }
    }

    /// Whether something that the step waits for has not ended.
    fn awaits_others(&self, view: &StepView<'_>) -> bool {
        let frame = view.key.frame;
        let is_open = |step: u16| {
            self.machine.state(Key { frame, step }).is_some_and(|state| {
                // It is not known yet whether it is over.
                !state.is_ended() || state == StepState::OutcomeUnknown
            })
        };
        if view.step.needs.iter().any(|need| is_open(*need)) {
            return true;
        }
        if !view.step.always {
            return false;
        }
        // They wait for all others of their region, and for what is undone
        // before them.
        if self.machine.steps().any(|view| view.state == StepState::Undoing) {
            return true;
        }
        let steps = self.machine.region_of(frame).map_or(&[][..], |region| region.steps);
        (0..).zip(steps).any(|(number, step)| !step.always && is_open(number))
    }

    /// Whether a region of the step is open, or was just closed.
    fn has_frames(&self, key: Key) -> bool {
        self.machine.frames().any(|frame| {
            self.under_way.is_yielding(frame)
                || self.machine.frame_parent(frame).is_some_and(|parent| parent.key == key)
        })
    }

    /// The steps of a run that has ended, and have not.
    pub(super) fn left_open(&self) -> impl Iterator<Item = Wrong> {
        let ended = self.machine.run_state().is_ended();
        let open = self.machine.steps().filter(move |view| ended && !view.state.is_ended());
        open.map(|view| {
            let what = format!("the run has ended, and it is {}", view.state);
            (self.machine.path(view.key), Problem::LeftOpen, what)
        })
    }

    /// When the first of the waits of an unfinished run is over.
    pub(super) fn first_timer(&self) -> Option<Timestamp> {
        // What is unknown may be about to be found out.
        let waiting = self.machine.steps().filter(|view| !view.state.is_ended() || view.unresolved);
        waiting.filter_map(|view| self.under_way.timer(view.key)).min()
    }

    pub(super) fn suspected(&self) -> u32 {
        self.machine.suspected()
    }

    pub(super) fn state(&self) -> RunState {
        self.machine.run_state()
    }
}

/// How a step is when its region opens.
const NOT_BEGUN: StepState = StepState::Waiting(Wait::Dependencies);

fn attempted(action: &crate::run::Action) -> Option<Key> {
    use crate::run::Action;
    match *action {
        Action::Start { key, .. } | Action::Undo { key, .. } | Action::Reconcile { key, .. } => Some(key),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::blueprint::Blueprint;
    use crate::run::FrameId;

    const A: Key = Key { frame: FrameId::ROOT, step: 0 };
    const B: Key = Key { frame: FrameId::ROOT, step: 1 };
    const DONE: StepState = StepState::Succeeded { cached: false };

    /// A run of `w`, whose step `b` needs `a`, which has begun.
    fn begun() -> ReplayedLife {
        let step = |name: &str, needs: &[u16]| {
            let task = json!({ "task": { "task": { "name": name, "version": 1 } } });
            json!({ "name": name, "needs": needs, "kind": task, "fingerprint": "0" })
        };
        let regions = json!([{ "steps": [step("a", &[]), step("b", &[0])] }]);
        let workflow = json!({ "name": "w", "fingerprint": "0", "regions": regions });
        let blueprint = json!({ "format": 1, "workflows": [workflow] }).to_string();
        let mut life = ReplayedLife::new(Machine::new(Blueprint::parse(&blueprint).unwrap().graph()));
        let mut wrong = Vec::new();
        life.hear(Timestamp(1), Event::Begun, &mut wrong).unwrap();
        assert_eq!(wrong, []);
        life
    }

    fn what(wrong: Option<Wrong>) -> (String, Problem, String) {
        let (step, problem, what) = wrong.unwrap();
        (step.unwrap(), problem, what)
    }

    #[test]
    fn what_starts_before_its_needs_have_ended_is_noticed() {
        let mut life = begun();
        let expected = ("w/b".to_owned(), Problem::StartedEarly);
        let (step, problem, words) = what(life.changed(B, NOT_BEGUN, StepState::Running));
        assert_eq!((step, problem), expected);
        assert_eq!(words, "it started, and `w/a` had not ended");
        life.states.insert(A, DONE);
        assert_eq!(life.changed(B, NOT_BEGUN, StepState::Running), None);
    }

    #[test]
    fn what_ends_twice_is_noticed() {
        let life = begun();
        let (_, problem, words) = what(life.changed(A, DONE, DONE));
        assert_eq!((problem, words.as_str()), (Problem::Repeated, "it succeeded twice"));
        let (_, problem, words) = what(life.changed(A, StepState::Failed, StepState::Running));
        assert_eq!(
            (problem, words.as_str()),
            (Problem::Repeated, "it had ended (failed), and became: running")
        );
        assert_eq!(life.changed(A, DONE, StepState::Undoing), None);
        assert_eq!(life.changed(A, StepState::OutcomeUnknown, DONE), None);
    }

    #[test]
    fn what_nothing_will_happen_to_is_noticed() {
        let mut life = begun();
        assert_eq!(life.stuck(), []);
        life.under_way = UnderWay::default();
        let stuck = what(life.stuck().pop());
        assert_eq!((stuck.0.as_str(), stuck.1), ("w/a", Problem::Stuck));
        assert_eq!(stuck.2, "it is running, and no attempt of it is under way");
    }
}
