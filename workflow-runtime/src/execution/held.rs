//! What a life holds and has not come to, as its undo needs it: the values of
//! the steps, and of what they were given.

use std::sync::Arc;

use super::Execution;
use super::frames::Kept;
use super::kept::param_codecs;
use super::leftovers::{Leftover, read};
use super::values::{child_params, eval};
use crate::failure::{Cause, Failure};
use crate::journal::StoredRecalled;
use crate::lookup::step_below;
use crate::run::{FrameId, HeldStep, Key};
use crate::task::context::Host;
use crate::task::definition::Kind;
use crate::value::Value;

impl Execution {
    /// The finished steps of a workflow that are held, have an undo and were
    /// not asked for, in the order in which they finished.
    pub(crate) fn held_below(&mut self, body: FrameId) -> Vec<HeldStep> {
        let (Some(leftovers), Some(frame)) = (&mut self.leftovers, self.frames.get(body)) else {
            return Vec::new();
        };
        let (graph, place) = (frame.scope.graph, frame.scope.value_path());
        let is_left = |left: &Leftover| left.held && !left.met && left.recalled == StoredRecalled::Value;
        let mut found: Vec<_> = leftovers
            .steps
            .iter_mut()
            .filter(|(_, left)| is_left(left))
            .filter_map(|(path, left)| {
                let step = step_below(graph, path.strip_prefix(&place)?)?;
                left.met = true;
                Some((left.from, path.as_str(), step))
            })
            .collect();
        found.sort_unstable_by(|(from, path, _), (other, than, _)| (from, path).cmp(&(other, than)));
        found.into_iter().map(|(.., step)| step).collect()
    }

    /// The paths of finished steps with an undo that this life has not come to
    /// when it ends: what they did stands.
    pub(crate) fn not_come_to(&self) -> impl Iterator<Item = &str> {
        let left = self.leftovers.iter().flat_map(|left| &left.steps);
        left.filter(|(_, left)| is_value(left) && left.undoable && !left.met).map(|(path, _)| &**path)
    }

    /// Puts in place what is left of a step that is undone next.
    pub(crate) fn restore_for_undo(&mut self, key: Key) {
        let (Some(leftovers), Some(frame)) = (&mut self.leftovers, self.frames.get_mut(key.frame)) else {
            return;
        };
        let path = frame.scope.path(key.step);
        let (Some(left), Some(step)) = (leftovers.steps.get(&path), frame.scope.step(key.step)) else {
            return;
        };
        match read(&path, step, left.value.as_ref()) {
            Ok(value) => frame.put_output(step, key.step, value),
            Err(reason) => _ = leftovers.unreadable.get_or_insert(reason),
        }
    }

    /// Puts in place what a step was given that is undone next. A life that
    /// has not come to what is before the step has only what is left of that.
    /// Says where something is missing.
    pub(crate) fn give_for_undo(&mut self, key: Key) -> Result<(), Failure> {
        let Some((frame, step)) = self.frames.step(key) else { return Ok(()) };
        let Kind::Task(task) = &step.kind else { return Ok(()) };
        let is_missing = || task.reads.iter().chain(task.moves).any(|slot| frame.is_absent(*slot));
        let Some(leftovers) = self.leftovers.as_ref().filter(|_| frame.given(key.step).is_none()) else {
            return Ok(());
        };
        if !is_missing() {
            return Ok(());
        }
        if let Some(arguments) = leftovers.kept.arguments_for_undo(&frame.scope.path(key.step)) {
            let arguments = arguments.bytes.as_slice().into();
            if let Some(frame) = self.frames.get_mut(key.frame) {
                frame.give(key.step, arguments);
            }
            return Ok(());
        }
        self.fill(key.frame);
        let Some(frame) = self.frames.get(key.frame) else { return Ok(()) };
        if task.reads.iter().chain(task.moves).any(|slot| frame.is_absent(*slot)) {
            let reason = "cannot be undone: what it was called with is not known any more, since the run has \
                          changed and did not come to it again; undo it by hand";
            return Err(Failure::new(Cause::Fatal, reason));
        }
        Ok(())
    }

    /// An item of a `for` that is opened for an undo alone: as it was listed
    /// before, or else as it is listed now, which an adoption has made sure of.
    pub(super) fn item_for_undo(&mut self, key: Key, index: u32) -> Option<Value> {
        let Self { frames, leftovers, lent, .. } = self;
        let (frame, step) = frames.step(key)?;
        let Kind::Map { items, .. } = &step.kind else { return None };
        let path = frame.scope.path(key.step);
        let codec = items.keep.codecs().first();
        let kept = codec.and_then(|codec| leftovers.as_ref()?.kept.item(&path, codec, index));
        if kept.is_some() || items.reads.iter().any(|slot| frame.is_absent(*slot)) {
            return kept;
        }
        let mut listed = eval(lent, frame, items).ok()?;
        listed.get_mut(index as usize).map(Value::take)
    }

    /// Puts in place what is left of the steps of a frame that this life has
    /// not come to, and what is computed of that.
    pub(super) fn fill(&mut self, id: FrameId) {
        let Self { frames, leftovers, lent, .. } = self;
        let (Some(leftovers), Some(frame)) = (leftovers, frames.get_mut(id)) else { return };
        for (number, step) in (0..).zip(frame.scope.region.steps) {
            if !frame.is_absent(step.output) {
                continue;
            }
            match &step.kind {
                Kind::Task(_) | Kind::Signal { .. } => {
                    let path = frame.scope.path(number);
                    let left = leftovers.steps.get(&path).filter(|left| is_value(left));
                    if let Some(Ok(value)) = left.map(|left| read(&path, step, left.value.as_ref())) {
                        frame.put_output(step, number, value);
                    }
                }
                Kind::Sleep(_) | Kind::Check(_) => frame.put(step.output, Value::new(())),
                Kind::Compute(expr) => {
                    let path = frame.scope.path(number);
                    let kept = leftovers.kept.values_for_undo(&path, &expr.keep.each());
                    let is_known =
                        |frame: &super::frames::Frame| expr.reads.iter().all(|slot| !frame.is_absent(*slot));
                    let value = match kept.and_then(|mut kept| kept.pop()) {
                        Some(value) => Some(value),
                        None if is_known(frame) => eval(lent, frame, expr).ok(),
                        None => None,
                    };
                    if let Some(value) = value {
                        frame.put(step.output, value);
                    }
                }
                _ => {}
            }
        }
    }
}

impl Execution {
    /// The parameters of a child workflow that is opened for an undo alone: as
    /// they were kept, or evaluated where what they are made of is known.
    pub(super) fn params_for_undo<H: Host + 'static>(
        &mut self,
        host: &Arc<H>,
        id: FrameId,
        parent: Option<Key>,
    ) {
        let Some(key) = parent.filter(|_| self.machine.has_ended(id)) else { return };
        self.fill(key.frame);
        let Some((frame, step)) = self.frames.step(key) else { return };
        let Kind::Task(task) = &step.kind else { return };
        let Some(child) = task.task.child else { return };
        let path = frame.scope.path(key.step);
        let kept = self.leftovers.as_ref();
        let kept = kept.and_then(|left| left.kept.values_for_undo(&path, &param_codecs(child)));
        let is_known = || task.reads.iter().chain(task.moves).all(|slot| !frame.is_absent(*slot));
        let params = match kept {
            Some(params) => Some(params),
            None if is_known() => child_params(host, key, frame, task).ok(),
            None => None,
        };
        if let (Some(params), Some(frame)) = (params, self.frames.get_mut(key.frame)) {
            frame.keep(key.step, Kept::Params(params));
        }
    }
}

fn is_value(left: &Leftover) -> bool {
    left.recalled == StoredRecalled::Value
}
