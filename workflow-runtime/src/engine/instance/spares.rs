//! What runs work with, handed on from those that have ended: a short run
//! would spend a third of its time on memory that is asked for and given back.

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::engine::attempts::Ready;
use crate::execution;
use crate::run::Effects;
use crate::task::definition::Graph;

/// How many runs' parts are kept: as many as usually end while others begin.
const MOST: usize = 64;

/// How many places the parts of a run may have: those of a large run are too
/// much to keep for a small one.
const LARGEST: usize = 256;

/// What a run works with while it goes on, and what of it is ready.
pub(crate) struct Parts {
    pub(crate) run: execution::Parts,
    pub(crate) ready: VecDeque<Ready>,
}

impl Parts {
    /// Of a run that has not begun.
    pub(crate) fn new(graph: &'static Graph) -> Self {
        Self { run: execution::Parts::new(graph), ready: VecDeque::new() }
    }

    fn is_small(&self) -> bool {
        let Effects { actions, changes, .. } = &self.run.effects;
        self.run.machine.capacity() <= LARGEST
            && self.run.frames.capacity() <= LARGEST
            && actions.capacity().max(changes.capacity()) <= LARGEST
            && self.run.answers.capacity().max(self.ready.capacity()) <= LARGEST
    }
}

/// The parts of runs that have ended.
#[derive(Default)]
pub(crate) struct Spares(Mutex<Vec<Parts>>);

impl Spares {
    /// The parts for a run that begins.
    pub(crate) fn take(&self, graph: &'static Graph) -> Parts {
        // Not worth waiting for.
        let spare = self.0.try_lock().ok().and_then(|mut spares| spares.pop());
        let Some(mut parts) = spare else { return Parts::new(graph) };
        parts.run.machine.reset(graph);
        parts
    }

    /// The parts of a run that has ended.
    pub(crate) fn give(&self, mut parts: Parts) {
        parts.run.effects.actions.clear();
        parts.run.effects.changes.clear();
        parts.run.answers.clear();
        parts.ready.clear();
        parts.run.lent.clear();
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
    use crate::run::{Event, FrameId, Key, RunState, Timestamp};
    use crate::value::Value;

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
        parts.run.machine.apply(Timestamp(1), Event::Begun, &mut parts.run.effects).unwrap();
        parts.run.answers.push_back((Event::Paused, Some(Value::new(7))));
        assert!(!parts.run.effects.actions.is_empty());
        spares.give(parts);
        let parts = spares.take(GRAPH);
        assert!(parts.run.effects.actions.capacity() > 0, "it is the same memory");
        assert!(parts.run.effects.actions.is_empty() && parts.run.effects.changes.is_empty());
        assert!(parts.run.answers.is_empty() && parts.ready.is_empty());
        assert_eq!(parts.run.machine.run_state(), RunState::Queued);
        assert_eq!(parts.run.machine.state(Key { frame: FrameId::ROOT, step: 0 }), None);
    }

    #[test]
    fn a_large_run_leaves_nothing() {
        let spares = Spares::default();
        let mut parts = spares.take(GRAPH);
        parts.run.answers.reserve(2 * LARGEST);
        spares.give(parts);
        assert_eq!(spares.take(GRAPH).run.answers.capacity(), 0);
    }
}
