//! The values of a run: what the slots of its open frames hold, and what the
//! steps that open regions collect on the way.

use std::sync::Arc;

use crate::execution::log::StepProgress;
use crate::run::{FrameId, Key};
use crate::task::definition::Step;
use crate::task::once::Onces;
use crate::task::place::Scope;
use crate::value::Value;

/// One open frame.
pub(crate) struct Frame {
    pub(crate) id: FrameId,
    /// The step that opened it.
    pub(crate) parent: Option<Key>,
    pub(crate) scope: Arc<Scope>,
    pub(crate) slots: Vec<Value>,
    /// Its number in the log of changes, once there was one.
    pub(crate) in_log: Option<u32>,
    /// What steps that open regions, or may be undone, keep meanwhile. A list:
    /// few steps of a region have an entry, and each only while it runs.
    kept: Vec<(u16, Kept)>,
    /// What steps were given at first, where that is kept.
    given: Vec<(u16, Arc<[u8]>)>,
    /// The names that are computed once, of the frame and around it.
    pub(crate) onces: Option<Arc<Onces>>,
    /// How far the attempts of steps say they are.
    pub(crate) progress: StepProgress,
}

/// What a step keeps until its end.
pub(crate) enum Kept {
    /// A child workflow's parameters.
    Params(Vec<Value>),
    /// A `for`: the items not yet handed out and the results so far.
    Items {
        /// In order; taken when their frame opens.
        items: Vec<Value>,
        /// In the order of the items.
        results: Vec<Value>,
        /// In which order they are handed on, where that is another one.
        order: Vec<u32>,
    },
    /// A `while`: the loop variables, after the last turn.
    Turn(Vec<Value>),
    /// A `select!`: what the steps of its race produced, by arm.
    Race(FrameId),
    /// An `if`, `match` or `select!`: the value of its arm.
    Chosen(Value),
    /// The plain output of a step that may be undone; its slot may hold a
    /// `Result` instead, or nothing any more.
    Output(Value),
}

impl Frame {
    pub(crate) fn new(id: FrameId, parent: Option<Key>, scope: Arc<Scope>, mut slots: Vec<Value>) -> Self {
        slots.resize(usize::from(scope.region.slots).max(slots.len()), Value::ABSENT);
        Self {
            id,
            parent,
            scope,
            slots,
            in_log: None,
            kept: Vec::new(),
            given: Vec::new(),
            onces: None,
            progress: StepProgress::default(),
        }
    }

    /// Whether a slot has no value, or none yet.
    pub(crate) fn is_absent(&self, slot: u16) -> bool {
        self.slots.get(usize::from(slot)).is_none_or(Value::is_absent)
    }

    pub(crate) fn read(&self, slot: u16) -> Value {
        self.slots.get(usize::from(slot)).map_or(Value::ABSENT, Value::clone)
    }

    /// Shares the values of some slots.
    pub(crate) fn read_all(&self, slots: &[u16]) -> impl Iterator<Item = Value> {
        slots.iter().map(|slot| self.read(*slot))
    }

    /// Takes the values out of some slots.
    pub(crate) fn take_all(&mut self, slots: &[u16]) -> impl Iterator<Item = Value> {
        slots.iter().map(|slot| self.slots.get_mut(usize::from(*slot)).map_or(Value::ABSENT, Value::take))
    }

    #[inline]
    pub(crate) fn put(&mut self, slot: u16, value: Value) {
        if let Some(slot) = self.slots.get_mut(usize::from(slot)) {
            *slot = value;
        }
    }

    pub(crate) fn kept(&self, step: u16) -> Option<&Kept> {
        self.kept.iter().find(|(of, _)| *of == step).map(|(_, kept)| kept)
    }

    pub(crate) fn kept_mut(&mut self, step: u16) -> Option<&mut Kept> {
        self.kept.iter_mut().find(|(of, _)| *of == step).map(|(_, kept)| kept)
    }

    pub(crate) fn keep(&mut self, step: u16, value: Kept) {
        match self.kept_mut(step) {
            Some(kept) => *kept = value,
            None => self.kept.push((step, value)),
        }
    }

    /// The arguments of a step as they were written down.
    pub(crate) fn given(&self, step: u16) -> Option<&[u8]> {
        self.given.iter().find(|(of, _)| *of == step).map(|(_, given)| &**given)
    }

    pub(crate) fn give(&mut self, step: u16, arguments: Arc<[u8]>) {
        self.given.retain(|(of, _)| *of != step);
        self.given.push((step, arguments));
    }

    /// The plain output of a step that may be undone.
    pub(crate) fn output(&self, step: u16) -> Option<Value> {
        match self.kept(step) {
            Some(Kept::Output(value)) => Some(value.clone()),
            _ => None,
        }
    }

    pub(crate) fn release(&mut self, step: u16) -> Option<Kept> {
        let place = self.kept.iter().position(|(of, _)| *of == step)?;
        Some(self.kept.swap_remove(place).1)
    }
}

/// The open frames of a run.
#[derive(Default)]
pub(crate) struct Frames(Vec<Option<Frame>>);

impl Frames {
    pub(crate) fn get(&self, id: FrameId) -> Option<&Frame> {
        self.0.get(id.index as usize)?.as_ref().filter(|frame| frame.id == id)
    }

    pub(crate) fn get_mut(&mut self, id: FrameId) -> Option<&mut Frame> {
        self.0.get_mut(id.index as usize)?.as_mut().filter(|frame| frame.id == id)
    }

    pub(crate) fn insert(&mut self, id: FrameId, frame: Frame) -> Option<Frame> {
        let index = id.index as usize;
        if self.0.len() <= index {
            self.0.resize_with(index + 1, || None);
        }
        self.0[index].replace(frame)
    }

    pub(crate) fn remove(&mut self, id: FrameId) -> Option<Frame> {
        self.get(id)?;
        self.0[id.index as usize].take()
    }

    pub(crate) fn step(&self, key: Key) -> Option<(&Frame, &'static Step)> {
        let frame = self.get(key.frame)?;
        Some((frame, frame.scope.step(key.step)?))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Frame> {
        self.0.iter().flatten()
    }

    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = Frame> + '_ {
        self.0.drain(..).flatten()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.0.capacity()
    }
}
