//! What runs work with, handed on from those that have ended: a short run
//! would spend a third of its time on memory that is asked for and given back.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::worker::Ready;
use crate::execution::frames::Frames;
use crate::run::{Effects, Event, Machine};
use crate::task::Env;
use crate::task::definition::Graph;
use crate::value::Value;

/// How many runs' parts are kept: as many as usually end while others begin.
const MOST: usize = 64;

/// How many places the parts of a run may have: those of a large run are too
/// much to keep for a small one.
const LARGEST: usize = 256;

/// What a run works with while it goes on. Empty between events, but for the
/// machine, the frames and what is ready.
pub(crate) struct Parts {
    pub(super) machine: Machine,
    pub(super) effects: Effects,
    /// What performing actions gave the machine to hear next.
    pub(super) answers: VecDeque<(Event, Option<Value>)>,
    pub(super) frames: Frames,
    pub(super) ready: VecDeque<Ready>,
    /// For the values that an expression reads, while it is evaluated.
    pub(super) lent: Env,
}

impl Parts {
    /// Of a run that has not begun.
    pub(super) fn new(graph: &'static Graph) -> Self {
        Self {
            machine: Machine::new(graph),
            effects: Effects::default(),
            answers: VecDeque::new(),
            frames: Frames::default(),
            ready: VecDeque::new(),
            lent: Env::plain(),
        }
    }

    fn is_small(&self) -> bool {
        let Effects { actions, changes, .. } = &self.effects;
        self.machine.capacity() <= LARGEST
            && self.frames.capacity() <= LARGEST
            && actions.capacity().max(changes.capacity()) <= LARGEST
            && self.answers.capacity().max(self.ready.capacity()) <= LARGEST
    }
}

/// The parts of runs that have ended.
#[derive(Default)]
pub(crate) struct Spares(Mutex<Vec<Parts>>);

impl Spares {
    /// The parts for a run that begins.
    pub(super) fn take(&self, graph: &'static Graph) -> Parts {
        // Not worth waiting for.
        let spare = self.0.try_lock().ok().and_then(|mut spares| spares.pop());
        let Some(mut parts) = spare else { return Parts::new(graph) };
        parts.machine.reset(graph);
        parts
    }

    /// The parts of a run that has ended.
    pub(super) fn give(&self, mut parts: Parts) {
        parts.effects.actions.clear();
        parts.effects.changes.clear();
        parts.answers.clear();
        parts.ready.clear();
        parts.lent.clear();
        if parts.is_small()
            && let Ok(mut spares) = self.0.try_lock()
            && spares.len() < MOST
        {
            spares.push(parts);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{FrameId, Key, RunState, Timestamp};

    #[crate::task]
    async fn one() -> u64 {
        1
    }

    crate::workflow! {
        fn single() -> Result<u64> {
            let only = one();
            Ok(only)
        }
    }

    const GRAPH: &Graph = single::GRAPH;

    #[test]
    fn what_a_run_leaves_to_the_next_is_empty() {
        let spares = Spares::default();
        let mut parts = spares.take(GRAPH);
        parts.machine.apply(Timestamp(1), Event::Begun, &mut parts.effects).unwrap();
        parts.answers.push_back((Event::Paused, Some(Value::new(7))));
        assert!(!parts.effects.actions.is_empty());
        spares.give(parts);
        let parts = spares.take(GRAPH);
        assert!(parts.effects.actions.capacity() > 0, "it is the same memory");
        assert!(parts.effects.actions.is_empty() && parts.effects.changes.is_empty());
        assert!(parts.answers.is_empty() && parts.ready.is_empty());
        assert_eq!(parts.machine.run_state(), RunState::Queued);
        assert_eq!(parts.machine.state(Key { frame: FrameId::ROOT, step: 0 }), None);
    }

    #[test]
    fn a_large_run_leaves_nothing() {
        let spares = Spares::default();
        let mut parts = spares.take(GRAPH);
        parts.answers.reserve(2 * LARGEST);
        spares.give(parts);
        assert_eq!(spares.take(GRAPH).answers.capacity(), 0);
    }
}
