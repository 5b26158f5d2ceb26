//! What runs work with, handed on from those that have ended: a short run
//! would spend a third of its time on memory that is asked for and given back.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::frames::Frames;
use super::worker::Ready;
use crate::definition::Graph;
use crate::run::{Effects, Event, Machine};
use crate::task::Env;
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
        let spare = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
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
        if parts.is_small() {
            let mut spares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if spares.len() < MOST {
                spares.push(parts);
            }
        }
    }
}
